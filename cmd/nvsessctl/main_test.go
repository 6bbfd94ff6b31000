package main

import (
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// TestMain makes the test binary nvsessctl where scripts and terminals call it so.
func TestMain(m *testing.M) {
	testscript.Main(nvsessd.M{M: m}, map[string]func(){"nvsessctl": main})
}
