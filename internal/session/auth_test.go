package session

import (
	"encoding/json"
	"fmt"
	"maps"
	"runtime"
	"strings"
	"testing"
	"unsafe"

	gobwas "github.com/gobwas/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/ws"
)

// badges lets in whose X-Badge says "ok NAME", and refuses by the reason that it
// says in place of that.
type badges struct{}

func (badges) Authenticate(r *ws.Request) (*Identity, *AuthRefusal) {
	badge := string(r.Get("X-Badge"))
	if name, ok := strings.CutPrefix(badge, "ok "); ok {
		return &Identity{Name: name, Method: AuthJWT, Claims: json.RawMessage(`{"sub":"` + name + `","n":1e400,"<":"&"}`)}, nil
	}
	for reason := range authReasons {
		if badge == reason.String() {
			return nil, &AuthRefusal{reason, "a \u202edetail"}
		}
	}
	return nil, &AuthRefusal{Reason: AuthMissing}
}

func (badges) Slow(r *ws.Request) bool { return r.Get("X-Slow") != nil }

// Who shows no token gets in only where none is required; who shows a wrong one
// gets in nowhere, and is told nothing.
func TestAuthModes(t *testing.T) {
	for mode, want := range map[AuthMode]map[string]int{
		AuthOff:      {"": 101, "ok ada": 101, "expired": 101},
		AuthOptional: {"": 101, "ok ada": 101, "expired": 401, "malformed": 401},
		AuthRequired: {"": 401, "ok ada": 101, "expired": 401, "malformed": 401},
	} {
		h := start(t, func(o *Options) { o.Auth, o.AuthMode = badges{}, mode })
		for badge, code := range want {
			status(t, h.knock(t, withHeader("X-Badge: "+badge)), code)
		}
	}
	// A mount has its own.
	h := start(t, func(o *Options) {
		m := o.WS.Mounts[0]
		o.Auth = badges{}
		for path, mode := range map[string]AuthMode{"/": AuthRequired, "/open": AuthOff, "/any/*": AuthOptional} {
			at := &ws.Mount{Paths: []string{path}, Origins: m.Origins, Limits: m.Limits}
			o.Mounts = append(o.Mounts, Mount{at, "echo", mode})
		}
	})
	for path, want := range map[string][3]int{"/": {401, 101, 401}, "/open": {101, 101, 101}, "/any/x": {101, 101, 401}} {
		for i, badge := range []string{"", "ok ada", "expired"} {
			status(t, h.knock(t, withHeader("X-Badge: "+badge), func(o *dialing) { o.path = path }), want[i])
		}
	}
	if _, err := NewServer(Options{Mode: "echo", AuthMode: AuthOptional}); err != errNoAuthenticator {
		t.Error(err)
	}
}

// All refusals look alike to the client, and are told apart for the operator.
func TestAuthRefusals(t *testing.T) {
	logged := new(await.Buffer)
	h := start(t, func(o *Options) {
		o.Auth, o.AuthMode = badges{}, AuthRequired
		o.Log = zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), logged, zap.DebugLevel))
	})
	h.SetVerifier("doorman", doorman(func(h *Handshake) { t.Error("a verifier is asked"); h.Accept() }))
	want := map[string]uint64{}
	answers := map[string]bool{}
	for reason := range authReasons {
		answer := h.http(t, "GET /?x HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nX-Badge: "+reason.String()+
			"\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
		answer.Header.Del("Date") // another second may have begun
		answers[fmt.Sprint(answer.Status, answer.Header, answer.body)] = true
		if answer.StatusCode != 401 || answer.Header.Get("WWW-Authenticate") != "Bearer" {
			t.Errorf("%s: %s %v", reason, answer.Status, answer.Header)
		}
		want[reason.String()] = 1
	}
	if len(answers) != 1 {
		t.Errorf("the answers differ: %v", answers)
	}
	st := h.Stats()
	if !maps.Equal(st.AuthRefused, want) || len(want) != int(authReasons) || st.Refused["401"] != uint64(len(want)) || st.Opens != 0 {
		t.Errorf("%v, %v", st.AuthRefused, st.Refused)
	}
	log := logged.String()
	for reason := range authReasons {
		if !strings.Contains(log, `"msg":"not authenticated","reason":"`+reason.String()+`","detail":"a \\u202edetail"`) {
			t.Errorf("%s is not in the log: %s", reason, log)
		}
	}
}

// Who somebody is, is known to verifiers and, for as long as the session lives,
// to whoever asks for its record.
func TestIdentityIsInTheRecord(t *testing.T) {
	h := start(t, func(o *Options) { o.Auth, o.AuthMode = badges{}, AuthOptional })
	g := make(gate, 10)
	h.SetVerifier("gate", g)
	for badge, want := range map[string]string{
		"ok ada": `{"name":"ada","method":"jwt","claims":{"sub":"ada","n":1e400,"<":"&"}}`,
		"":       `null`,
	} {
		dialled := make(chan *peer, 1)
		go func() {
			p, err := h.tryDial(withHeader("X-Badge: " + badge))
			if err != nil {
				t.Error(err)
			}
			dialled <- p
		}()
		shake := g.next(t)
		auth := func(r *RequestRecord) string {
			var b strings.Builder
			enc := json.NewEncoder(&b)
			enc.SetEscapeHTML(false)
			if err := enc.Encode(r.Auth); err != nil {
				t.Error(err)
			}
			return strings.TrimSpace(b.String())
		}
		if got := auth(shake.Request()); got != want {
			t.Errorf("a verifier sees %s, not %s", got, want)
		}
		shake.Accept()
		p := <-dialled
		eventually(t, "the session is there", func() bool { return h.Len() == 1 })
		s := h.At(0)
		if got := auth(s.Request()); got != want || (s.Identity() == nil) != (want == "null") {
			t.Errorf("the record has %s, not %s", got, want)
		}
		p.conn.Close()
		eventually(t, "the session is gone", func() bool { return h.Stats().Connections == 0 })
	}
}

// A session pays a pointer for all this; 176 bytes are one of the sizes that the
// runtime allocates.
func TestSessionSize(t *testing.T) {
	if n := unsafe.Sizeof(Session{}); n > 176 {
		t.Errorf("a Session takes %d bytes", n)
	}
	t.Logf("a Session takes %d bytes", unsafe.Sizeof(Session{}))
}

// slowly is badges whose slow ones wait to be told.
type slowly struct {
	badges
	began   chan struct{}
	release chan struct{}
}

func (s slowly) Authenticate(r *ws.Request) (*Identity, *AuthRefusal) {
	if r.Get("X-Slow") != nil {
		s.began <- struct{}{}
		<-s.release
	}
	return s.badges.Authenticate(r)
}

// What is slow to judge keeps no event loop: others connect, talk and are
// refused meanwhile. It comes out as the rest does, and verifiers are asked.
func TestSlowAuthentication(t *testing.T) {
	slow := slowly{began: make(chan struct{}, 100), release: make(chan struct{})}
	h := start(t, func(o *Options) { o.Auth, o.AuthMode, o.WS.Loops, o.Mode = slow, AuthRequired, 1, "echo" })
	for _, verified := range []bool{false, true} {
		g := make(gate, 10)
		if verified {
			h.SetVerifier("gate", g)
		}
		for badge, want := range map[string]int{"ok ada": 101, "signature": 401} {
			got := h.knock(t, withHeader("X-Badge: "+badge, "X-Slow: 1"))
			<-slow.began
			if n := h.undecided(); n != 1 {
				t.Errorf("%d undecided", n)
			}
			status(t, h.knock(t, withHeader("X-Badge: expired")), 401)
			slow.release <- struct{}{}
			if verified && want == 101 {
				shake := g.next(t)
				if id := shake.Request().Auth; id == nil || id.Name != "ada" {
					t.Errorf("a verifier sees %+v", id)
				}
				shake.Accept()
			}
			status(t, got, want)
		}
	}
	h.SetVerifier("gate", nil)
	dialled := make(chan *peer, 1)
	go func() {
		p, err := h.tryDial(withHeader("X-Badge: ok grace", "X-Slow: 1"))
		if err != nil {
			t.Error(err)
		}
		dialled <- p
	}()
	<-slow.began
	other := h.dial(t, withHeader("X-Badge: ok ada"))
	other.text("meanwhile")
	other.want(gobwas.OpText, "meanwhile")
	slow.release <- struct{}{}
	p := <-dialled
	eventually(t, "both are there", func() bool { return h.Len() == 2 })
	if id := h.Last().Identity(); id == nil || id.Name != "grace" {
		t.Errorf("%+v", id)
	}
	p.conn.Close()
	if n := h.undecided(); n != 0 {
		t.Errorf("%d undecided", n)
	}
}

// A flood of them is bounded in work and in number.
func TestSlowAuthenticationIsBounded(t *testing.T) {
	slow := slowly{began: make(chan struct{}, 1000), release: make(chan struct{})}
	h := start(t, func(o *Options) {
		o.Auth, o.AuthMode, o.MaxVerifying, o.VerifyTimeout = slow, AuthRequired, 8, patience
	})
	var answers []<-chan int
	for range 8 {
		answers = append(answers, h.knock(t, withHeader("X-Badge: ok ada", "X-Slow: 1")))
	}
	eventually(t, "all are being decided about", func() bool { return h.undecided() == 8 })
	status(t, h.knock(t, withHeader("X-Badge: ok ada", "X-Slow: 1")), 503)
	<-slow.began
	if workers := max(1, runtime.GOMAXPROCS(0)/2); len(slow.began) > workers-1 {
		t.Errorf("%d work on it", len(slow.began)+1)
	}
	close(slow.release)
	for _, a := range answers {
		status(t, a, 101)
	}
}
