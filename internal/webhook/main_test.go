package webhook

import (
	"os"
	"testing"

	"github.com/nvsess/nvsess/internal/leak"
)

// TestMain fails when a goroutine or a socket outlives the tests.
func TestMain(m *testing.M) { os.Exit(leak.Main(m, "nvsess/internal/", "net/http.")) }
