package main

import (
	"strings"
	"testing"
)

func TestSummarise(t *testing.T) {
	const passing = `{"Action":"run","Package":"p","Test":"TestA"}
{"Action":"pass","Package":"p","Test":"TestA"}
{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:7: no nginx\n"}
{"Action":"skip","Package":"p","Test":"TestB"}
{"Action":"pass","Package":"p","Elapsed":1.5}
`
	const failing = `{"Action":"output","Package":"p","Test":"TestC","Output":"    c_test.go:9: wrong\n"}
{"Action":"fail","Package":"p","Test":"TestC"}
{"Action":"fail","Package":"p"}
`
	for _, test := range []struct {
		name, in, want string
		ok             bool
	}{
		{"pass", passing, "pass     1.5s p\nskipped: p TestB: no nginx\n1 passed, 0 failed, 1 skipped\n", true},
		{"fail", passing + failing, "pass     1.5s p\n    c_test.go:9: wrong\nfail     0.0s p\nskipped: p TestB: no nginx\n1 passed, 1 failed, 1 skipped\n", false},
		{"none", "", "0 passed, 0 failed, 0 skipped\n", false},
	} {
		var out strings.Builder
		if ok := summarise(strings.NewReader(test.in), &out); ok != test.ok || out.String() != test.want {
			t.Errorf("%s: %v\n%s\nwant %v\n%s", test.name, ok, out.String(), test.ok, test.want)
		}
	}
}
