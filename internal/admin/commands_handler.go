package admin

import (
	"context"
	"maps"
	"slices"

	"github.com/nvsess/nvsess/internal/session"
)

func handlerCommands() []*Command {
	const group = "Handlers"
	return []*Command{
		{
			Name: "handlers", Group: group, ReadOnly: true,
			Summary: "list what happens to messages of each kind, or set it for one kind",
			Help: "Without arguments it lists the handlers: how often each was called, how often it failed or took too long, where it comes from, its last error, and what may be set.\n\n" +
				"js is what JavaScript has registered for the kind, and webhook the URL in the configuration, where there is one.\n\n" +
				"Where there are [[mount]]s, this is about the top level and the mounts in mode handlers; one in mode forward or echo keeps that for messages.",
			Args: []Arg{
				{Name: "kind", Type: TypeString, Choices: kindNames(), Help: "the kind of message"},
				{Name: "name", Type: TypeString, Changes: true, Help: "the handler to set: none, forward, echo, log, js or webhook, where the kind allows it"},
			},
			Examples: []Example{{"handlers", ""}, {"handlers json echo", "from now on JSON goes back to who sent it"}, {"handlers json js", "to what JavaScript has registered, again"}},
			Run:      runHandlers,
			Print:    printHandlers,
		},
		{
			Name: "enable_forward", Group: group,
			Summary:  "send every string, JSON and binary message to every other session of its mount",
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
		{
			Name: "reload_handlers", Group: group,
			Summary: "load the file of JavaScript handlers again",
			Help: "What the file registers takes the place of what it registered before, all at once. A file with a mistake changes nothing: " +
				"the mistake is shown as file:line:column: message, and the exit code is 1.",
			Examples: []Example{{"reload_handlers", ""}},
			Run:      runReload,
			Print:    printReloaded,
		},
	}
}

type mode struct {
	Mode string `json:"mode"`
}

// HandlerInfo is a row of the answer of handlers.
type HandlerInfo struct {
	Kind      string   `json:"kind"`
	Name      string   `json:"name"`
	Source    string   `json:"source,omitempty"` // where it comes from: "handlers.js:3:1", a URL
	Calls     uint64   `json:"calls"`
	Errors    uint64   `json:"errors"`
	Timeouts  uint64   `json:"timeouts"`
	LastError string   `json:"last_error,omitempty"` // may quote what a peer sent
	Allowed   []string `json:"allowed"`
}

// HookInfo is JavaScript that handles no kind of message: verify, hsrv_handle.
type HookInfo struct {
	Name      string `json:"name"`
	Source    string `json:"source,omitempty"` // none: it is not registered any more
	Errors    uint64 `json:"errors"`
	Timeouts  uint64 `json:"timeouts"`
	LastError string `json:"last_error,omitempty"`
}

type handlerList struct {
	Mode     string        `json:"mode"`
	Handlers []HandlerInfo `json:"handlers"`
	Hooks    []HookInfo    `json:"hooks"`
	Waiting  int64         `json:"waiting"` // messages that handlers have not done with
	Dropped  uint64        `json:"dropped"` // messages that came faster than they were handled
	Closed   uint64        `json:"closed"`  // sessions closed for that
}

// maxLastError is how much of an error handlers shows, in characters.
const maxLastError = 500

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
	return c.handlerList(kind), nil
}

// handlerList tells of the handlers for a kind, or for all of them.
func (c *Call) handlerList(kind string) handlerList {
	stats := c.Sessions.Stats()
	list := handlerList{
		Mode: c.Sessions.Mode(), Handlers: []HandlerInfo{}, Hooks: []HookInfo{},
		Waiting: stats.HandlerWaiting, Dropped: stats.HandlerDropped, Closed: stats.HandlerClosed,
	}
	for _, h := range c.Sessions.Handlers() {
		if name := h.Kind.String(); kind == "" || kind == name {
			list.Handlers = append(list.Handlers, HandlerInfo{
				Kind: name, Name: h.Name, Source: h.Report.Source, Calls: h.Calls, Errors: h.Report.Errors, Timeouts: h.Report.Timeouts,
				LastError: clip(h.Report.Last, maxLastError), Allowed: c.Sessions.HandlerNames(h.Kind),
			})
		}
	}
	if kind != "" || c.Daemon.Script == nil {
		return list
	}
	hooks := c.Daemon.Script.Hooks()
	for _, name := range slices.Sorted(maps.Keys(hooks)) {
		r := hooks[name]
		list.Hooks = append(list.Hooks, HookInfo{Name: name, Source: r.Source, Errors: r.Errors, Timeouts: r.Timeouts, LastError: clip(r.Last, maxLastError)})
	}
	return list
}
