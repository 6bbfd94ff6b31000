package admin

import (
	"context"
	"encoding/json"
)

// Do carries out an invocation and shows what comes of it. begun is called when a stream is under way; it may be nil. So may c, for a
// command that needs no daemon.
func (c *Client) Do(ctx context.Context, inv *Invocation, p *Printer, begun func()) (Answer, error) {
	switch {
	case inv.Help:
		return Answer{}, PrintHelp(p, inv.Command.Name)
	case inv.Command.Run == nil:
		return Answer{}, PrintResult(p, inv, nil)
	case inv.Command.Stream:
		return c.stream(ctx, inv, p, begun)
	case inv.Command.Pages && !inv.Args.Bool("count"):
		return c.pages(ctx, inv, p)
	}
	a, err := c.Call(ctx, inv.Command.Name, inv.apiArgs(nil))
	if err != nil {
		return a, err
	}
	if inv.JSON {
		p.Printf("%s\n", EscapeJSON(a.Result))
		return a, p.Err()
	}
	return a, PrintResult(p, inv, a.Result)
}

// apiArgs are the arguments the daemon is given: those it knows, and more.
func (inv *Invocation) apiArgs(more map[string]any) Args {
	out := map[string]any{}
	for name, v := range inv.Args.values {
		if a := inv.Command.Arg(name); a != nil && !a.Local {
			out[name] = v
		}
	}
	for name, v := range more {
		out[name] = v
	}
	return Args{out}
}

func (c *Client) stream(ctx context.Context, inv *Invocation, p *Printer, begun func()) (Answer, error) {
	show := func(l *Line) error {
		if inv.JSON {
			return p.jsonLine(l)
		}
		if err := inv.Command.PrintLine(p, inv, l); err != nil {
			return err
		}
		return p.Err()
	}
	a, err := c.Stream(ctx, inv.Command.Name, inv.apiArgs(nil), begun, show)
	if err != nil {
		return a, err
	}
	switch {
	case inv.JSON:
		err = p.jsonLine(&Line{Result: a.Result})
	case inv.Command.Print != nil:
		err = PrintResult(p, inv, a.Result)
	}
	if err == nil && inv.Command.Verdict != nil {
		err = inv.Command.Verdict(a.Result)
	}
	return a, err
}

func (p *Printer) jsonLine(l *Line) error {
	raw, err := marshal(l)
	if err != nil {
		return err
	}
	p.Printf("%s\n", EscapeJSON(raw))
	return p.Err()
}

// pages fetches a list page after page, each when the one before has been written: for a pager that is not read, or for head, no more
// is fetched than is looked at. Sessions that come and go meanwhile do not shift it.
func (c *Client) pages(ctx context.Context, inv *Invocation, p *Printer) (Answer, error) {
	limit, after := -1, inv.Args.String("after")
	if inv.Args.Has("limit") {
		limit = inv.Args.Int("limit")
	}
	size := firstPage
	for shown, offset := 0, 0; ; {
		if limit >= 0 {
			size = min(size, limit-shown)
		}
		more := map[string]any{"limit": size}
		if shown > 0 {
			more["offset"] = offset
		}
		if after != "" {
			more["after"] = after
		}
		a, err := c.Call(ctx, inv.Command.Name, inv.apiArgs(more))
		if err != nil {
			return a, err
		}
		var got rawPage
		if err := json.Unmarshal(a.Result, &got); err != nil {
			return a, err
		}
		n := len(got.Sessions)
		last := n == 0 || got.Offset+n >= got.Total || limit >= 0 && shown+n >= limit
		if inv.JSON {
			p.jsonPage(&got, shown == 0, last)
			err = p.Err()
		} else {
			err = PrintResult(p, inv, a.Result)
		}
		shown += n
		if err != nil || last {
			return a, err
		}
		var end struct {
			ID string `json:"id"`
		}
		if err := json.Unmarshal(got.Sessions[n-1], &end); err != nil {
			return a, err
		}
		offset, after, size = got.Offset+n, end.ID, maxPage
	}
}

// firstPage is small, so that the first screen is there at once.
const firstPage = 200

// rawPage is a Page whose sessions are passed on as they are.
type rawPage struct {
	Total    int               `json:"total"`
	Offset   int               `json:"offset"`
	Sessions []json.RawMessage `json:"sessions"`
}

// jsonPage writes one page of what becomes a single JSON object.
func (p *Printer) jsonPage(page *rawPage, first, last bool) {
	if first {
		p.Printf(`{"total":%d,"offset":%d,"sessions":[`, page.Total, page.Offset)
	}
	for i, s := range page.Sessions {
		comma := ","
		if first && i == 0 {
			comma = ""
		}
		p.Printf("%s\n%s", comma, EscapeJSON(s))
	}
	if last {
		p.Printf("\n]}\n")
	}
}
