package listen

import (
	"errors"
	"fmt"
	"os"
	"runtime"
	"sync"

	"github.com/nvsess/nvsess/internal/config"
	"golang.org/x/sys/unix"
)

// own leaves an owner or a group as the system sets it.
const own = -1

// wanted is Options, looked up.
type wanted struct {
	mode     uint32
	uid, gid int
}

func resolve(o Options) (wanted, error) {
	w := wanted{mode: uint32(o.Mode.Perm()), uid: own, gid: own}
	if o.Owner != "" {
		uid, err := config.UserID(o.Owner)
		if err != nil {
			return w, fmt.Errorf("cannot have owner %q: %w", o.Owner, err)
		}
		w.uid = int(uid)
	}
	if o.Group != "" {
		gid, err := config.GroupID(o.Group)
		if err != nil {
			return w, fmt.Errorf("cannot have group %q: %w", o.Group, err)
		}
		w.gid = int(gid)
	}
	return w, nil
}

// check says whether the system gave what was asked: a directory's ACL or set-group-id bit, or a missing capability, can change it.
func (w wanted) check(st *unix.Stat_t) error {
	switch {
	case st.Mode&unix.S_IFMT != unix.S_IFSOCK:
		return errors.New("something else took its place")
	case st.Mode&0o7777 != w.mode:
		return fmt.Errorf("the system made it with mode %04o, not %04o", st.Mode&0o7777, w.mode)
	case w.uid != own && int(st.Uid) != w.uid:
		return fmt.Errorf("the system made it with owner %d, not %d: that takes CAP_SETUID", st.Uid, w.uid)
	case w.gid != own && int(st.Gid) != w.gid:
		return fmt.Errorf("the system made it with group %d, not %d: that takes CAP_SETGID, or a directory of that group with its set-group-id bit set", st.Gid, w.gid)
	}
	return nil
}

// umask serialises changes to the process's umask by this package.
var umask sync.Mutex

// withUmask runs f, in which files are made with exactly mode.
func withUmask(mode uint32, f func() error) error {
	umask.Lock()
	defer umask.Unlock()
	old := unix.Umask(0o777 &^ int(mode))
	defer unix.Umask(old)
	return f()
}

// bindAs binds fd to path, so that the file it makes has the mode and owner wanted from the first moment, as far as we may.
func bindAs(fd int, path string, w wanted) error {
	bind := func() error {
		// bind(2) makes the file with the mode of the socket, 0777 unless changed, less the umask.
		if err := unix.Bind(fd, &unix.SockaddrUnix{Name: path}); err != nil {
			return fmt.Errorf("bind: %w", err)
		}
		return nil
	}
	return withUmask(w.mode, func() error {
		if (w.uid == own || w.uid == os.Geteuid()) && (w.gid == own || w.gid == os.Getegid()) {
			return bind()
		}
		done := make(chan error)
		go func() { done <- onThrowawayThread(func() error { impersonate(w); return bind() }) }()
		return <-done
	})
}

// onThrowawayThread runs f on a thread that ends with the calling goroutine, which must end next. The process's first thread cannot
// be thrown away: when we are on it, another is sure to be found while we hold on to it.
func onThrowawayThread(f func() error) error {
	runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
	if unix.Gettid() != os.Getpid() {
		return f()
	}
	defer runtime.UnlockOSThread()
	done := make(chan error)
	go func() { done <- onThrowawayThread(f) }()
	return <-done
}

// impersonate makes this thread create files as somebody else. Whether it may is seen by the file that comes of it.
func impersonate(w wanted) {
	if w.gid != own {
		unix.SetfsgidRetGid(w.gid)
	}
	if w.uid == own || w.uid == os.Geteuid() {
		return
	}
	unix.SetfsuidRetUid(w.uid)
	// Leaving uid 0 drops the right to write in directories of others, which root needs to put a file into its own.
	hdr := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var caps [2]unix.CapUserData
	if unix.Capget(&hdr, &caps[0]) == nil {
		caps[0].Effective |= caps[0].Permitted & (1 << unix.CAP_DAC_OVERRIDE)
		_ = unix.Capset(&hdr, &caps[0]) // without it bind says what is missing
	}
}

// explain adds to a refused bind what usually is behind it.
func explain(err error, w wanted) error {
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EPERM) {
		uid := os.Geteuid()
		if w.uid != own {
			uid = w.uid
		}
		return fmt.Errorf("%w (its directory must be writable by uid %d)", err, uid)
	}
	return err
}
