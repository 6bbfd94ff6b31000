// Package await is for tests that wait for what nobody tells, such as a counter or
// a line of a log.
package await

import (
	"testing"
	"time"
)

// patience bounds a wait; none is expected to last.
const patience = time.Minute

// That looks until something holds.
func That(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for limit := time.Now().Add(patience); !holds(); time.Sleep(time.Millisecond) {
		if time.Now().After(limit) {
			t.Fatalf("never: %s", what)
		}
	}
}
