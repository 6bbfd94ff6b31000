package attacks

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// bombs are texts that some parser or other does not survive, or reads as
// something else than its neighbour does.
var bombs = map[string]string{
	"lists in lists":             strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000),
	"lists without an end":       strings.Repeat("[", 1_000_000),
	"objects in objects":         strings.Repeat(`{"a":`, 100_000) + "1" + strings.Repeat("}", 100_000),
	"objects without an end":     strings.Repeat(`{"":`, 200_000),
	"an envelope, deep":          `{"___type___":"___creq___","___data___":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) + `}`,
	"an envelope, rather deep":   `{"___type___":"___cfg___","___data___":` + strings.Repeat("[", 9990) + strings.Repeat("]", 9990) + `}`,
	"a million digits":           `{"n":` + strings.Repeat("9", 1_000_000) + `}`,
	"a million digits after":     `[0.` + strings.Repeat("9", 1_000_000) + `]`,
	"1e999":                      `{"n":1e999,"m":-1e999,"x":1e-999,"y":1e99999999999999999999}`,
	"a long exponent":            `[1e` + strings.Repeat("9", 900_000) + `]`,
	"lone surrogates":            `{"\ud800":"\udfff","a":"\udbff\u0041"}`,
	"NUL":                        `{"\u0000":"\u0000","a\u0000b":1}`,
	"a huge key":                 `{"` + strings.Repeat("k", 1_000_000) + `":1}`,
	"a huge string":              `["` + strings.Repeat(`\u0061`, 160_000) + `"]`,
	"a hundred thousand keys":    "{" + strings.Repeat(`"k":0,`, 100_000) + `"k":0}`,
	"a million nulls":            "[" + strings.Repeat("null,", 200_000) + "null]",
	"two types":                  `{"___type___":"___sreq___","___type___":"x","___id___":1,"___id___":"2"}`,
	"prototypes":                 `{"__proto__":{"toString":1},"constructor":{"prototype":{"x":1}},"hasOwnProperty":1,"toJSON":1,"then":1}`,
	"a BOM":                      "\ufeff{\"a\":1}",
	"a BOM before an envelope":   "\ufeff" + `{"___type___":"___creq___","___id___":"","___data___":1}`,
	"blanks that are none":       "\u00a0\u2028{\"a\":1}\v",
	"a half escape":              `{"a":"\u00"}`,
	"an escape of nothing":       `{"a":"\x41"}`,
	"a raw control character":    "{\"a\":\"\x01\"}",
	"comments":                   `{"a":1/**/}`,
	"a comma too many":           `[1,]`,
	"two values":                 `{}{}`,
	"NaN":                        `[NaN,Infinity,-Infinity]`,
	"leading zeros":              `[007,+1,.5,1.]`,
	"nothing but blanks":         strings.Repeat(" ", 1_000_000),
	"nothing but backslashes":    "{" + strings.Repeat(`\`, 1_000_000),
	"nothing but quotes":         strings.Repeat(`"`, 1_000_000),
	"backslashes in a string":    `{"` + strings.Repeat(`\\`, 400_000) + `":1}`,
	"the type's name in a value": `{"a":"___type___","b":{"___type___":"___sres___"}}`,
}

// What is handled by built-in handlers comes back as it went, or is an envelope
// of no meaning; it is never more work than its bytes.
func TestJSONBombs(t *testing.T) {
	t.Parallel()
	attack(t, setting{config: "[message]\nmax_frame_bytes = 2097152\nmax_message_bytes = 2097152"}, 48*mebi, func(d *daemon) {
		p := d.open()
		p.id()
		for name, bomb := range bombs {
			began := time.Now()
			p.write(text(bomb))
			p.write(text("after " + name))
			switch m := p.next(); m.payload {
			case bomb:
				p.hears("after " + name)
			case "after " + name: // it was an envelope
				if !strings.HasPrefix(name, "an envelope, rather deep") {
					t.Errorf("%s was swallowed", name)
				}
			default:
				t.Fatalf("%s: got %.100q", name, m.payload)
			}
			if took := time.Since(began); took > 2*time.Second {
				t.Logf("%s took %v", name, took)
			}
		}
		p.Close()
	})
}

// JavaScript reads them too: each either parses or fails in its handler, and the
// next one is handled.
func TestJSONBombsInJavaScript(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "handlers.js")
	if err := os.WriteFile(file, []byte(`
srv.regis_$json_handle$(async (j, conn) => {
  if (Number.isInteger(j.n) && Object.keys(j).length === 1 && j.n < 1e15) return conn.jsend(j); // the bystander
  const copy = JSON.stringify(JSON.parse(JSON.stringify(j)));
  conn.ssend('json ' + copy.length);
});
srv.regis_$str_handle$(async (s, conn) => {
  if (s.startsWith('after ')) return conn.ssend(s);
  try {
    JSON.parse(s);
    conn.ssend('parsed');
  } catch (e) {
    conn.ssend(e instanceof SyntaxError ? 'syntax' : String(e).slice(0, 80));
  }
});
`), 0o600); err != nil {
		t.Fatal(err)
	}
	attack(t, setting{mode: "handlers", config: "handlers = \"" + file + "\"\n[message]\nmax_frame_bytes = 2097152\nmax_message_bytes = 2097152\n[inbox]\nqueue_bytes = 8388608"},
		128*mebi, func(d *daemon) {
			p := d.open()
			p.id()
			for name, bomb := range bombs {
				p.write(text(bomb))
				p.write(text("after " + name))
				outcome := "swallowed or failed"
				for m := p.next(); m.payload != "after "+name; m = p.next() {
					outcome = m.payload
				}
				valid := json.Valid([]byte(bomb)) && !strings.HasPrefix(name, "an envelope")
				if valid && !strings.HasPrefix(outcome, "json ") || !valid && (strings.HasPrefix(outcome, "json ") || outcome == "parsed") {
					t.Errorf("%s: %s", name, outcome)
				}
			}
			if got := d.js("[({}).x, ({}).toString === Object.prototype.toString, 1 + 1]"); got != "[ undefined, true, 2 ]" {
				t.Errorf("the world of JavaScript is not what it was: %q", got)
			}
			p.Close()
		})
}

// The webhook is told of each as what it is, in JSON that any parser reads.
func TestJSONBombsToTheWebhook(t *testing.T) {
	t.Parallel()
	var told, broken atomic.Int64
	socket := filepath.Join(t.TempDir(), "hook")
	ln, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil || !json.Valid(body) && !strings.Contains(string(body), strings.Repeat("[", 9000)) {
			broken.Add(1)
		}
		told.Add(1)
		w.WriteHeader(http.StatusNoContent)
	})}
	go func() { _ = server.Serve(ln) }()
	t.Cleanup(func() { server.Close() })
	attack(t, setting{config: "webhook = \"http+unix://" + socket + ":/\"\n[webhooks]\nevents = [\"string\", \"binary\"]\n[message]\nmax_frame_bytes = 2097152\nmax_message_bytes = 2097152\n[outbound]\nqueue_bytes = 67108864\n[inbox]\nmessages = 1000\nqueue_bytes = 67108864"},
		64*mebi, func(d *daemon) {
			p := d.open()
			p.id()
			go func() { _, _ = io.Copy(io.Discard, p.r) }() // the echoes of JSON
			texts := 0
			for _, bomb := range bombs {
				p.write(text(bomb))
				if !json.Valid([]byte(bomb)) {
					texts++
				}
			}
			for _, binary := range []string{"", "\x00\xff", strings.Repeat("\xff", 500_000)} {
				p.write(frame(0x80|opBinary, []byte(binary)))
				texts++
			}
			d.Until("the webhook was told of all", func() bool { return told.Load() >= int64(texts) })
			if broken.Load() > 0 {
				t.Errorf("%d of them not in JSON", broken.Load())
			}
			p.Close()
		})
}

// Operators' requests are read as strictly, whoever sent them on: each bomb as a
// body, and as what is to be sent, is refused or carried out, and the daemon goes on.
func TestJSONBombsToTheOperatorsSocket(t *testing.T) {
	t.Parallel()
	attack(t, setting{}, 64*mebi, func(d *daemon) {
		p := d.open()
		name, _ := p.id()
		go func() { _, _ = io.Copy(io.Discard, p.r) }()
		operator := &http.Client{Transport: &http.Transport{DialContext: dialer(d.Admin)}, Timeout: patience}
		defer operator.CloseIdleConnections()
		for what, bomb := range bombs {
			for _, body := range []string{bomb, `{"session":"` + name + `","data":` + bomb + `}`, `{"session":"` + name + `","data":1,"data":` + bomb + `}`, `{"session":` + bomb + `,"data":1}`} {
				resp, err := operator.Post("http://nvsessd/v1/jsend", "application/json", strings.NewReader(body))
				if err != nil {
					t.Fatalf("%s: %v", what, err)
				}
				said, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if err != nil || resp.StatusCode >= 500 || resp.StatusCode == 200 && !json.Valid([]byte(body)) {
					t.Errorf("%s as %.60q: %d %.200q, %v", what, body, resp.StatusCode, said, err)
				}
				if len(said) > 4000 {
					t.Errorf("%s: an answer of %d bytes", what, len(said))
				}
			}
		}
		p.Close()
	})
}
