package systembox

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"

	"golang.org/x/sys/unix"
)

const (
	systemd = "/lib/systemd/systemd"
	// initVar names the box's directory to this binary when it is to become the first process of the box.
	initVar = "NVSESS_TEST_BOX"
)

// Main is for TestMain: in the process that is to become the first of a box it
// becomes that and does not return.
func Main() {
	if dir := os.Getenv(initVar); dir != "" {
		fmt.Fprintln(os.Stderr, "box:", boxInit(dir)) // returns only when it failed
		os.Exit(1)
	}
}

// quiet are units that a box has no use for, or that would reach for hardware.
var quiet = []string{
	"systemd-udevd.service", "systemd-udevd-control.socket", "systemd-udevd-kernel.socket", "systemd-udev-trigger.service",
	"dev-hugepages.mount", "dev-mqueue.mount", "sys-kernel-debug.mount", "sys-kernel-tracing.mount", "sys-kernel-config.mount",
	"sys-fs-fuse-connections.mount", "proc-sys-fs-binfmt_misc.automount", "systemd-remount-fs.service", "systemd-sysctl.service",
	"systemd-binfmt.service", "systemd-modules-load.service", "systemd-logind.service", "systemd-journald-audit.socket",
	"systemd-tmpfiles-clean.timer",
}

// boxInit makes the box's file system around itself and becomes its systemd. It runs in the new namespaces.
func boxInit(dir string) error {
	runtime.LockOSThread() // the control group namespace below is this thread's until it becomes the process
	if err := unix.Unshare(unix.CLONE_NEWCGROUP); err != nil {
		return fmt.Errorf("control group namespace: %w", err)
	}
	if err := unix.Sethostname([]byte("box")); err != nil {
		return err
	}
	box := dir + "/fs"
	root := box + "/root"
	var s steps
	s.mount("", "/", "", unix.MS_REC|unix.MS_PRIVATE, "")
	s.mount("tmpfs", box, "tmpfs", 0, "mode=755")
	s.mkdirs(box+"/upper", box+"/work", root)
	s.mount("overlay", root, "overlay", 0, "lowerdir=/,upperdir="+box+"/upper,workdir="+box+"/work")
	s.mount("proc", root+"/proc", "proc", 0, "")
	// Read-only, or systemd would set this machine's sysctls.
	s.mount(root+"/proc/sys", root+"/proc/sys", "", unix.MS_BIND, "")
	s.mount("", root+"/proc/sys", "", unix.MS_REMOUNT|unix.MS_BIND|unix.MS_RDONLY, "")
	s.mount("sysfs", root+"/sys", "sysfs", unix.MS_RDONLY, "")
	s.mount("cgroup2", root+"/sys/fs/cgroup", "cgroup2", 0, "")
	s.mount("tmpfs", root+"/run", "tmpfs", 0, "mode=755")
	s.mount("tmpfs", root+"/tmp", "tmpfs", 0, "mode=1777")
	s.devices(root+"/dev", dir+"/console")
	s.mkdirs(root + "/run/outside")
	s.mount(dir+"/notify", root+"/run/outside", "", unix.MS_BIND, "")
	s.units(root + "/etc/systemd/system")
	s.write(root+"/etc/fstab", "")
	s.mkdirs(root + "/.old")
	s.do("pivot_root", unix.PivotRoot(root, root+"/.old"))
	s.do("chdir", os.Chdir("/"))
	s.do("unmount the old root", unix.Unmount("/.old", unix.MNT_DETACH))
	if s.err != nil {
		return s.err
	}
	env := []string{"container=nvsess-box", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "NOTIFY_SOCKET=/run/outside/socket"}
	return unix.Exec(systemd, []string{systemd, "--system", "--unit=box.target"}, env)
}

// steps are taken one after the other until one fails.
type steps struct{ err error }

func (s *steps) do(what string, err error) {
	if s.err == nil && err != nil {
		s.err = fmt.Errorf("%s: %w", what, err)
	}
}

func (s *steps) mount(source, target, fstype string, flags uintptr, data string) {
	if s.err == nil {
		s.do("mount "+target, unix.Mount(source, target, fstype, flags, data))
	}
}

func (s *steps) mkdirs(dirs ...string) {
	for _, d := range dirs {
		if s.err == nil {
			s.do("mkdir", os.MkdirAll(d, 0o755))
		}
	}
}

func (s *steps) write(path, content string) {
	if s.err == nil {
		s.do("write", os.WriteFile(path, []byte(content), 0o644))
	}
}

func (s *steps) link(to, path string) {
	if s.err == nil {
		_ = os.Remove(path)
		s.do("symlink", os.Symlink(to, path))
	}
}

// devices fills /dev with what programs expect, and console with a file.
func (s *steps) devices(dev, console string) {
	s.mount("tmpfs", dev, "tmpfs", 0, "mode=755")
	for _, name := range []string{"null", "zero", "full", "random", "urandom", "tty"} {
		s.write(dev+"/"+name, "")
		s.mount("/dev/"+name, dev+"/"+name, "", unix.MS_BIND, "")
	}
	s.write(dev+"/console", "")
	s.mount(console, dev+"/console", "", unix.MS_BIND, "")
	s.mkdirs(dev+"/pts", dev+"/shm")
	s.mount("devpts", dev+"/pts", "devpts", 0, "newinstance,ptmxmode=0666,mode=620,gid=5")
	s.mount("tmpfs", dev+"/shm", "tmpfs", 0, "mode=1777")
	s.link("pts/ptmx", dev+"/ptmx")
	for name, fd := range map[string]string{"fd": "", "stdin": "/0", "stdout": "/1", "stderr": "/2"} {
		s.link("/proc/self/fd"+fd, dev+"/"+name)
	}
}

// units leaves a quiet boot: journald, dbus and what basic.target wants.
func (s *steps) units(dir string) {
	old, err := filepath.Glob(dir + "/*.wants")
	s.do("glob", err)
	for _, d := range old {
		s.do("remove", os.RemoveAll(d))
	}
	s.mkdirs(dir)
	for _, u := range quiet {
		s.link("/dev/null", dir+"/"+u)
	}
	s.write(dir+"/box.target", "[Unit]\nRequires=basic.target dbus.socket\nAfter=basic.target dbus.socket\nAllowIsolate=yes\n")
}
