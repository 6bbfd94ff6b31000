package attacks

import (
	"crypto/tls"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nvsess/nvsess/internal/selfsigned"
)

// A thousand sessions whose requests are as heavy as may be, with thousands of
// parameters and cookies each, cost their bytes: nothing of them is taken apart
// before somebody asks, and who asks holds up nobody.
func TestHeavyRequests(t *testing.T) {
	t.Parallel()
	const n, heavy = 500, 15_000
	attack(t, setting{}, 64*mebi, func(d *daemon) {
		var keys strings.Builder
		for i := 0; keys.Len() < heavy; i++ {
			fmt.Fprintf(&keys, "%x=&", i)
		}
		var peers []*peer
		for i := range n {
			p := d.raw("unix")
			if i%2 == 0 {
				p.upgrade(request("/?" + keys.String()))
			} else {
				p.upgrade(request("/", "Cookie: "+strings.Repeat("a=b;", heavy/4)))
			}
			peers = append(peers, p)
		}
		t.Logf("%d MiB for %d sessions", d.memory("VmRSS")/mebi, n)
		var asking sync.WaitGroup
		for _, ask := range []struct {
			command string
			args    map[string]any
		}{{"sesses", map[string]any{"limit": 100}}, {"sess_filter", map[string]any{"expr": "query.b=x"}}, {"sess_filter", map[string]any{"expr": "cookie.b=x"}}} {
			asking.Go(func() {
				began := time.Now()
				if err := d.call(ask.command, ask.args, nil); err != nil {
					t.Errorf("%s: %v", ask.command, err)
				}
				t.Logf("%s %v took %v", ask.command, ask.args, time.Since(began))
			})
		}
		asking.Wait()
		for _, p := range peers {
			p.Close()
		}
	})
}

// TLS listeners, which are for tests, have the same deadline: peers that say
// nothing, half a hello, something else than TLS, or nothing inside of it, are
// gone when it is over.
func TestTLSThatNeverSpeaks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	selfsigned.Files(t, dir, "localhost")
	config := fmt.Sprintf("tls_cert = %q\ntls_key = %q\n[handshake]\ntimeout = \"2s\"\n[close]\ntimeout = \"500ms\"", filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	attack(t, setting{config: config}, 48*mebi, func(d *daemon) {
		const each = 60
		var peers []*peer
		for range each {
			d.raw("tcp") // says nothing
			half := d.raw("tcp")
			half.write([]byte("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"))
			plain := d.raw("tcp")
			plain.write([]byte(handshake))
			inside := d.raw("tcp")
			secure := tls.Client(inside.Conn, &tls.Config{InsecureSkipVerify: true})
			if err := secure.Handshake(); err != nil {
				t.Fatal(err)
			}
			if _, err := io.WriteString(secure, handshake[:50]); err != nil {
				t.Fatal(err)
			}
			peers = append(peers, half, plain, inside)
		}
		for _, p := range peers {
			p.rest() // it ends
			p.Close()
		}
	})
}
