package admin

import (
	"context"

	"github.com/nvsess/nvsess/internal/session"
)

func handlerCommands() []*Command {
	const group = "Handlers"
	return []*Command{
		{
			Name: "handlers", Group: group, ReadOnly: true,
			Summary: "list what happens to messages of each kind, or set it for one kind",
			Help:    "Without arguments it lists the handlers, how often each was called, and what may be set.",
			Args: []Arg{
				{Name: "kind", Type: TypeString, Choices: kindNames(), Help: "the kind of message"},
				{Name: "name", Type: TypeString, Changes: true, Help: "the handler to set: none, forward, echo or log, where the kind allows it"},
			},
			Examples: []Example{{"handlers", ""}, {"handlers json echo", "from now on JSON goes back to who sent it"}},
			Run:      runHandlers,
			Print:    printHandlers,
		},
		{
			Name: "enable_forward", Group: group,
			Summary:  "send every string, JSON and binary message to every other session",
			Examples: []Example{{"enable_forward", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				c.Sessions.EnableForward()
				return mode{c.Sessions.Mode()}, nil
			},
			Print: printMode,
		},
		{
			Name: "disable_forward", Group: group,
			Summary:  "put the empty handlers back in place of forwarding",
			Examples: []Example{{"disable_forward", ""}},
			Run: func(_ context.Context, c *Call) (any, error) {
				c.Sessions.DisableForward()
				return mode{c.Sessions.Mode()}, nil
			},
			Print: printMode,
		},
	}
}

type mode struct {
	Mode string `json:"mode"`
}

// HandlerInfo is a row of the answer of handlers.
type HandlerInfo struct {
	Kind    string   `json:"kind"`
	Name    string   `json:"name"`
	Calls   uint64   `json:"calls"`
	Allowed []string `json:"allowed"`
}

type handlerList struct {
	Mode     string        `json:"mode"`
	Handlers []HandlerInfo `json:"handlers"`
}

func kindNames() []string {
	names := make([]string, len(session.Kinds))
	for i, k := range session.Kinds {
		names[i] = k.String()
	}
	return names
}

func runHandlers(_ context.Context, c *Call) (any, error) {
	kind := c.Args.String("kind")
	if c.Args.Has("name") {
		if kind == "" {
			return nil, badArg("kind", "handlers needs the kind of message to set a handler for")
		}
		k, err := session.ParseKind(kind)
		if err != nil {
			return nil, badArg("kind", "%s", plainly(err))
		}
		if err := c.Sessions.SetHandler(k, c.Args.String("name")); err != nil {
			return nil, badArg("name", "%s", plainly(err))
		}
	}
	list := handlerList{Mode: c.Sessions.Mode(), Handlers: []HandlerInfo{}}
	for _, h := range c.Sessions.Handlers() {
		if name := h.Kind.String(); kind == "" || kind == name {
			list.Handlers = append(list.Handlers, HandlerInfo{name, h.Name, h.Calls, c.Sessions.HandlerNames(h.Kind)})
		}
	}
	return list, nil
}
