package ws

import (
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
)

func TestSecretQueryIsHidden(t *testing.T) {
	for target, want := range map[string]string{
		"/":                                "/",
		"/?":                               "/?",
		"/secret?a=b":                      "/secret?a=b",
		"/?t=secret":                       "/?t=...",
		"/?a=b&t=secret&c=d":               "/?a=b&t=...&c=d",
		"/?%74=secret&t=secret?t=secret":   "/?%74=...&t=...",
		"/?t=secret=secret":                "/?t=...",
		"/?T=other&tt=other&t&=other":      "/?T=other&tt=other&t&=other",
		"/?%zz=other&a=t=other&u+v=secret": "/?%zz=other&a=t=other&u+v=...",
	} {
		if got := string(hideQuery([]byte(target), []string{"t", "u v"})); got != want {
			t.Errorf("%s: %s, want %s", target, got, want)
		}
	}
	if got := string(hideQuery([]byte("/?t=x"), nil)); got != "/?t=x" {
		t.Error(got)
	}
}

// Whatever a handshake is refused for, the log does not have the secret.
func TestRefusalsAreLoggedWithoutSecrets(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	s := serve(t, "unix", newRecorder(t), Options{Log: zap.New(core), SecretQuery: []string{"access_token"}, Mounts: []*Mount{{Paths: []string{"/"}}}})
	for _, tt := range []struct {
		target, field string
		status        int
	}{
		{"/nowhere?access_token=s3cret", "", 404},
		{"/?access%5Ftoken=s3cret", "Origin: https://x\r\n", 403},
		{"/" + strings.Repeat("x", 250) + "?access_token=s3cret", "", 404},
		{"/?a=b&access_token=s3cret", "Transfer-Encoding: chunked\r\n", 400},
		{"/?access_token=s3cret#", "", 400},
	} {
		c := s.dialRaw()
		c.write([]byte(strings.Replace(requestWith("", tt.field), "GET / ", "GET "+tt.target+" ", 1)))
		c.refused(tt.status)
		c.Close()
	}
	refused := logs.FilterMessage("handshake refused").All()
	if len(refused) != 5 {
		t.Errorf("%d refusals in the log", len(refused))
	}
	for _, e := range refused {
		if text := fmt.Sprint(e.ContextMap()); strings.Contains(text, "s3cret") {
			t.Error(text)
		}
	}
}
