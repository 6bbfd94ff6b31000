package gen

import (
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// Options are what the user said, checked.
type Options struct {
	ExternalIP    string // without brackets
	ExternalPort  int    // 0: that of the scheme
	ExternalRoute string
	ExternalTLS   bool
	ExternalCert  string // absolute, as every path here
	ExternalKey   string
	HTTP2         bool

	InternalIsSocket bool
	InternalSocket   string
	InternalIP       string
	InternalPort     int
	InternalRoute    string
	InternalTLS      bool
	InternalCert     string
	InternalKey      string

	NginxUser    string
	NginxVersion [3]int // zero: the installed one's
	Subprotocols []string
	Forward      bool
	Function     string
	SelfSigned   bool
	Module       bool // of the class: as an ES module
	Types        bool // for TypeScript

	Dir    string // where files go
	Output string // where the text goes; empty: standard output
	Force  bool   // overwrite

	given map[string]bool // options that were on the command line
}

// defaults are what holds for every command. Paths are filled in when the directory is known: see settle.
func defaults() *Options {
	return &Options{
		ExternalIP:       PrimaryAddress(),
		ExternalRoute:    "/",
		ExternalTLS:      true,
		InternalIsSocket: true,
		InternalIP:       "127.0.0.1",
		InternalPort:     65512,
		InternalRoute:    "/",
		NginxUser:        "www-data",
		Function:         "bwsess_connect",
		Dir:              ".",
		given:            map[string]bool{},
	}
}

// An option is one of nv-session-simple's, or ours.
type option struct {
	name    string // as nv-session-simple spells it
	short   string
	help    string
	boolean bool
	ours    bool // not among nv-session-simple's
	// An empty value means the default, as it does there.
	emptyIsDefault bool
	set            func(*Options, string) error
	// literal is the default as the help shows it: an expression of JavaScript.
	literal func(*Options) string
}

func str(what func(*Options) *string, check func(string) (string, error)) func(*Options, string) error {
	return func(o *Options, v string) (err error) {
		*what(o), err = check(v)
		return err
	}
}

func truth(what func(*Options) *bool) (func(*Options, string) error, func(*Options) string) {
	set := func(o *Options, v string) error {
		switch v {
		case "true":
			*what(o) = true
		case "false":
			*what(o) = false
		default:
			return errors.New("neither true nor false")
		}
		return nil
	}
	return set, func(o *Options) string { return strconv.FormatBool(*what(o)) }
}

func port(what func(*Options) *int) func(*Options, string) error {
	return func(o *Options, v string) (err error) {
		*what(o), err = checkPort(v)
		return err
	}
}

func literal(s string) func(*Options) string { return func(*Options) string { return s } }

func quoted(s string) string { return "'" + s + "'" }

// optionTable has every option of every command. The name tells them apart: -S is two of them.
var optionTable = makeOptions()

func makeOptions() map[string]*option {
	table := map[string]*option{}
	add := func(o option) { table[o.name] = &o }
	flag := func(name, short, help string, what func(*Options) *bool) {
		set, lit := truth(what)
		add(option{name: name, short: short, help: help, boolean: true, set: set, literal: lit})
	}
	file := func(name, short, help, dflt string, check func(string) (string, error), what func(*Options) *string) {
		add(option{name: name, short: short, help: help, emptyIsDefault: true, set: str(what, check), literal: literal(quoted(dflt))})
	}

	add(option{name: "external_ip", short: "I", help: "address or name where nginx listens and clients connect, default this machine's",
		set:     str(func(o *Options) *string { return &o.ExternalIP }, checkHost),
		literal: func(o *Options) string { return quoted(o.ExternalIP) }})
	add(option{name: "external_port", short: "P", help: "its port, default empty: 443 with TLS, 80 without", emptyIsDefault: true,
		set: port(func(o *Options) *int { return &o.ExternalPort }), literal: literal("''")})
	add(option{name: "external_route", short: "R", help: `path of the URL, default "/"`, emptyIsDefault: true,
		set: str(func(o *Options) *string { return &o.ExternalRoute }, checkRoute), literal: literal("'/'")})
	flag("external_ssl", "S", "TLS to nginx, default true", func(o *Options) *bool { return &o.ExternalTLS })
	file("external_ssl_cert", "C", "nginx's certificate, default ./ssl.crt", "./ssl.crt", checkNginxFile, func(o *Options) *string { return &o.ExternalCert })
	file("external_ssl_key", "K", "its key, default ./ssl.key", "./ssl.key", checkNginxFile, func(o *Options) *string { return &o.ExternalKey })
	flag("external_http2", "T", "HTTP/2 too, for what else nginx serves there, default false", func(o *Options) *bool { return &o.HTTP2 })

	flag("internal_is_usock", "k", "a unix socket between nginx and nvsessd, default true", func(o *Options) *bool { return &o.InternalIsSocket })
	file("internal_usock", "u", "path of the unix socket, default ./___usock___", "./___usock___", checkSocket, func(o *Options) *string { return &o.InternalSocket })
	add(option{name: "internal_ip", short: "i", help: "nvsessd's address, default 127.0.0.1, useless with a unix socket", emptyIsDefault: true,
		set: str(func(o *Options) *string { return &o.InternalIP }, checkHost), literal: literal("'127.0.0.1'")})
	add(option{name: "internal_port", short: "p", help: "nvsessd's port, default 65512, useless with a unix socket", emptyIsDefault: true,
		set: port(func(o *Options) *int { return &o.InternalPort }), literal: literal("65512")})
	add(option{name: "internal_route", short: "r", help: `path nginx asks nvsessd for, default "/", useless with a unix socket`, emptyIsDefault: true,
		set: str(func(o *Options) *string { return &o.InternalRoute }, checkRoute), literal: literal("'/'")})
	flag("internal_ssl", "S", "TLS to nvsessd, default false, useless with a unix socket", func(o *Options) *bool { return &o.InternalTLS })
	file("internal_ssl_cert", "C", "nvsessd's certificate, default ./ssl.crt", "./ssl.crt", checkFile, func(o *Options) *string { return &o.InternalCert })
	file("internal_ssl_key", "K", "its key, default ./ssl.key", "./ssl.key", checkFile, func(o *Options) *string { return &o.InternalKey })

	add(option{name: "nginx_user", short: "U", help: "user nginx runs as, whose group may connect to the unix socket, default www-data",
		set: str(func(o *Options) *string { return &o.NginxUser }, checkAccount), literal: literal("'www-data'")})
	add(option{name: "sec_websocket_protocol", short: "c", help: "subprotocol, or several with commas between, default undefined", emptyIsDefault: true,
		set: func(o *Options, v string) (err error) {
			o.Subprotocols, err = checkSubprotocols(v)
			return err
		}, literal: literal("undefined")})
	flag("forward", "F", "each message goes to all other sessions, default false", func(o *Options) *bool { return &o.Forward })
	add(option{name: "creat_func_name", short: "n", help: "name of the page's function, default bwsess_connect",
		set: str(func(o *Options) *string { return &o.Function }, checkFunction), literal: literal("'bwsess_connect'")})

	add(option{name: "nginx_version", help: "nginx to write for, default the installed one", emptyIsDefault: true,
		set: func(o *Options, v string) (err error) {
			o.NginxVersion, err = checkNginxVersion(v)
			return err
		}})
	flag("self_signed", "", "make the certificate and its key, for tests", func(o *Options) *bool { return &o.SelfSigned })
	add(option{name: "dir", short: "d", help: "directory to write to, default the current one", set: str(func(o *Options) *string { return &o.Dir }, checkDir)})
	add(option{name: "output", short: "o", help: "file to write to, default standard output", set: str(func(o *Options) *string { return &o.Output }, checkFile)})
	flag("force", "f", "overwrite files that exist", func(o *Options) *bool { return &o.Force })
	flag("module", "", "as an ES module", func(o *Options) *bool { return &o.Module })
	flag("types", "", "its types, for TypeScript", func(o *Options) *bool { return &o.Types })
	for _, name := range []string{"self_signed", "force", "module", "types"} {
		table[name].ours = true
	}
	return table
}

func checkDir(s string) (string, error) {
	if err := plain(s); err != nil {
		return "", fmt.Errorf("the path %w", err)
	}
	return filepath.Abs(s)
}

// usage is the option's line in the help.
func (o *option) usage() string {
	short := "    "
	if o.short != "" {
		short = "-" + o.short + ", "
	}
	return fmt.Sprintf("    %s%-32s%s\n", short, "--"+o.name, o.help)
}

// label names the option in a message.
func (o *option) label() string {
	if o.short == "" {
		return "--" + o.name
	}
	return "-" + o.short + " (--" + o.name + ")"
}

// settle fills in the paths that depend on the directory, and checks what options are worth together.
func (o *Options) settle(names []string) error {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return err
	}
	o.Dir = dir
	for _, name := range names {
		opt := optionTable[name]
		if o.given[name] || opt.literal == nil || !strings.HasPrefix(opt.literal(o), "'./") {
			continue
		}
		if name == "internal_usock" && !o.InternalIsSocket || strings.HasPrefix(name, "internal_ssl") && !o.InternalTLS ||
			strings.HasPrefix(name, "external_ssl") && !o.ExternalTLS {
			continue // it is not used
		}
		path := filepath.Join(dir, strings.Trim(opt.literal(o), "'"))
		if err := opt.set(o, path); err != nil {
			return usageErrorf("%q: %w; %s names another", path, err, opt.label())
		}
	}
	if o.HTTP2 && !o.ExternalTLS {
		return usageErrorf("-T needs -S: without TLS some nginx speak nothing but HTTP/2 where they speak it, and WebSocket is not spoken over it")
	}
	return nil
}
