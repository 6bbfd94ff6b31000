package admin

import (
	"context"
	"encoding/json"
	"time"
)

// completionTimeout is how long a press of Tab may wait for the daemon.
const completionTimeout = 300 * time.Millisecond

// SessionIDs asks for ids that begin with a text. On any failure there are none.
func (c *Client) SessionIDs(prefix string) []string {
	var answer struct {
		IDs []string `json:"ids"`
	}
	c.ask("complete", map[string]any{"prefix": prefix, "limit": 50}, &answer)
	return answer.IDs
}

// Handlers asks for the handlers that may be set for a kind of message.
func (c *Client) Handlers(kind string) []string {
	var answer handlerList
	c.ask("handlers", map[string]any{"kind": kind}, &answer)
	if len(answer.Handlers) == 0 {
		return nil
	}
	return answer.Handlers[0].Allowed
}

// Members asks for the members of a JavaScript value, or the global names, that begin with a text.
func (c *Client) Members(expr, prefix string) []string {
	var answer members
	c.ask("js_complete", map[string]any{"expr": expr, "prefix": prefix}, &answer)
	return answer.Names
}

func (c *Client) ask(name string, args, answer any) {
	ctx, cancel := context.WithTimeout(context.Background(), completionTimeout)
	defer cancel()
	if a, err := c.Call(ctx, name, args); err == nil {
		_ = json.Unmarshal(a.Result, answer) // half an answer is as good as none
	}
}
