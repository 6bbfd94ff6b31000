package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/nvsess/nvsess/internal/admin"
)

// sample is a metric's value in a scrape, for one that has no labels.
func sample(t *testing.T, text []byte, name string) float64 {
	t.Helper()
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		t.Fatalf("%v in\n%s", err, text)
	}
	f := families[name]
	if f == nil {
		t.Fatalf("there is no %s in\n%s", name, text)
	}
	m := f.GetMetric()[0]
	return m.GetCounter().GetValue() + m.GetGauge().GetValue()
}

// Metrics are told on the admin socket and at an address, where there is nothing
// else; and who is slow there does not keep the daemon from ending.
func TestMetrics(t *testing.T) {
	t.Parallel()
	p := launch(t, append(configured(t, "[metrics]\nlisten = \"tcp:127.0.0.1:0\"\n"), "-mode", "echo"))
	p.Logged("ready")
	addr := ""
	for l := range strings.Lines(p.Said()) {
		if _, rest, ok := strings.Cut(l, `"msg":"metrics","listen":"`); ok {
			addr, _, _ = strings.Cut(rest, `"`)
		}
	}
	if addr == "" {
		t.Fatal("the address is not told")
	}
	g := visit(t, "ws+unix://"+p.socket("nvsess.sock"))
	g.say(t, "hello")
	g.hears(t, "hello")
	for where, c := range map[string]*http.Client{"http://nvsessd": overSocket(p), "http://" + addr: browser(t, false, func() (net.Conn, error) { return net.Dial("tcp", addr) })} {
		resp, text := fetch(t, c, "GET", where+"/metrics", nil)
		if resp.StatusCode != 200 || !strings.HasPrefix(resp.Header.Get("Content-Type"), "text/plain") {
			t.Fatalf("%s: %v %s", where, resp.Status, text)
		}
		for name, want := range map[string]float64{"nvsess_sessions": 1, "nvsess_opens_total": 1, "nvsess_log_lines_lost_total": 0, "nvsess_message_memory_limit_bytes": 1 << 30} {
			if got := sample(t, text, name); got != want {
				t.Errorf("%s: %s is %v", where, name, got)
			}
		}
		for _, name := range []string{"process_open_fds", "go_goroutines", "nvsess_build_info"} {
			if sample(t, text, name) < 1 {
				t.Errorf("%s: %s", where, name)
			}
		}
		if resp, _ := fetch(t, c, "POST", where+"/metrics", strings.NewReader("x")); resp.StatusCode != 405 || !strings.Contains(resp.Header.Get("Allow"), "GET") {
			t.Errorf("%s: a POST: %v", where, resp.Status)
		}
	}
	c := browser(t, false, func() (net.Conn, error) { return net.Dial("tcp", addr) })
	for _, path := range []string{"/", "/v1/stats", "/v1/sesses", "/debug/pprof/", "/debug/pprof/heap", "/metrics/", "/healthz"} {
		if resp, text := fetch(t, c, "GET", "http://"+addr+path, nil); resp.StatusCode != 404 || len(text) > 100 {
			t.Errorf("%s: %v %s", path, resp.Status, text)
		}
	}
	req, _ := http.NewRequest("GET", "http://"+addr+"/metrics", nil)
	req.Header.Set("Origin", "http://evil.example")
	if resp, err := c.Do(req); err != nil || resp.StatusCode != 403 {
		t.Errorf("a page: %v %v", resp, err)
	}
	if strings.Contains(p.Said(), "a loopback one is safer") {
		t.Error("it warns of a loopback address")
	}
	// Half a request, and many of them.
	for range 40 {
		conn, err := net.Dial("tcp", addr)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		fmt.Fprint(conn, "GET /metrics HTTP/1.1\r\n")
	}
	p.Signal(syscall.SIGTERM)
	g.isClosed(t, 1001, goodbye)
	p.Ends(0)
	p.noSockets()
}

// An address that cannot be listened at is said, and the daemon does not start
// half.
func TestMetricsAddressInUse(t *testing.T) {
	t.Parallel()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	p := launch(t, configured(t, fmt.Sprintf("[metrics]\nlisten = \"tcp:%s\"\n", ln.Addr())))
	p.Ends(1)
	if !strings.Contains(p.Said(), "metrics.listen") || !strings.Contains(p.Said(), "in use by another process") {
		t.Error(p.Said())
	}
	p.noSockets()
}

// Profiles are the runtime's, for who may command the daemon.
func TestProfiles(t *testing.T) {
	t.Parallel()
	p := launch(t, nil)
	p.Logged("ready")
	client := admin.NewClient(p.socket("admin.sock"))
	for _, name := range []string{"profile", "heap", "goroutine", "allocs", "block", "mutex"} {
		var b bytes.Buffer
		seconds := 0
		if name == "profile" || name == "block" || name == "mutex" {
			seconds = 1
		}
		if err := client.Profile(t.Context(), name, seconds, &b); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		prof, err := profile.Parse(&b)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if err := prof.CheckValid(); err != nil || len(prof.SampleType) == 0 || (name == "goroutine" || name == "block") && len(prof.Sample) == 0 {
			t.Errorf("%s: %v %v", name, err, prof)
		}
	}
	var b bytes.Buffer
	if err := client.Profile(t.Context(), "trace", 1, &b); err != nil || !bytes.HasPrefix(b.Bytes(), []byte("go 1.")) {
		t.Errorf("trace: %v %.20q", err, b.Bytes())
	}
	if err := client.Profile(t.Context(), "nonsense", 0, io.Discard); err == nil {
		t.Error("there is a profile of nonsense")
	}
	for path, status := range map[string]int{
		"/debug/pprof/": 200, "/debug/pprof/profile?seconds=0": 400, "/debug/pprof/profile?seconds=1e9": 400, "/debug/pprof/heap?seconds=-1": 400,
		"/debug/pprof/block": 400, "/debug/pprof/mutex?debug=1": 400,
		"/debug/pprof": 404, "/debug/pprof/symbol": 200, "/debug/pprof/cmdline": 200,
	} {
		if resp, text := fetch(t, overSocket(p), "GET", "http://nvsessd"+path, nil); resp.StatusCode != status {
			t.Errorf("%s: %v %.100s", path, resp.Status, text)
		}
	}
	if resp, _ := fetch(t, overSocket(p), "POST", "http://nvsessd/debug/pprof/symbol", strings.NewReader("0x1")); resp.StatusCode != 405 {
		t.Errorf("a POST: %v", resp.Status)
	}
	if !strings.Contains(p.Said(), `"msg":"profile","profile":"heap"`) {
		t.Error("nobody is told who took a profile")
	}
	// One that takes long does not keep the daemon from ending.
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	over := make(chan error, 1)
	go func() { over <- client.Profile(ctx, "profile", 500, io.Discard) }()
	eventually(t, "the profile", func() bool { return strings.Count(p.Said(), `"profile":"profile"`) == 2 })
	p.Signal(syscall.SIGTERM)
	p.Ends(0)
	<-over
}

// Who may not command the daemon gets neither metrics nor profiles at its
// socket, though its mode would let him.
func TestObservingIsForOperators(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("curl"); err != nil {
		t.Skip("there is no curl")
	}
	dir, exe := forAll(t)
	conf := filepath.Join(dir, "nvsess.toml")
	if err := os.WriteFile(conf, []byte(fmt.Sprintf("listen = [\"unix:%s/s\"]\n[admin]\nlisten = \"unix:%s/a\"\nmode = \"0666\"\n", dir, dir)), 0o644); err != nil {
		t.Fatal(err)
	}
	p := launch(t, []string{"-config", conf}, func(p *process) { p.Cmd.Path = exe })
	p.Logged("ready")
	for _, path := range []string{"/metrics", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/profile?seconds=1", "/v1/top", "/v1/debug"} {
		for uid, want := range map[uint32]string{0: "200", stranger: "403"} {
			cmd := exec.Command("curl", "-sS", "-o", "/dev/null", "-w", "%{http_code}", "--unix-socket", dir+"/a", "http://nvsessd"+path)
			cmd.Dir = "/"
			cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
			if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
				t.Errorf("%s for user %d: %v %s", path, uid, err, out)
			}
		}
	}
}
