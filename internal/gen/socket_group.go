package gen

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
)

// socketGroup is the group that the daemon's socket gets so that nginx can connect. It is empty when the daemon could not give the
// socket to it, and why says so.
func socketGroup(nginxUser string) (group, why string) {
	u, err := user.Lookup(nginxUser)
	if err != nil {
		return "", "this machine has no user " + nginxUser
	}
	g, err := user.LookupGroupId(u.Gid)
	if err != nil {
		return "", "the group " + u.Gid + " of " + nginxUser + " has no name here"
	}
	if os.Geteuid() == 0 || mine(u.Gid) {
		return g.Name, ""
	}
	return "", "only root or a member can give a socket to " + g.Name
}

func mine(gid string) bool {
	groups, err := os.Getgroups()
	if err != nil {
		return false
	}
	n, err := strconv.Atoi(gid)
	return err == nil && (n == os.Getegid() || slices.Contains(groups, n))
}

// closedTo is the first directory on the way to path that keeps a user out; empty if there is none, or no such user.
func closedTo(name, path string) string {
	u, err := user.Lookup(name)
	if err != nil || u.Uid == "0" {
		return ""
	}
	groups, err := u.GroupIds()
	if err != nil {
		groups = []string{u.Gid}
	}
	var ways []string
	for d := filepath.Dir(path); ; d = filepath.Dir(d) {
		ways = append(ways, d)
		if d == filepath.Dir(d) {
			break
		}
	}
	slices.Reverse(ways)
	for _, d := range ways {
		info, err := os.Stat(d)
		if err != nil {
			return ""
		}
		if !maySearch(info, u.Uid, groups) {
			return d
		}
	}
	return ""
}

func maySearch(info fs.FileInfo, uid string, groups []string) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return true
	}
	bit := fs.FileMode(0o001)
	switch {
	case strconv.FormatUint(uint64(st.Uid), 10) == uid:
		bit = 0o100
	case slices.Contains(groups, strconv.FormatUint(uint64(st.Gid), 10)):
		bit = 0o010
	}
	return info.Mode().Perm()&bit != 0
}

// checkDirectory says early and plainly what writing would say later.
func checkDirectory(dir string) error {
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no directory %s", showPath(dir))
	case err != nil:
		return fmt.Errorf("%s: %w", showPath(dir), reason(err))
	case !info.IsDir():
		return fmt.Errorf("%s is not a directory", showPath(dir))
	}
	return nil
}
