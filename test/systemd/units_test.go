package systemd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/internal/selfsigned"
	"github.com/nvsess/nvsess/test/systembox"
)

const (
	nginxUse = "../../deploy/nginx/nvsess.conf"
	sysctls  = "../../deploy/sysctl.d/90-nvsess.conf"
)

var units = []string{"nvsessd.service", "nvsessd.socket", "nvsessd-admin.socket"}

// The score is systemd's sum of what the service could do, 10 being everything. systemd 252 gives it 0.5, and 1.3 with the drop-in that
// lets it connect to other hosts; newer ones weigh some more.
func TestServiceIsConfined(t *testing.T) {
	systembox.Need(t, "systemd-analyze")
	alone := filepath.Join(t.TempDir(), "nvsessd.service") // a directory beside it with drop-ins counts
	data, err := os.ReadFile(filepath.Join(systembox.UnitDir, "nvsessd.service"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(alone, data, 0o600); err != nil {
		t.Fatal(err)
	}
	for unit, most := range map[string]string{alone: "10", filepath.Join(systembox.UnitDir, "nvsessd.service"): "15"} {
		cmd := exec.Command("systemd-analyze", "security", "--offline=true", "--threshold="+most, "--no-pager", unit)
		if out, err := cmd.CombinedOutput(); err != nil {
			if strings.Contains(string(out), "unrecognized option") || strings.Contains(string(out), "Unknown option") {
				t.Skip("this systemd-analyze has no --offline")
			}
			t.Errorf("%s: exposure above %s tenths: %v\n%s", unit, most, err, out)
		}
	}
}

// nginx takes the file as it is shipped, but for the places of certificate and sockets.
func TestNginxTakesTheConfiguration(t *testing.T) {
	systembox.Need(t, "nginx")
	dir := t.TempDir()
	selfsigned.Files(t, dir, host)
	data, err := os.ReadFile(nginxUse)
	if err != nil {
		t.Fatal(err)
	}
	shipped := strings.ReplaceAll(string(data), "/etc/nvsess/tls", dir)
	shipped = regexp.MustCompile(`listen (\[::]:)?(\d+)`).ReplaceAllString(shipped, "listen unix:"+dir+"/$1$2")
	conf := filepath.Join(dir, "nginx.conf")
	main := "pid " + dir + "/pid;\nerror_log stderr;\nevents {}\nhttp {\naccess_log off;\n" + temporary(dir) + shipped + "}\n"
	if err := os.WriteFile(conf, []byte(main), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := systembox.Output(t, exec.Command("nginx", "-t", "-q", "-p", dir, "-c", conf)); out != "" {
		t.Errorf("nginx -t: %s", out)
	}
}

// temporary keeps nginx from the directories of the machine's own.
func temporary(dir string) string {
	var b strings.Builder
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		b.WriteString(kind + "_temp_path " + filepath.Join(dir, kind) + ";\n")
	}
	return b.String()
}

var setting = regexp.MustCompile(`(?m)^([a-z][a-z0-9_.]+) = (.+)$`)

// The real tool sets the real kernel's values, in a network namespace that ends with it; what is set there concerns nobody else.
func TestSysctls(t *testing.T) {
	const tool = "/lib/systemd/systemd-sysctl"
	systembox.Need(t, "unshare", tool)
	if os.Geteuid() != 0 {
		t.Skip("only root may make a network namespace")
	}
	data, err := os.ReadFile(sysctls)
	if err != nil {
		t.Fatal(err)
	}
	path, err := filepath.Abs(sysctls)
	if err != nil {
		t.Fatal(err)
	}
	settings := setting.FindAllStringSubmatch(string(data), -1)
	if len(settings) == 0 {
		t.Fatal("the file sets nothing")
	}
	args := []string{"--net", "sh", "-ec", tool + ` "$0"; cd /proc/sys; for k; do cat $k; done`, path}
	var want []string
	for _, s := range settings {
		if !strings.HasPrefix(s[1], "net.") {
			t.Fatalf("%s is not of a network namespace and must not be tried", s[1])
		}
		args = append(args, strings.ReplaceAll(s[1], ".", "/"))
		want = append(want, s[2])
	}
	got := strings.Split(strings.TrimSpace(strings.ReplaceAll(systembox.Output(t, exec.Command("unshare", args...)), "\t", " ")), "\n")
	if g, w := strings.Join(got, "\n"), strings.Join(want, "\n"); g != w {
		t.Errorf("the kernel has\n%s\nnot\n%s", g, w)
	}
	for _, key := range []string{"fs.file-max", "fs.nr_open", "net.ipv4.ip_local_port_range", "net.ipv4.tcp_mem", "net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem", "nofile"} {
		if !strings.Contains(string(data), key) {
			t.Errorf("%s, which nv-session-simple sets, is not spoken of", key)
		}
	}
}
