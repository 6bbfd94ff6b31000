package admin

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	gobwas "github.com/gobwas/ws"
	"github.com/gobwas/ws/wsutil"
	"github.com/nvsess/nvsess/internal/await"
	"github.com/nvsess/nvsess/internal/leak"
	"github.com/nvsess/nvsess/internal/session"
	"github.com/nvsess/nvsess/internal/ws"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// patience is how long a test waits for what must happen before it calls it lost.
const patience = time.Minute

// TestMain fails when a goroutine or a socket outlives the tests.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, "nvsess/internal")) }

// testDaemon is a session server and an admin server on real sockets, as nvsessd wires them.
type testDaemon struct {
	t        *testing.T
	sessions *session.Server
	server   *Server
	client   *Client
	admin    string // socket
	clients  string // socket
	log      *await.Buffer
	level    string
}

func startDaemon(t *testing.T, set func(*Options)) *testDaemon {
	t.Helper()
	dir := t.TempDir()
	d := &testDaemon{t: t, admin: filepath.Join(dir, "admin.sock"), clients: filepath.Join(dir, "ws.sock"), log: new(await.Buffer), level: "info"}
	log := zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), d.log, zap.DebugLevel))
	var err error
	d.sessions, err = session.NewServer(session.Options{Mode: "handlers", AskTimeout: patience, Log: log, WS: ws.Options{QueueBytes: 1 << 16, Mounts: []*ws.Mount{{Origins: []string{"same"}}}}})
	if err != nil {
		t.Fatal(err)
	}
	wsListener := listen(t, d.clients)
	f, err := wsListener.(*net.UnixListener).File()
	if err != nil {
		t.Fatal(err)
	}
	if err := d.sessions.Start([]*ws.Listener{{FD: int(f.Fd()), Network: "unix"}}); err != nil {
		t.Fatal(err)
	}
	o := Options{
		Sessions: d.sessions, Log: log, Version: "1.2.3-test",
		Config:   func() any { return map[string]any{"mode": "handlers"} },
		LogLevel: func() string { return d.level },
		SetLogLevel: func(l string) error {
			d.level = l
			return nil
		},
	}
	if set != nil {
		set(&o)
	}
	d.server = NewServer(o)
	adminListener := listen(t, d.admin)
	served := make(chan error, 1)
	go func() { served <- d.server.Serve(adminListener) }()
	d.client = NewClient(d.admin)
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if err := d.server.Close(); err != nil {
			t.Error(err)
		}
		if err := <-served; err != nil {
			t.Error(err)
		}
		if err := d.sessions.Shutdown(ctx, 1001, "test over"); err != nil {
			t.Error(err)
		}
		f.Close()
		wsListener.Close()
	})
	return d
}

func listen(t *testing.T, path string) net.Listener {
	t.Helper()
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	return ln
}

// peer is a WebSocket client.
type peer struct {
	t    *testing.T
	conn net.Conn
	id   string // of its session
}

// connect opens a session and waits until the server has it.
func (d *testDaemon) connect(path string, header gobwas.HandshakeHeaderHTTP) *peer {
	d.t.Helper()
	before := map[string]bool{}
	for _, s := range d.sessions.Sessions() {
		before[s.ID()] = true
	}
	dialer := gobwas.Dialer{
		Header:  header,
		NetDial: func(ctx context.Context, _, _ string) (net.Conn, error) { return net.Dial("unix", d.clients) },
	}
	conn, _, _, err := dialer.Dial(context.Background(), "ws://localhost"+path)
	if err != nil {
		d.t.Fatal(err)
	}
	d.t.Cleanup(func() { conn.Close() })
	p := &peer{t: d.t, conn: conn}
	eventually(d.t, "the session to be there", func() bool {
		for _, s := range d.sessions.Sessions() {
			if !before[s.ID()] {
				p.id = s.ID()
			}
		}
		return p.id != ""
	})
	return p
}

// eventually waits for what nobody tells.
var eventually = await.That

// read returns the next message, answering control frames on the way.
func (p *peer) read() (string, gobwas.OpCode) {
	p.t.Helper()
	_ = p.conn.SetReadDeadline(time.Now().Add(patience))
	data, op, err := wsutil.ReadServerData(p.conn)
	if err != nil {
		p.t.Fatal(err)
	}
	return string(data), op
}

func (p *peer) write(text string) {
	p.t.Helper()
	if err := wsutil.WriteClientText(p.conn, []byte(text)); err != nil {
		p.t.Fatal(err)
	}
}

// answer answers the next request with data.
func (p *peer) answer(data string) {
	p.t.Helper()
	text, _ := p.read()
	var e struct {
		Type string `json:"___type___"`
		ID   string `json:"___id___"`
	}
	if err := json.Unmarshal([]byte(text), &e); err != nil || e.Type != "___sreq___" {
		p.t.Fatalf("not a request: %s", text)
	}
	p.write(fmt.Sprintf(`{"___type___":"___cres___","___id___":%q,"___data___":%s}`, e.ID, data))
}

// call carries out a line as the console would, and returns what it prints.
func (d *testDaemon) call(line string) (string, error) {
	d.t.Helper()
	inv, err := ParseLine(line)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	var out strings.Builder
	_, err = d.client.Do(ctx, inv, NewPrinter(&out), nil)
	return out.String(), err
}

// must is call of what has to succeed.
func (d *testDaemon) must(line string) string {
	d.t.Helper()
	out, err := d.call(line)
	if err != nil {
		d.t.Fatalf("%s: %v", line, err)
	}
	return out
}

// nextRequest reads a message; id is that of a request, or "".
func (p *peer) nextRequest() (id string, err error) {
	data, _, err := wsutil.ReadServerData(p.conn)
	if err != nil {
		return "", err
	}
	var e struct {
		Type string `json:"___type___"`
		ID   string `json:"___id___"`
	}
	if json.Unmarshal(data, &e) == nil && e.Type == "___sreq___" {
		return e.ID, nil
	}
	return "", nil
}
