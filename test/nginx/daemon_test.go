package nginx

import (
	"encoding/json"
	"strconv"
	"testing"
	"time"

	"github.com/nvsess/nvsess/test/nvsessd"
)

// patience is how long a test waits for what must happen.
const patience = 2 * time.Minute

func TestMain(m *testing.M) { nvsessd.M{M: m}.Run() }

// daemon is a real nvsessd, with a unix and a TCP listener.
type daemon struct {
	*nvsessd.Daemon
	t *testing.T
}

func startDaemon(t *testing.T, config string) *daemon {
	t.Helper()
	return &daemon{nvsessd.Start(t, nvsessd.Options{Config: config}), t}
}

// sessions is how many there are.
func (d *daemon) sessions() int {
	d.t.Helper()
	n, err := strconv.Atoi(d.Ctl("sesses", "--count"))
	if err != nil {
		d.t.Fatal(err)
	}
	return n
}

// remotes are the addresses that sessions come from, as the daemon sees it.
func (d *daemon) remotes() (list []string) {
	d.t.Helper()
	var answer struct {
		Sessions []struct{ Remote string } `json:"sessions"`
	}
	if err := json.Unmarshal([]byte(d.Ctl("--json", "sesses")), &answer); err != nil {
		d.t.Fatal(err)
	}
	for _, s := range answer.Sessions {
		list = append(list, s.Remote)
	}
	return list
}
