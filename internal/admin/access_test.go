package admin

import "testing"

// Who may call is asked at each call, so that it can be changed while the server
// runs; so is whether JavaScript may be run.
func TestSetAccess(t *testing.T) {
	s := NewServer(Options{AllowUIDs: []uint32{7}, NoConsole: true})
	s.uid = 5
	may := func(p Peer, want bool) {
		t.Helper()
		if got := s.access.Load().permits(p, s.uid); got != want {
			t.Errorf("%+v: %t", p, got)
		}
	}
	may(Peer{UID: 7, GID: 7}, true)
	may(Peer{UID: 8, GID: 8, Groups: []uint32{9}}, false)
	s.SetAccess([]uint32{6}, []uint32{9}, false)
	may(Peer{UID: 7, GID: 7}, false)
	may(Peer{UID: 6, GID: 6}, true)
	may(Peer{UID: 8, GID: 8, Groups: []uint32{9}}, true)
	may(Peer{UID: 0}, true)
	may(Peer{UID: 5}, true)
	if s.access.Load().noConsole {
		t.Error("the console is still shut")
	}
}
