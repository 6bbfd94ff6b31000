package manual

import (
	"fmt"
	"strings"
	"time"

	"github.com/nvsess/nvsess/internal/admin"
)

// Source is what the pages are made of.
type Source struct {
	Version string
	Date    time.Time
	// What the programs print for "-help", and nvsessctl for the commands that need no daemon.
	Daemon, Control, Connect, Test, Profile, Gen, Completion string
	// Config is configs/nvsess.toml.
	Config string
}

// Pages are the man pages, by the names of their files.
func Pages(s *Source) map[string]string {
	return map[string]string{"nvsessd.8": s.daemon(), "nvsessctl.1": s.control(), "nvsess.toml.5": s.config()}
}

func (s *Source) daemon() string {
	p := newPage("NVSESSD", "8", s.Version, s.Date)
	p.section("Name")
	p.WriteString("nvsessd \\- keeps WebSocket sessions, usually behind nginx\n")
	p.section("Synopsis")
	p.code([]string{"nvsessd [OPTIONS]"})
	p.section("Description")
	about, options := cutBefore(s.Daemon, "  -")
	p.helpText(about)
	p.section("Options")
	list, rest, _ := strings.Cut(options, "\n\n")
	p.helpText(list)
	p.section("Sockets and signals")
	p.helpText(rest)
	p.section("As a service")
	p.markdown(service, 2)
	p.section("Exit status")
	p.item("0", "it was told to end, and everybody was told so")
	p.item("1", "it could not go on, or was told a second time to end")
	p.item("2", "its command line or its configuration makes no sense; standard error says which line and what is allowed")
	p.section("Files")
	p.item("/etc/nvsess/nvsess.toml", "the configuration: nvsess.toml(5)")
	p.item("/run/nvsess/nvsess.sock", "where sessions connect, for nginx")
	p.item("/run/nvsess/admin.sock", "where operators do, for nvsessctl(1)")
	p.item("/usr/share/doc/nvsess/examples/nginx.conf", "the nginx side, each line with its reason")
	p.section("See also")
	p.text("`nvsessctl`(1), `nvsess.toml`(5), `systemd.socket`(5), `nginx`(8)")
	return p.String()
}

const service = "The packages bring three units: `nvsessd.service`, and `nvsessd.socket` and `nvsessd-admin.socket`, which listen for it and outlive it. " +
	"`systemctl reload nvsessd` and `systemctl restart nvsessd` are for what has changed, `systemctl stop nvsessd` leaves sockets that start it " +
	"again when somebody connects; to keep it down, stop the sockets too. `journalctl -u nvsessd` has its log.\n\n" +
	"It runs as the user `nvsess`. Operators are the members of the group `nvsess`: `usermod -aG nvsess NAME`."

func (s *Source) control() string {
	p := newPage("NVSESSCTL", "1", s.Version, s.Date)
	p.section("Name")
	p.WriteString("nvsessctl \\- commands a running nvsessd, and is a WebSocket client\n")
	p.section("Synopsis")
	p.code(synopsis(s.Control))
	head := admin.ReferenceHead()
	intro, sections, _ := strings.Cut(head, "\n## ")
	p.section("Description")
	p.markdown(intro, 2)
	p.section("Options")
	_, options := cutBefore(s.Control, "  -s")
	options, _, _ = strings.Cut(options, "\n\n")
	p.helpText(options)
	p.markdown("## "+sections, 2)
	p.section("Commands")
	for _, group := range admin.Groups {
		p.subsection(group)
		for _, c := range admin.Commands() {
			if c.Group == group && !c.Hidden {
				p.command(c)
			}
		}
	}
	for _, own := range []struct{ title, text string }{
		{"A client: connect", s.Connect}, {"Thousands of clients: tst", s.Test}, {"Profiles: pprof", s.Profile},
		{"Files: gen", s.Gen}, {"Shells: completion", s.Completion},
	} {
		p.section(own.title)
		p.code(synopsis(own.text))
		p.helpText(own.text)
	}
	p.section("Environment")
	p.item("NVSESS_ADMIN", "the daemon's admin socket, unless -s names one")
	p.item("PAGER", "shows what is longer than the screen; without, less")
	p.item("NO_COLOR", "if it is not empty, nothing is coloured")
	p.item("XDG_RUNTIME_DIR, XDG_STATE_HOME", "where the user's daemon has its socket, and where the console keeps its history")
	p.section("Files")
	p.item("/run/nvsess/admin.sock", "the system's daemon; members of the group nvsess may connect")
	p.item("$XDG_STATE_HOME/nvsess/history", "the console's history; without that variable, below ~/.local/state")
	p.section("See also")
	p.text("`nvsessd`(8), `nvsess.toml`(5)")
	return p.String()
}

// command is one of the table: how it is written, what it does, its arguments one step further in.
func (p *page) command(c *admin.Command) {
	p.item(c.Usage(), literal(upperFirst(c.Summary)+".\n"+c.Help))
	if len(c.Aliases) > 0 {
		p.WriteString(".IP\nAlso: " + escape(strings.Join(c.Aliases, ", ")) + "\n")
	}
	if len(c.Args) > 0 {
		p.WriteString(".RS\n")
		for i := range c.Args {
			p.item(c.Args[i].Label(), literal(c.Args[i].Description()))
		}
		p.WriteString(".RE\n")
	}
	if len(c.Examples) > 0 {
		var lines []string
		for _, e := range c.Examples {
			if e.Note != "" {
				lines = append(lines, "# "+upperFirst(e.Note)+":")
			}
			lines = append(lines, e.Line)
		}
		p.WriteString(".RS\n")
		p.code(lines)
		p.WriteString(".RE\n")
	}
}

func (s *Source) config() string {
	p := newPage("NVSESS.TOML", "5", s.Version, s.Date)
	p.section("Name")
	p.WriteString("nvsess.toml \\- the configuration of nvsessd\n")
	p.section("Synopsis")
	p.code([]string{"/etc/nvsess/nvsess.toml", "nvsessd -config FILE"})
	p.section("Description")
	head, rest, _ := strings.Cut(s.Config, "\n\n")
	p.configuration(head)
	p.text("Below each key stands with its default. `nvsessd -check -config FILE` says whether a file is right.")
	p.section("Keys")
	p.configuration(rest)
	p.section("See also")
	p.text("`nvsessd`(8), `nvsessctl`(1); docs/ of the source, `/usr/share/doc/nvsess` of the packages")
	return p.String()
}

// cutBefore cuts a text before the first line that begins so.
func cutBefore(text, prefix string) (before, after string) {
	if i := strings.Index(text, "\n"+prefix); i >= 0 {
		return text[:i+1], text[i+1:]
	}
	panic(fmt.Sprintf("manual: no line begins with %q in %q", prefix, text))
}

func upperFirst(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}
