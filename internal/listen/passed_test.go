package listen

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// looks is a file's mode, owner and group.
func looks(t *testing.T, path string) string {
	t.Helper()
	st, err := lstat(path)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%04o %d %d", st.Mode&0o7777, st.Uid, st.Gid)
}

// What the configuration says no more is undone, too: the socket is as one that is
// made now.
func TestBecome(t *testing.T) {
	needRoot(t)
	checkDescriptors(t)
	dir := publicDir(t, 0o755)
	shared := filepath.Join(dir, "shared")
	if err := os.Mkdir(shared, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(shared, 0, 33); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(shared, 0o755|os.ModeSetgid); err != nil {
		t.Fatal(err)
	}
	root := fmt.Sprintf("%d %d", os.Geteuid(), os.Getegid())
	for name, tt := range map[string]struct {
		dir    string
		was, o Options
		want   string
	}{
		"another owner and group":  {dir, Options{Mode: 0o660}, Options{Mode: 0o620, Owner: "4242", Group: "4343"}, "0620 4242 4343"},
		"another group":            {dir, Options{Mode: 0o660, Owner: "4242", Group: "33"}, Options{Mode: 0o660, Owner: "4242", Group: "4343"}, "0660 4242 4343"},
		"no owner and group":       {dir, Options{Mode: 0o660, Owner: "4242", Group: "4343"}, Options{Mode: 0o600}, "0600 " + root},
		"no owner":                 {dir, Options{Mode: 0o660, Owner: "4242", Group: "4343"}, Options{Mode: 0o660, Group: "4343"}, "0660 " + strconv.Itoa(os.Geteuid()) + " 4343"},
		"no group":                 {dir, Options{Mode: 0o660, Owner: "4242", Group: "4343"}, Options{Mode: 0o666, Owner: "4242"}, "0666 4242 " + strconv.Itoa(os.Getegid())},
		"no group, where one is":   {shared, Options{Mode: 0o660, Group: "33"}, Options{Mode: 0o600}, "0600 0 33"},
		"all as it is":             {dir, Options{Mode: 0o640, Group: "33"}, Options{Mode: 0o640, Group: "33"}, "0640 0 33"},
		"the mode alone, to less":  {dir, Options{Mode: 0o666}, Options{Mode: 0o600}, "0600 " + root},
		"the mode alone, and more": {dir, Options{Mode: 0o600}, Options{Mode: 0o777}, "0777 " + root},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(tt.dir, "s")
			s := mustOpen(t, "unix:"+path, tt.was)
			passed, err := Take(s.Pass())
			if err != nil {
				t.Fatal(err)
			}
			if err := passed.Become(tt.o); err != nil {
				t.Error(err)
			}
			if got := looks(t, path); got != tt.want {
				t.Errorf("it is %s, not %s", got, tt.want)
			}
			if fresh := mustOpen(t, "unix:"+filepath.Join(tt.dir, "fresh"), tt.o); looks(t, fresh.Addr.Address) != tt.want {
				t.Errorf("one that is made now is %s, not %s", looks(t, fresh.Addr.Address), tt.want)
			}
		})
	}
}

// What somebody has put into the place of a socket is not touched.
func TestBecomeLeavesOthersFiles(t *testing.T) {
	dir := t.TempDir()
	path, secret := filepath.Join(dir, "s"), filepath.Join(dir, "secret")
	if err := os.WriteFile(secret, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, replace := range map[string]func() error{
		"nothing":         func() error { return nil },
		"a file":          func() error { return os.WriteFile(path, nil, 0o600) },
		"a symbolic link": func() error { return os.Symlink(secret, path) },
	} {
		s := mustOpen(t, "unix:"+path, mode(0o600))
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if err := replace(); err != nil {
			t.Fatal(err)
		}
		if err := s.Become(mode(0o666)); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for _, file := range []string{path, secret} {
			if fi, err := os.Stat(file); err == nil && fi.Mode().Perm() != 0o600 {
				t.Errorf("%s: %s has mode %v", name, file, fi.Mode())
			}
		}
		_ = os.Remove(path)
		_ = s.Close()
	}
}

// A process without privileges changes what it may, says what it may not, and then
// lets nobody in more than before.
func TestBecomeUnprivileged(t *testing.T) {
	needRoot(t)
	const uid, gid = 4242, 4343
	exe := copyOfSelf(t)
	for name, tt := range map[string]struct {
		was, then Options
		want      string
		said      []string
	}{
		"a group of its own":    {Options{Mode: 0o660}, Options{Mode: 0o664, Group: "33"}, "0664 4242 33", nil},
		"a group of others":     {Options{Mode: 0o640}, Options{Mode: 0o660, Group: "44"}, "0640 4242 4343", []string{"its group stays 4343, not 44: operation not permitted", "its mode is 0640 until then, not 0660"}},
		"another owner":         {Options{Mode: 0o660}, Options{Mode: 0o606, Owner: "0", Group: "33"}, "0600 4242 33", []string{"its owner stays 4242, not 0: operation not permitted", "its mode is 0600 until then, not 0606"}},
		"an owner that is none": {Options{Mode: 0o660}, Options{Mode: 0o600, Owner: "no-such-user"}, "0660 4242 4343", []string{"no-such-user"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := publicDir(t, 0o755)
			if err := os.Chown(dir, uid, gid); err != nil {
				t.Fatal(err)
			}
			c := startChild(t, exe, &syscall.Credential{Uid: uid, Gid: gid, Groups: []uint32{33}})
			c.orderChange("unix:"+dir+"/s", tt.was, tt.then)
			if got := c.line(); got != "ok" {
				t.Fatal(got)
			}
			text, err := strconv.Unquote(c.line())
			if err != nil {
				t.Fatal(err)
			}
			if (text == "<nil>") != (tt.said == nil) {
				t.Errorf("it says %s", text)
			}
			for _, want := range tt.said {
				if !strings.Contains(text, want) {
					t.Errorf("it says %q, and not %q", text, want)
				}
			}
			if got := looks(t, dir+"/s"); got != tt.want {
				t.Errorf("it is %s, not %s", got, tt.want)
			}
		})
	}
}
