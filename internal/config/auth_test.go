package config

import (
	"strings"
	"testing"
)

// What would let everybody in, or nobody, is a mistake.
func TestAuthRules(t *testing.T) {
	for doc, want := range map[string]string{
		`mode = "required"`:    `f:2: auth.mode: it is "required", but there is no token that would be believed`,
		`mode = "optional"`:    `f:2: auth.mode: it is "optional", but`,
		`tokens_file = "/t"`:   `f:2: auth.tokens_file: there are tokens or keys, but auth.mode is "off", so that everybody would get in`,
		`jwt_keys_file = "/k"`: `f:2: auth.jwt_keys_file: there are tokens or keys, but`,
		"mode = \"required\"\ntokens_file = \"/t\"\njwt_issuer = \"x\"": `f:4: auth.jwt_issuer: it is said what a JWT must be, but there is no key`,
		"jwt_audience = [\"x\"]": `f:2: auth.jwt_audience: it is said what a JWT must be`,
		"mode = \"required\"\ntokens_file = \"/t\"\nsources = [\"cookie:sid\"]\n[handshake]\norigins = [\"*\"]": `f:4: auth.sources: a browser sends its cookies along for any page`,
		"mode = \"required\"\ntokens_file = \"/t\"\nsources = [\"cookie:sid\"]":                                 "",
		"mode = \"required\"\ntokens_file = \"/t\"\n[handshake]\norigins = [\"*\"]":                             "",
		"mode = \"required\"\ntokens_file = \"/t\"\nsources = [\"protocol:t.\"]":                                `f:4: auth.sources: "protocol:t.": a browser fails unless`,
		"sources = [\"protocol:t.\"]":                                       "",
		"mode = \"optional\"\njwt_secret_file = \"/s\"\njwt_issuer = \"x\"": "",
	} {
		_, err := Parse("f", []byte("[auth]\n"+doc))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	for protocols, want := range map[string]string{`["chat"]`: "", `["chat", "t.x"]`: `the subprotocol "t.x" would be taken for a token`} {
		_, err := Parse("f", []byte("subprotocols = "+protocols+"\n[auth]\nmode = \"required\"\ntokens_file = \"/t\"\nsources = [\"protocol:t.\"]"))
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", protocols, err)
		}
	}
	// A mount has its own, and is told by its own keys.
	for doc, want := range map[string]string{
		"[auth]\ntokens_file = \"/t\"\n[[mount]]\npaths = [\"/a\"]\nauth = \"required\"":                                                              "",
		"[[mount]]\npaths = [\"/a\"]\nauth = \"required\"":                                                                                            `f:3: mount[0].auth: it is "required", but there is no token`,
		"[[mount]]\npaths = [\"/a\"]\nauth = \"on\"":                                                                                                  `f:3: mount[0].auth: "on" is not one of them`,
		"[auth]\nmode = \"required\"\ntokens_file = \"/t\"\n[[mount]]\npaths = [\"/a\"]\nauth = \"off\"":                                              "",
		"[auth]\ntokens_file = \"/t\"\nsources = [\"cookie:a\"]\n[[mount]]\npaths = [\"/a\"]\nauth = \"optional\"\norigins = [\"*\"]":                 `f:7: mount[0].origins: a browser sends its cookies`,
		"[auth]\nmode = \"required\"\ntokens_file = \"/t\"\nsources = [\"cookie:a\"]\n[[mount]]\npaths = [\"/a\"]\nauth = \"off\"\norigins = [\"*\"]": "",
		"[auth]\ntokens_file = \"/t\"\nsources = [\"protocol:t.\"]\n[[mount]]\npaths = [\"/a\"]\nauth = \"required\"":                                 `f:6: mount[0].auth: "protocol:t.": a browser fails`,
	} {
		_, err := Parse("f", []byte(doc))
		if want == "" && err != nil || want != "" && (err == nil || !strings.HasPrefix(err.Error(), want)) {
			t.Errorf("%s: %v, want %q", doc, err, want)
		}
	}
	// What might be a token in clear is not repeated.
	if _, err := Parse("f", []byte(`auth.tokens = ["ci s3cret-0123456789abcdef"]`)); err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Error(err)
	}
}
