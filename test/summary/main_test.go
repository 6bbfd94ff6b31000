package main

import (
	"errors"
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
		if ok := summarise(strings.NewReader(test.in), &out, nil); ok != test.ok || out.String() != test.want {
			t.Errorf("%s: %v\n%s\nwant %v\n%s", test.name, ok, out.String(), test.ok, test.want)
		}
	}
}

func TestAgain(t *testing.T) {
	fails := func(test, output string) string {
		return `{"Action":"output","Package":"p","Test":"` + test + `","Output":"` + output + `\n"}
{"Action":"fail","Package":"p","Test":"` + test + `"}
`
	}
	const passes = `{"Action":"pass","Package":"p","Test":"TestA"}` + "\n"
	const end = `{"Action":"fail","Package":"p"}` + "\n"
	const race = `{"Action":"output","Package":"p","Output":"WARNING: DATA RACE\n"}` + "\n"
	for _, test := range []struct {
		name, in string
		broken   bool   // alone, too
		ran      string // alone
		ok       bool
		last     string
	}{
		{"one", passes + fails("TestB", "late") + end, false, "p.TestB", true, "2 passed, 0 failed, 0 skipped"},
		{"subtest", passes + fails("TestB/x", "late") + fails("TestB", "late") + end, false, "p.TestB", true, "3 passed, 0 failed, 0 skipped"},
		{"broken", passes + fails("TestB", "late") + end, true, "p.TestB", false, "1 passed, 1 failed, 0 skipped"},
		{"race of a test", passes + fails("TestB", "WARNING: DATA RACE") + end, false, "", false, "1 passed, 1 failed, 0 skipped"},
		{"race of a package", passes + fails("TestB", "late") + race + end, false, "", false, "1 passed, 1 failed, 0 skipped"},
		{"leak", passes + fails("TestB", "goroutines leaked") + end, false, "", false, "1 passed, 1 failed, 0 skipped"},
		{"package", passes + end, false, "", false, "1 passed, 0 failed, 0 skipped"},
		{"many", passes + fails("TestB", "") + fails("TestC", "") + fails("TestD", "") + fails("TestE", "") + end, false, "", false, "1 passed, 4 failed, 0 skipped"},
	} {
		var out, ran strings.Builder
		ok := summarise(strings.NewReader(test.in), &out, func(f failure) ([]byte, error) {
			ran.WriteString(f.pkg + "." + f.test)
			if test.broken {
				return []byte("still late\n"), errors.New("exit status 1")
			}
			return nil, nil
		})
		if ok != test.ok || ran.String() != test.ran || !strings.HasSuffix(out.String(), test.last+"\n") {
			t.Errorf("%s: %v, ran %q\n%s", test.name, ok, ran.String(), out.String())
		}
		if unsteady := strings.Contains(out.String(), "UNSTEADY"); unsteady != (test.ok && test.ran != "") {
			t.Errorf("%s: unsteady %v", test.name, unsteady)
		}
	}
}
