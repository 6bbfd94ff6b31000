package config

import (
	"errors"
	"fmt"
	"slices"
)

// A rule ties keys together. It is tried when each of them is right by itself.
type rule struct {
	keys    []string
	allowed string
	check   func(*Config) error
}

// rules are what no key can tell alone.
var rules = []rule{{
	keys:    []string{"compression", "deflate.server_context_takeover", "outbound.policy"},
	allowed: "outbound.policy close or drop_newest with a context that is kept",
	check: func(c *Config) error {
		compresses := slices.ContainsFunc(c.AllMounts(), func(m Mount) bool { return m.Compression == CompressionOn })
		if compresses && c.Deflate.ServerContextTakeover && c.Outbound.Policy == PolicyDropOldest {
			return errors.New("with deflate.server_context_takeover a message that was compressed must be sent, but outbound.policy is drop_oldest")
		}
		return nil
	},
}, {
	keys:    []string{"tls_cert", "tls_key"},
	allowed: "both or neither",
	check: func(c *Config) error {
		if (c.TLSCert == "") != (c.TLSKey == "") {
			return errors.New("tls_cert and tls_key need each other")
		}
		return nil
	},
}, {
	keys:    []string{"message.max_message_bytes", "message.max_frame_bytes"},
	allowed: "message.max_frame_bytes up to message.max_message_bytes",
	check: func(c *Config) error {
		if m := c.Message; m.MaxMessageBytes < m.MaxFrameBytes {
			return fmt.Errorf("a message is at least one frame, but message.max_message_bytes is %d and message.max_frame_bytes is %d",
				m.MaxMessageBytes, m.MaxFrameBytes)
		}
		return nil
	},
}, {
	keys:    []string{"limits.policy", "limits.bytes_burst", "message.max_message_bytes"},
	allowed: `message.max_message_bytes up to limits.bytes_burst, or limits.policy = "delay", or limits.bytes_per_second = 0`,
	check: func(c *Config) error {
		top := c.topMount()
		return top.checkBurst()
	},
}, {
	keys:    []string{"inbox.total_bytes", "inbox.queue_bytes"},
	allowed: "inbox.queue_bytes up to inbox.total_bytes",
	check: func(c *Config) error {
		if c.Inbox.TotalBytes < c.Inbox.QueueBytes {
			return fmt.Errorf("one session may have %d bytes waiting, all together %d", c.Inbox.QueueBytes, c.Inbox.TotalBytes)
		}
		return nil
	},
}, {
	keys:    []string{"limits.memory_bytes", "message.max_message_bytes", "outbound.queue_bytes"},
	allowed: "0, or from message.max_message_bytes and outbound.queue_bytes up",
	check: func(c *Config) error {
		if m, most := c.Limits.MemoryBytes, max(c.Message.MaxMessageBytes, c.Outbound.QueueBytes); m > 0 && m < most {
			return fmt.Errorf("one session may hold %d bytes, all together %d", most, m)
		}
		return nil
	},
}, {
	keys:    []string{"webhooks.max_backoff", "webhooks.backoff"},
	allowed: "webhooks.backoff up to webhooks.max_backoff",
	check: func(c *Config) error {
		if c.Webhooks.MaxBackoff < c.Webhooks.Backoff {
			return fmt.Errorf("the first wait is %s, the longest %s", c.Webhooks.Backoff, c.Webhooks.MaxBackoff)
		}
		return nil
	},
}, {
	keys:    []string{"listen", "admin.listen"},
	allowed: "an address for each socket",
	check: func(c *Config) error {
		for i, a := range c.Listen {
			if a == c.Admin.Listen || slices.Contains(c.Listen[:i], a) {
				return fmt.Errorf("%q is named twice", a)
			}
		}
		return nil
	},
}}

// problems checks each key, and each rule whose keys are right, also according to what is known to be wrong. lines has the keys
// the file sets; a broken rule is reported at the first of its keys among them.
func (c *Config) problems(known Problems, lines map[string]int) Problems {
	var ps Problems
	for _, k := range keys {
		if known.has(k.name) {
			continue
		}
		if err := k.check(c); err != nil {
			ps = append(ps, Problem{Line: lines[k.name], Key: k.name, What: err.Error(), Allowed: k.allowed})
		}
	}
	for _, l := range lists {
		ps = append(ps, l.check(c, known, lines)...)
	}
	for _, r := range slices.Concat(rules, authRules) {
		if slices.ContainsFunc(r.keys, func(k string) bool { return ps.has(k) || known.has(k) }) {
			continue
		}
		if err := r.check(c); err != nil {
			at := max(0, slices.IndexFunc(r.keys, func(k string) bool { return lines[k] > 0 }))
			ps = append(ps, Problem{Line: lines[r.keys[at]], Key: r.keys[at], What: err.Error(), Allowed: r.allowed})
		}
	}
	if !ps.in(lists) && !known.in(lists) {
		ps = append(ps, c.tableProblems(lines)...)
	}
	return ps
}
