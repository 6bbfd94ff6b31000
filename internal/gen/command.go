package gen

import (
	"fmt"
	"strings"
)

// Command is one generator.
type Command struct {
	Name    string // "gen app", "bw"
	Legacy  string // nv-session-simple's name
	Summary string
	example string
	options []string // in the order of the help
	dirs    bool     // it writes into Options.Dir
	make    func(*Options, *Output) error
}

// Commands are all of them.
func Commands() []*Command { return commands }

var commands = []*Command{{
	Name:    "gen nginx",
	Legacy:  "nv_sess_nginx",
	Summary: "nginx's part, to standard output",
	example: "nvsessctl gen nginx -I 192.168.1.103 -P 18888 -C /etc/ssl/my.crt -K /etc/ssl/my.key -o nginx.conf.part",
	options: []string{"external_ip", "external_port", "external_route", "external_ssl", "external_ssl_cert", "external_ssl_key", "external_http2",
		"internal_is_usock", "internal_usock", "internal_ip", "internal_port", "internal_route", "nginx_version", "output", "force"},
	make: makeNginx,
}, {
	Name:    "gen server",
	Legacy:  "nv_sess_internal_srv",
	Summary: "handlers and configuration of nvsessd: srv.js, nvsess.toml",
	example: "nvsessctl gen server -F && nvsessd -config nvsess.toml",
	options: []string{"nginx_user", "sec_websocket_protocol", "internal_is_usock", "forward", "internal_usock", "internal_port", "internal_ssl",
		"internal_ssl_cert", "internal_ssl_key", "self_signed", "dir", "force"},
	dirs: true,
	make: makeServer,
}, {
	Name:    "gen internal-client",
	Legacy:  "nv_sess_internal_client",
	Summary: "a Node client of nvsessd on this machine: iclient.js, bwcls.js",
	example: `nvsessctl gen internal-client && node -e 'require("./iclient")().then((c) => c.sess_.conn_.ajsend({ a: 1 }))'`,
	options: []string{"sec_websocket_protocol", "internal_is_usock", "internal_usock", "internal_port", "internal_ssl", "dir", "force"},
	dirs:    true,
	make:    makeInternalClient,
}, {
	Name:    "gen external-client",
	Legacy:  "nv_sess_external_client",
	Summary: "a Node client anywhere, through nginx: eclient.js, bwcls.js",
	example: "nvsessctl gen external-client -I 192.168.1.103 -P 18889",
	options: []string{"sec_websocket_protocol", "external_ip", "external_port", "external_route", "external_ssl", "dir", "force"},
	dirs:    true,
	make:    makeExternalClient,
}, {
	Name:    "gen bclient",
	Legacy:  "nv_sess_bclient",
	Summary: "a page's client, through nginx: bclient.js",
	example: "nvsessctl bw > bwcls.js && nvsessctl gen bclient -n chat -I www.example.com",
	options: []string{"creat_func_name", "sec_websocket_protocol", "external_ip", "external_port", "external_route", "external_ssl", "dir", "force"},
	dirs:    true,
	make:    makePageClient,
}, {
	Name:    "gen app",
	Legacy:  "nv_sess_app",
	Summary: "all of them, and scripts to try them with",
	example: "mkdir sess-isrv && cd sess-isrv && nvsessctl gen app -I 192.168.1.103 -P 18890 -F --self_signed",
	options: []string{"external_ip", "external_port", "external_route", "external_ssl_cert", "external_ssl_key", "external_http2", "internal_usock",
		"nginx_user", "sec_websocket_protocol", "forward", "creat_func_name", "nginx_version", "self_signed", "dir", "force"},
	dirs: true,
	make: makeApp,
}, {
	Name:    "hreq_verify_help",
	Legacy:  "nv_sess_hreq_verify_help",
	Summary: "the shape of a handshake's request, for verify functions",
	example: "nvsessctl hreq_verify_help",
	make:    makeRequestShape,
}, {
	Name:    "bw",
	Legacy:  "nv_sess_bw",
	Summary: "the class Bwsess for browsers and Node, to standard output",
	example: "nvsessctl bw > bwcls.js",
	options: []string{"module", "types"},
	make:    makeClass,
}}

// Find gives the command that a command line begins with, and its arguments. "gen-app" and "gen_app" are "gen app".
func Find(args []string) (c *Command, rest []string, ok bool) {
	if len(args) == 0 {
		return nil, nil, false
	}
	name, rest := args[0], args[1:]
	if name == "gen" && len(rest) > 0 {
		name, rest = "gen "+rest[0], rest[1:]
	}
	for _, c := range commands {
		if canonical(name) == canonical(c.Name) || name == c.Legacy {
			return c, rest, true
		}
	}
	return nil, nil, false
}

// canonical makes the spellings of a name equal: nv-session-simple's words, a dash and an underscore.
func canonical(name string) string {
	name = strings.NewReplacer("_", "-", " ", "-").Replace(name)
	switch name {
	case "gen-internal-srv", "gen-srv":
		return "gen-server"
	case "gen-iclient":
		return "gen-internal-client"
	case "gen-eclient":
		return "gen-external-client"
	}
	return name
}

// Usage is the help: options, an example, and the defaults as nv-session-simple shows them.
func (c *Command) Usage() string {
	var b strings.Builder
	fmt.Fprintf(&b, "Usage: nvsessctl %s [options]\nWrites %s.\nOptions:\n", c.Name, c.Summary)
	for _, name := range c.options {
		b.WriteString(optionTable[name].usage())
	}
	fmt.Fprintf(&b, "    -h, %-32s%s\n\n---example----\n%s\n", "--help", "usage", c.example)
	o := defaults()
	first := true
	for _, name := range c.options {
		opt := optionTable[name]
		if opt.literal == nil || opt.ours {
			continue
		}
		if first {
			b.WriteString("\n---defaults----\n{\n")
		} else {
			b.WriteString(",\n")
		}
		first = false
		fmt.Fprintf(&b, "  %s: %s", name, opt.literal(o))
	}
	if !first {
		b.WriteString("\n}\n")
	}
	return b.String()
}

// Run reads the arguments and makes what they ask for, in memory. An error is a [*UsageError], or says what is wrong with the directory.
func (c *Command) Run(args []string) (*Output, error) {
	o, help, err := parse(args, c.options)
	if err != nil {
		return nil, err
	}
	if help {
		return &Output{Text: []byte(c.Usage())}, nil
	}
	if c.dirs {
		if err := checkDirectory(o.Dir); err != nil {
			return nil, err
		}
	}
	out := &Output{Force: o.Force}
	if err := c.make(o, out); err != nil {
		return nil, err
	}
	return out, nil
}
