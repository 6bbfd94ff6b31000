package admin

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"slices"
	"time"
	"unicode/utf8"

	"github.com/nvsess/nvsess/internal/session"
)

const (
	watchBuffer = 1024    // events that wait for a reader before some are lost
	watchBytes  = 4 << 20 // and about so many bytes of messages in them
)

func watchCommand(group string) *Command {
	return &Command{
		Name: "watch", Group: group, ReadOnly: true, Stream: true, Suspends: true,
		Summary: "show sessions opening, closing and talking, as it happens",
		Help: "It runs until Ctrl-C. Without options it shows everything. When more happens than can be shown, events are left out, and how many is said.\n\n" +
			"Of each message the first bytes are shown, see --max-data.",
		Args: []Arg{
			{Name: "type", Type: TypeList, Option: true, Choices: []string{"open", "close", "message"}, Help: "only these events: open, close, message"},
			{Name: "kind", Type: TypeList, Option: true, Choices: kindNames(), Help: "only messages of these kinds"},
			{Name: "session", Type: TypeSession, Option: true, Help: "only this session"},
			{Name: "max-data", Type: TypeInt, Option: true, Max: 1 << 20, Default: "256", Help: "show so many bytes of a message"},
		},
		Examples:  []Example{{"watch", ""}, {"watch --type open,close", ""}, {"watch --session fst --kind json", ""}},
		Run:       runWatch,
		Ready:     readyWatch,
		PrintLine: printEvent,
	}
}

// Event is something that happened, as watch shows it. The data of a message is in text, or in base64 when it is binary.
type Event struct {
	Time      time.Time `json:"time"`
	Type      string    `json:"type"`
	Session   string    `json:"session"`
	Remote    string    `json:"remote,omitempty"`
	Kind      string    `json:"kind,omitempty"`
	Direction string    `json:"direction,omitempty"`
	Size      int       `json:"size,omitempty"`
	Text      string    `json:"text,omitempty"`
	Base64    string    `json:"base64,omitempty"`
	Truncated bool      `json:"truncated,omitempty"` // there is more of it than shown
	Code      int       `json:"code,omitempty"`
	Reason    string    `json:"reason,omitempty"`
}

func watchOptions(args Args) session.WatchOptions {
	o := session.WatchOptions{Types: args.List("type"), Kinds: args.List("kind"), MaxData: 256, Buffer: watchBuffer}
	if args.Has("max-data") {
		o.MaxData = args.Int("max-data")
	}
	o.Buffer = min(o.Buffer, watchBytes/max(1, o.MaxData))
	return o
}

// watching is what a suspended watch goes on from.
type watching struct {
	Session string `json:"session,omitempty"` // its id: who is first, say, changes
}

// readyWatch begins to watch again.
func readyWatch(s *session.Server, args Args, call *SuspendedCall) error {
	var was watching
	if len(call.State) == 0 {
		return nil // it has not begun
	}
	if err := json.Unmarshal(call.State, &was); err != nil {
		return err
	}
	o := watchOptions(args)
	o.Session = was.Session
	call.watch = s.Watch(o)
	return nil
}

func runWatch(ctx context.Context, c *Call) (any, error) {
	w, err := c.watch()
	if err != nil {
		return nil, err
	}
	defer w.Stop()
	if err := c.flush(); err != nil {
		return nil, err
	}
	var told uint64
	show := func(e session.Event) error {
		if lost := w.Dropped(); lost > told {
			if err := c.send(&Line{Dropped: lost - told}); err != nil {
				return err
			}
			told = lost
		}
		return c.send(&Line{Event: eventOf(e)})
	}
	for {
		select {
		case <-ctx.Done():
			if !errors.Is(context.Cause(ctx), session.ErrSuspend) {
				return nil, ctx.Err()
			}
			for len(w.Events()) > 0 { // no more come, for all stands still
				if err := show(<-w.Events()); err != nil {
					return nil, err
				}
			}
			return nil, &suspension{state: watching{w.Session()}}
		case e := <-w.Events():
			if err := show(e); err != nil {
				return nil, err
			}
			if len(w.Events()) == 0 {
				if err := c.flush(); err != nil {
					return nil, err
				}
			}
		}
	}
}

// watch begins to watch, or goes on.
func (c *Call) watch() (*session.Watch, error) {
	if c.resumed != nil && c.resumed.watch != nil {
		return c.resumed.watch, nil
	}
	o := watchOptions(c.Args)
	var was watching
	if again, err := c.resumeInto(&was); err != nil {
		return nil, err
	} else if again {
		o.Session = was.Session
	} else if c.Args.Has("session") {
		s, err := c.find()
		if err != nil {
			return nil, err
		}
		o.Session = s.ID()
	}
	return c.Sessions.Watch(o), nil
}

func eventOf(e session.Event) *Event {
	out := &Event{
		Time: e.Time, Type: e.Type, Session: e.Session, Remote: e.Remote, Kind: e.Kind, Direction: e.Direction,
		Size: e.Size, Truncated: e.Size > len(e.Data) && e.Type == "message", Code: e.Code, Reason: e.Reason,
	}
	if data := wholeRunes(e.Data); e.Kind != "binary" && utf8.Valid(data) {
		out.Text = string(data)
	} else {
		out.Base64 = base64.StdEncoding.EncodeToString(e.Data)
	}
	return out
}

// wholeRunes drops a character cut in two at the end of shortened data.
func wholeRunes(data []byte) []byte {
	for i := 1; i <= min(utf8.UTFMax, len(data)); i++ {
		if tail := data[len(data)-i:]; utf8.RuneStart(tail[0]) {
			if !utf8.FullRune(tail) {
				return slices.Clip(data[:len(data)-i])
			}
			break
		}
	}
	return data
}
