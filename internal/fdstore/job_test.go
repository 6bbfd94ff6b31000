package fdstore

import (
	"context"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// The bus is somebody else's: gone, or silent. The real one is asked in test/systemd.
func TestJobTypeWithoutAnAnswer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "bus")
	t.Setenv("DBUS_SYSTEM_BUS_ADDRESS", "unix:path="+path)
	if typ, err := JobType(context.Background()); err == nil {
		t.Errorf("without a bus: %q", typ)
	}
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan error, 1)
	go func() {
		_, err := JobType(context.Background())
		done <- err
	}()
	select {
	case err := <-done:
		if err == nil {
			t.Error("a silent bus gave an answer")
		}
	case <-time.After(time.Minute):
		t.Fatal("it waits for a silent bus")
	}
}
