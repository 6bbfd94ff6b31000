package script

import (
	"crypto/tls"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/selfsigned"
)

// lines listens to what scripts write.
func (st *stage) lines() func() []string {
	out := st.Output(100)
	st.t.Cleanup(out.Stop)
	return func() (got []string) {
		st.js("console.log('a mark')")
		for {
			select {
			case l := <-out.Lines():
				if l.Text == "a mark" {
					return got
				}
				got = append(got, l.Level+" "+l.Text)
			case <-time.After(patience):
				st.t.Fatal("the mark does not come")
			}
		}
	}
}

func TestStartOpensNothing(t *testing.T) {
	st := newStage(t, script(func(o *Options) {
		o.Listeners = func() []Listener {
			return []Listener{{Network: "unix", Address: "/run/s"}, {Network: "tcp", Address: "127.0.0.1:8888"}}
		}
	}))
	written := st.lines()

	// nv-session-simple's first example.
	st.js(`const { DFLT_SRV_CFG } = require("nv-session-simple")
var srv = new Server(DFLT_SRV_CFG)
fs.unlinkSync("___usock___");
await srv.start("___usock___");
srv.enable_forward();`)
	want := []string{
		"warn fs.unlinkSync removes nothing at ___usock___: scripts have no files; a socket that is left over is removed when the daemon starts",
		"warn already listening at unix:/run/s, tcp:127.0.0.1:8888; script.listen is off, so nothing is opened at ___usock___",
	}
	if got := written(); !slices.Equal(got, want) {
		t.Errorf("written: %q", got)
	}
	if got := st.srv.Mode(); got != "forward" {
		t.Errorf("the mode is %s", got)
	}

	st.js("await srv.close()")
	if _, err := st.tryJoin("/"); err == nil {
		t.Error("the server is closed, and lets in")
	}
	st.is("await srv.start('___usock___') === srv", "true")
	st.join()
	if got := written(); len(got) != 0 {
		t.Errorf("written again: %q", got)
	}

	st.fails("await srv.start(8889, undefined, 'https')", "set script.listen")
	const text = "scripts may not open listeners (already listening at unix:/run/s, tcp:127.0.0.1:8888): set script.listen"
	for _, address := range []string{"'/run/other'", "8889", "'8889'", "'localhost:8889'", "'x', undefined, 'https', { key: 'k', cert: 'c' }"} {
		st.fails("await srv.start("+address+")", text)
	}
	for _, path := range []string{"'/run/s'", "''", "", "{}"} {
		st.fails("fs.unlinkSync("+path+")", "scripts have no files")
	}
	st.is("(await srv.start('/run/s')) === srv && (await srv.start(8888)) === srv", "true")
}

// TestStartHTTPS: nv-session-simple's example gives no certificate.
func TestStartHTTPS(t *testing.T) {
	var opened []string
	cert, key := selfsigned.PEM(t, "localhost")
	st := newStage(t, script(func(o *Options) {
		o.Listen = func(address string, conf *tls.Config) error {
			if conf != nil {
				address += fmt.Sprintf(" with %d certificate", len(conf.Certificates))
			}
			opened = append(opened, address)
			return nil
		}
		o.SelfSigned = func() ([]byte, []byte, error) { return []byte(cert), []byte(key), nil }
	}))
	written := st.lines()
	st.js("await srv.start(8888,undefined,'https');")
	if got := written(); len(got) != 1 || !strings.HasPrefix(got[0], "warn the certificate at :8888 was made for this") {
		t.Errorf("written: %q", got)
	}
	st.js("await srv.start(8889, undefined, 'https', { cert: " + strconv.Quote(cert) + ", key: " + strconv.Quote(key) + " })")
	st.js("await srv.start(8890, undefined, 'http')")
	if got := written(); len(got) != 0 {
		t.Errorf("written: %q", got)
	}
	st.fails("await srv.start(8891, undefined, 'https', { cert: 'c' })", "https takes {key, cert}, both PEM")
	st.fails("await srv.start(8891, undefined, 'spdy')", "http or https, not 'spdy'")
	if want := []string{":8888 with 1 certificate", ":8889 with 1 certificate", ":8890"}; !slices.Equal(opened, want) {
		t.Errorf("opened %q", opened)
	}
}

// TestStartNowhere: a daemon that does not listen is not said to.
func TestStartNowhere(t *testing.T) {
	st := newStage(t)
	st.fails("await srv.start('___usock___')", "listening nowhere")
}

// TestRequireOfAFile: nv-session-simple's users have ./srv and ./iclient.
func TestRequireOfAFile(t *testing.T) {
	st := newStage(t)
	st.fails("await require('./iclient')()", "handlers come from the file that the configuration names, and clients run in Node.js")
	st.fails("require('net')", "Cannot find module 'net': scripts have nv-session-simple, buffer, url and util")
}

// TestErrorsHaveNoPackage: what Go packages put before their errors is not shown.
func TestErrorsHaveNoPackage(t *testing.T) {
	st := newStage(t)
	st.join()
	e := st.fails("srv.fst_sess().conn_.close(5, 'x')", "Error: close code must be")
	if e.Line != 1 {
		t.Errorf("it is at %s:%d", e.File, e.Line)
	}
	st.fails("srv.fst_sess().conn_.close(1000, 'x'.repeat(124))", "Error: close reason is longer")
	st.is("try { srv.fst_sess().conn_.close(5) } catch (e) { e.message.slice(0, 10) }", "'close code'")
}
