package clients

import (
	"bufio"
	"bytes"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// The libraries the Node tests run with.
var libraries = []string{"ws", "websocket"}

func needNode(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("node"); err != nil {
		t.Skip("node is not installed")
	}
	for _, name := range libraries {
		if _, err := os.Stat("node_modules/" + name); err != nil {
			t.Skipf("the npm package %s is not installed: run make setup, or npm ci --ignore-scripts in test/clients", name)
		}
	}
}

// node runs a scenario. heard is called with each line it prints, on the test's
// goroutine; input is the scenario's.
func node(t *testing.T, heard func(line string, input io.WriteCloser), args ...string) {
	t.Helper()
	cmd := exec.CommandContext(within(t), "node", args...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(output)
	for lines.Scan() {
		if heard != nil {
			heard(lines.Text(), input)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("%s: %v\n%s", strings.Join(args, " "), err, stderr.String())
	}
}

func TestNodeEcho(t *testing.T) {
	needNode(t)
	d := start(t, "echo", "")
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) { node(t, nil, "echo.js", library, d.url) })
	}
	t.Run("ws on a unix socket", func(t *testing.T) {
		node(t, nil, "echo.js", "ws", strings.Replace(d.unix, "ws+unix://", "ws+unix:", 1)+":/")
	})
}

// ws compresses with Node's zlib.
func TestNodeCompression(t *testing.T) {
	needNode(t)
	for _, tt := range []struct{ config, options, name string }{
		{"", "{}", ""},
		{`compression = "on"`, "{}", "permessage-deflate"},
		{`compression = "on"`, `{"perMessageDeflate":{"threshold":0}}`, "permessage-deflate"},
		{`compression = "on"`, `{"perMessageDeflate":{"threshold":0,"serverMaxWindowBits":9}}`, "permessage-deflate"},
		{`compression = "on"`, `{"perMessageDeflate":false}`, ""},
		{"compression = \"on\"\n[deflate]\nthreshold_bytes = 0\nserver_context_takeover = true\nclient_context_takeover = true", `{"perMessageDeflate":{"threshold":0}}`, "permessage-deflate"},
		{"compression = \"on\"\n[deflate]\nthreshold_bytes = 0\nserver_context_takeover = true\nclient_context_takeover = true\nserver_max_window_bits = 9\nclient_max_window_bits = 10",
			`{"perMessageDeflate":{"threshold":0,"clientMaxWindowBits":true}}`, "permessage-deflate"},
		{`compression = "receive_only"`, `{"perMessageDeflate":{"threshold":0}}`, "permessage-deflate"},
	} {
		t.Run(tt.config+tt.options, func(t *testing.T) {
			d := start(t, "echo", tt.config)
			node(t, nil, "echo.js", "ws", d.url, tt.name, tt.options)
			stats := d.Ctl("--json", "stats")
			if strings.Contains(stats, `"inflated":0,`) != (tt.name == "") || strings.Contains(stats, `"deflated":0,`) != (tt.name == "" || strings.Contains(tt.config, "receive_only")) {
				t.Errorf("stats: %s", stats)
			}
		})
	}
}

func TestNodeForward(t *testing.T) {
	needNode(t)
	d := start(t, "forward", "")
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) { node(t, nil, "forward.js", library, d.url) })
	}
}

func TestNodeCloseCodes(t *testing.T) {
	needNode(t)
	d := start(t, "handlers", "")
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			node(t, func(line string, _ io.WriteCloser) {
				words := strings.SplitN(strings.TrimSpace(line), " ", 3) // close CODE [REASON]
				args := []string{"close", "lst", words[1]}
				if len(words) == 3 {
					args = append(args, words[2])
				}
				d.Ctl(args...)
			}, "close.js", library, d.url)
		})
	}
}

// A stock client's behaviour until it is given up.
func TestStockBehaviour(t *testing.T) {
	needNode(t)
	const interval = "800"
	d := start(t, "handlers", "[keepalive]\ninterval = \""+interval+"ms\"\ngrace = \"300ms\"\n[close]\ntimeout = \"200ms\"\n")
	d.Ctl("handlers", "creq", "echo")
	var said []string
	node(t, func(line string, input io.WriteCloser) {
		said = append(said, line)
		switch line {
		case "ready":
			if answer := d.Ctl("--json", "send_jrr_sreq", "lst", `{"hi":"you must reply"}`); !strings.Contains(answer, `"___cres___"`) ||
				!strings.Contains(answer, `{"echo":{"hi":"you must reply"}}`) {
				t.Errorf("answer: %s", answer)
			}
			if answer := d.Ctl("jbroadcast_until_all_client_reply", `[1]`); !strings.Contains(answer, `{"echo":[1]}`) {
				t.Errorf("answers: %s", answer)
			}
		case "silent":
			for !t.Failed() && d.Ctl("sesses") != "Map(0) {}" { // each call is a process: no busy loop
			}
			if stats := d.Ctl("--json", "stats"); !strings.Contains(stats, `"keepalive_timeouts":1,`) {
				t.Errorf("stats: %s", stats)
			}
		}
		if _, err := io.WriteString(input, "\n"); err != nil {
			t.Error(err)
		}
	}, "stock.js", d.url, interval)
	if got := strings.Join(said, ", "); !t.Failed() && got != "ready, silent" {
		t.Errorf("the client said: %s", got)
	}
}
