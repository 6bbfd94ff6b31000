package listen

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// The file must look right whenever it is seen, not just in the end: a client of another user gets in during the moment it does not.
func TestModeAndOwnerFromTheFirstMoment(t *testing.T) {
	checkDescriptors(t)
	path := filepath.Join(publicDir(t, 0o755), "s")
	cases := []Options{mode(0o600), mode(0o660), mode(0o666), mode(0o777), mode(0o755)}
	if os.Geteuid() == 0 {
		cases = append(cases,
			Options{Mode: 0o660, Group: "33"}, Options{Mode: 0o600, Owner: "nobody"}, Options{Mode: 0o620, Owner: "4242", Group: "4343"})
	} else {
		t.Log("not root: owners are not tested")
	}
	for _, processUmask := range []int{0o022, 0o077, 0} {
		old := unix.Umask(processUmask)
		for _, o := range cases {
			want, err := resolve(o)
			if err != nil {
				t.Fatal(err)
			}
			if want.uid == own {
				want.uid = os.Geteuid()
			}
			if want.gid == own {
				want.gid = os.Getegid()
			}
			for range 50 {
				seen, stop := watch(path)
				s := mustOpen(t, "unix:"+path, o)
				stop()
				s.Close()
				for look := range seen {
					if look != fmt.Sprintf("%04o %d %d", want.mode, want.uid, want.gid) {
						t.Errorf("%+v with umask %03o: was seen as %s", o, processUmask, look)
					}
				}
				if len(seen) == 0 {
					t.Errorf("%+v: not seen", o)
				}
			}
		}
		if now := unix.Umask(old); now != processUmask {
			t.Errorf("umask left as %03o", now)
		}
	}
}

// watch looks at a path as fast as it can, once more when told to stop, and keeps each way it looked.
func watch(path string) (seen map[string]bool, stop func()) {
	seen = map[string]bool{}
	started, quit, done := make(chan struct{}), make(chan struct{}), make(chan struct{})
	look := func() {
		if st, err := lstat(path); err == nil {
			seen[fmt.Sprintf("%04o %d %d", st.Mode&0o7777, st.Uid, st.Gid)] = true
		}
	}
	go func() {
		defer close(done)
		look()
		close(started)
		for {
			select {
			case <-quit:
				look()
				return
			default:
				look()
			}
		}
	}()
	<-started
	return seen, func() { close(quit); <-done }
}

// No thread that goes on may keep another's file system ids.
func TestThreadsAreThrownAway(t *testing.T) {
	needRoot(t)
	dir := t.TempDir()
	var wg sync.WaitGroup
	for i := range 32 {
		wg.Go(func() {
			path := fmt.Sprintf("unix:%s/%d", dir, i)
			a, _ := ParseAddr(path)
			s, err := Open(a, Options{Mode: 0o600, Owner: "4242", Group: "4343"})
			if err != nil {
				t.Error(err)
				return
			}
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
	var main sync.WaitGroup // the first thread, too, when a goroutine is on it
	main.Go(func() {
		_ = onThrowawayThread(func() error {
			if unix.Gettid() == os.Getpid() {
				t.Error("on the first thread")
			}
			return nil
		})
	})
	main.Wait()
	deadline := time.Now().Add(10 * time.Second) // the kernel ends a thread in its own time
	for {
		strange := threadsOfOthers(t)
		if len(strange) == 0 {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("threads with other ids: %q", strange)
		}
		runtime.Gosched()
	}
}

func threadsOfOthers(t *testing.T) (strange []string) {
	t.Helper()
	tasks, err := filepath.Glob("/proc/self/task/*/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		data, _ := os.ReadFile(task) // it may be gone
		if strings.Contains(string(data), "4242") || strings.Contains(string(data), "4343") {
			strange = append(strange, task)
		}
	}
	return strange
}

func TestUnknownAccounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "s")
	mustRefuse(t, "unix:"+path, Options{Mode: 0o600, Owner: "no-such-user"}, `cannot have owner "no-such-user": user: unknown user no-such-user`)
	mustRefuse(t, "unix:"+path, Options{Mode: 0o600, Group: "no-such-group"}, `cannot have group "no-such-group": group: unknown group no-such-group`)
	mustNotExist(t, path)
}

// A user without privileges, in directories of its own and of others.
func TestUnprivileged(t *testing.T) {
	needRoot(t)
	checkDescriptors(t)
	const uid, gid = 4242, 4343
	exe := copyOfSelf(t)
	dir := publicDir(t, 0o755)
	at := func(name string, mode os.FileMode, uid, gid int) string {
		d := filepath.Join(dir, name)
		if err := os.Mkdir(d, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Chown(d, uid, gid); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(d, mode); err != nil {
			t.Fatal(err)
		}
		return d + "/s"
	}
	mine, shared, roots := at("mine", 0o755, uid, gid), at("shared", 0o755|os.ModeSetgid, uid, 33), at("roots", 0o755, 0, 0)
	hidden, foreign := at("hidden", 0o700, 0, 0), at("foreign", 0o755, uid, gid)
	rootSocket := mustOpen(t, "unix:"+foreign, mode(0o600)) // live, and not for everyone to connect to
	for name, tt := range map[string]struct {
		path string
		o    Options
		want string // suffix
	}{
		"its own":                        {mine, Options{Mode: 0o660}, "ok"},
		"its own, by name":               {mine, Options{Mode: 0o660, Owner: "4242", Group: "4343"}, "ok"},
		"to another owner":               {mine, Options{Mode: 0o660, Owner: "0"}, "cannot be opened: the system made it with owner 4242, not 0: that takes CAP_SETUID"},
		"to another group":               {mine, Options{Mode: 0o660, Group: "33"}, "cannot be opened: the system made it with group 4343, not 33: that takes CAP_SETGID, or a directory of that group with its set-group-id bit set"},
		"to the group of such directory": {shared, Options{Mode: 0o660, Group: "33"}, "ok"},
		"in root's directory":            {roots, Options{Mode: 0o660}, "cannot be opened: " + roots + ".lock: permission denied"},
		"in a hidden directory":          {hidden, Options{Mode: 0o660}, "cannot be opened: " + hidden + ".lock: permission denied"},
		"over a socket it cannot probe":  {foreign, Options{Mode: 0o660}, "is a socket, and whether it is in use cannot be told: connect: permission denied"},
	} {
		t.Run(name, func(t *testing.T) {
			c := startChild(t, exe, &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{33}})
			c.order("unix:"+tt.path, tt.o)
			if got := c.line(); got != tt.want && got != "listen: unix:"+tt.path+" "+tt.want {
				t.Errorf("got\n%s, want\n%s", got, tt.want)
			}
			c.stop()
			if tt.path != foreign {
				mustNotExist(t, tt.path)
			}
			mustNotExist(t, tt.path+".lock")
		})
	}
	if _, err := os.Lstat(rootSocket.Addr.Address); err != nil {
		t.Error(err)
	}
}

// What the directory makes of the mode is noticed, and cleaned up.
func TestNotAsAsked(t *testing.T) {
	w := wanted{mode: 0o660, uid: own, gid: own}
	for _, tt := range []struct {
		st   unix.Stat_t
		want string
	}{
		{unix.Stat_t{Mode: unix.S_IFSOCK | 0o660}, "<nil>"},
		{unix.Stat_t{Mode: unix.S_IFSOCK | 0o666}, "the system made it with mode 0666, not 0660"},
		{unix.Stat_t{Mode: unix.S_IFREG | 0o660}, "something else took its place"},
	} {
		if err := w.check(&tt.st); fmt.Sprint(err) != tt.want {
			t.Errorf("%v, want %s", err, tt.want)
		}
	}
}
