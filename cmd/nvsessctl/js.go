package main

import (
	"context"
	"encoding/json"

	"github.com/nvsess/nvsess/internal/admin"
)

// runJS evaluates JavaScript for a shell: what is written meanwhile comes first, then the value unless it is undefined. With asJSON the value
// is all there is on standard output.
func runJS(ctx context.Context, c *admin.Client, inv *admin.Invocation, std streams) error {
	if err := checkCode(inv.Args.String("code")); err != nil {
		return err
	}
	out, errs := newPrinter(std.out), newPrinter(std.err)
	call := map[string]any{"code": inv.Args.String("code"), "colors": out.Color || inv.Args.Bool("colors"), "quiet": inv.Args.Bool("quiet")}
	if inv.Args.Has("width") {
		call["width"] = inv.Args.Int("width")
	} else if out.Width > 0 {
		call["width"] = out.Width
	}
	if d := inv.Args.Duration("timeout", 0); d > 0 {
		call["timeout"] = d.String()
	}
	answer, err := c.Stream(ctx, "js", call, nil, func(l *admin.Line) error {
		p := errs
		if !inv.JSON && l.Output != nil && l.Output.Level != "warn" && l.Output.Level != "error" {
			p = out
		}
		p.ScriptLine(l)
		return p.Err()
	})
	if err != nil {
		return err
	}
	var v admin.Value
	if err := json.Unmarshal(answer.Result, &v); err != nil {
		return err
	}
	switch {
	case inv.JSON:
		out.Printf("%s\n", admin.EscapeJSON(v.Value))
	case !v.Undefined():
		out.Color = out.Color || inv.Args.Bool("colors") // asked for: the styles may pass
		return admin.PrintResult(out, inv, answer.Result)
	}
	return out.Err()
}

// jsInvocation is the command js for what was typed without it.
func jsInvocation(code string) (*admin.Invocation, error) {
	return admin.ParseArgs([]string{"js", "--", code})
}
