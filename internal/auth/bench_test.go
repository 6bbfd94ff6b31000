package auth

import (
	"fmt"
	"strings"
	"testing"
)

// What a handshake costs its loop, by kind of token; "wrong" is a token of the
// kind whose signature is not right, which is what a flood would be made of.
func BenchmarkAuthenticate(b *testing.B) {
	ours, theirs := issuers()[0], issuers()[1]
	for _, alg := range []string{"HS256", "RS256", "PS256", "ES256", "ES384", "ES512", "EdDSA"} {
		a := trusting(b, ours, alg)
		for name, is := range map[string]issuer{"right": ours, "wrong": theirs} {
			r := request(b, "/", "Authorization: Bearer "+sign(b, alg, is.key(alg), good()))
			b.Run(alg+"/"+name, func(b *testing.B) {
				b.ReportAllocs()
				for b.Loop() {
					a.Authenticate(r)
				}
			})
		}
	}
	for _, n := range []int{1, 100, maxTokens} {
		var lines strings.Builder
		for i := range n {
			fmt.Fprintf(&lines, "x %s\n", hashed(fmt.Sprint(i)))
		}
		a := authenticator(b, Options{TokensFile: file(b, lines.String())})
		r := request(b, "/", "Authorization: Bearer 0123456789abcdef")
		b.Run(fmt.Sprintf("static/%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				a.Authenticate(r)
			}
		})
	}
}
