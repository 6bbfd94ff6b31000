package gen

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/nvsess/nvsess/test/nginx"
)

// run makes what a command line asks for, and stops the test if it cannot.
func run(t *testing.T, line ...string) *Output {
	t.Helper()
	c, rest, ok := Find(line)
	if !ok {
		t.Fatalf("no command in %q", line)
	}
	out, err := c.Run(rest)
	if err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	return out
}

// nginxConf puts the parts where their comments say.
func nginxConf(t *testing.T, dir, part string) string {
	t.Helper()
	main, http, ok := strings.Cut(part, "#----$http_upgrade-----")
	if !ok {
		t.Fatal("the parts are not marked")
	}
	conf := main + "pid " + dir + "/pid;\nerror_log stderr;\nhttp {\naccess_log off;\n"
	for _, kind := range []string{"client_body", "proxy", "fastcgi", "uwsgi", "scgi"} {
		conf += kind + "_temp_path " + filepath.Join(dir, kind) + ";\n"
	}
	path := filepath.Join(dir, "nginx.conf")
	put(t, path, conf+http+"}\n")
	return path
}

// nginxTakes runs nginx -t.
func nginxTakes(t *testing.T, dir string, part []byte) {
	t.Helper()
	conf := nginxConf(t, dir, string(part))
	if out, err := exec.Command("nginx", "-t", "-q", "-p", dir, "-c", conf).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("nginx -t: %v\n%s\n%s", err, out, part)
	}
}

func needNginx(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("nginx"); err != nil {
		t.Skip("no nginx")
	}
}

func writeCertificate(t *testing.T, cert, key string) {
	t.Helper()
	files, err := selfSignedFiles("127.0.0.1", cert, key)
	if err != nil {
		t.Fatal(err)
	}
	if err := WriteFiles(files, false); err != nil {
		t.Fatal(err)
	}
}

func TestNginxTakesThePart(t *testing.T) {
	needNginx(t)
	dir := t.TempDir()
	cert, key := filepath.Join(dir, "ssl.crt"), filepath.Join(dir, "ssl.key")
	writeCertificate(t, cert, key)
	port := nginx.FreePort(t)
	for _, address := range [][]string{{"-I", "127.0.0.1"}, {"-I", "::1"}, {"-I", "[::1]"}, {"-I", "localhost"}, {"-I", "chat.example.com"}, {"-I", "0.0.0.0"}} {
		if l, err := net.Listen("tcp", "[::1]:0"); err == nil {
			l.Close()
		} else if strings.Contains(address[1], ":") || strings.Contains(address[1], "example") {
			continue // no IPv6 here
		}
		for _, tls := range [][]string{{}, {"-T"}, {"-S", "false"}} {
			for _, upstream := range [][]string{{"-u", filepath.Join(dir, "sock")}, {"-k", "false"}, {"-k", "false", "-i", "::1", "-p", "8080"}, {"-k", "false", "-r", "/in/", "-i", "localhost"}} {
				for _, route := range [][]string{{}, {"-R", "/chat/v1.0"}} {
					line := []string{"nv_sess_nginx", "-P", port, "-C", cert, "-K", key}
					for _, part := range [][]string{address, tls, upstream, route} {
						line = append(line, part...)
					}
					out := run(t, line...)
					if len(out.Warnings) > 0 {
						t.Errorf("%q: %q", line, out.Warnings)
					}
					nginxTakes(t, dir, out.Text)
				}
			}
		}
	}
}

// Names that would be something else if they were not quoted: nginx finds the files only if it reads the names as they are.
func TestNginxReadsQuotedNames(t *testing.T) {
	needNginx(t)
	dir := t.TempDir()
	port := nginx.FreePort(t)
	for _, name := range []string{"a b", "a;b", "a}", "{a", `"`, "'", `a"; evil on; "`, `a\b`, `a\`, `\n`, "#a", "ä", "~ a", "= a"} {
		cert, key := filepath.Join(dir, name+".crt"), filepath.Join(dir, name+".key")
		writeCertificate(t, cert, key)
		out := run(t, "gen", "nginx", "-I", "127.0.0.1", "-P", port, "-C", cert, "-K", key, "-u", filepath.Join(dir, name))
		if len(out.Warnings) > 0 {
			t.Errorf("%q: %q", name, out.Warnings)
		}
		nginxTakes(t, dir, out.Text)
	}
}

func TestNginxListen(t *testing.T) {
	for _, test := range []struct{ line, want string }{
		{"-I 192.168.1.103 -P 18888", "listen 192.168.1.103:18888 ssl backlog=16384;"},
		{"-I 192.168.1.103", "listen 192.168.1.103:443 ssl backlog=16384;"},
		{"-I 192.168.1.103 -S false", "listen 192.168.1.103:80 backlog=16384;"},
		{"-I fe80::1 -P 1", "listen [fe80::1]:1 ssl backlog=16384;"},
		{"-I example.com", "listen 443 ssl backlog=16384;\n    listen [::]:443 ssl backlog=16384;\n    server_name example.com;"},
		{"-I 10.0.0.1 -T --nginx_version 1.22.1", "listen 10.0.0.1:443 ssl backlog=16384 http2;\n\n"},
		{"-I 10.0.0.1 -T --nginx_version 1.25.0", "listen 10.0.0.1:443 ssl backlog=16384 http2;\n\n"},
		{"-I 10.0.0.1 -T --nginx_version 1.25.1", "listen 10.0.0.1:443 ssl backlog=16384;\n    http2 on;\n"},
		{"-I 10.0.0.1 -T --nginx_version nginx/2.0", "listen 10.0.0.1:443 ssl backlog=16384;\n    http2 on;\n"},
		{"-u /opt/x/___usock___", "proxy_pass http://unix:/opt/x/___usock___;"},
		{"-k false", "proxy_pass http://127.0.0.1:65512;"},
		{"-k false -i ::1 -p 80 -r /in", "proxy_pass http://[::1]:80/in;"},
		{"-k false -R /chat", "proxy_pass http://127.0.0.1:65512/;"},
		{"-R /chat", "location /chat {"},
		{"-C /a/b.crt -K /a/b.key", "ssl_certificate     /a/b.crt;\n    ssl_certificate_key /a/b.key;"},
	} {
		out := run(t, append([]string{"gen", "nginx"}, strings.Fields(test.line)...)...)
		if !strings.Contains(string(out.Text), test.want) {
			t.Errorf("%s has no\n%s\nbut\n%s", test.line, test.want, out.Text)
		}
	}
}

func TestNginxWarnsOfMissingCertificate(t *testing.T) {
	dir := t.TempDir()
	out := run(t, "gen", "nginx", "-C", filepath.Join(dir, "none.crt"), "-K", dir+"/.")
	if len(out.Warnings) != 2 || !strings.Contains(out.Warnings[0], "none.crt cannot be read (no such file or directory)") ||
		!strings.Contains(out.Warnings[1], "is not a file") || len(out.Text) == 0 {
		t.Errorf("%q", out.Warnings)
	}
	if out := run(t, "gen", "nginx", "-S", "false"); len(out.Warnings) != 0 {
		t.Errorf("without TLS: %q", out.Warnings)
	}
}

// The version is what the installed nginx says; a program that says nothing of the kind is none.
func TestInstalledNginx(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	for says, want := range map[string][3]int{"nginx version: nginx/1.27.3 (Ubuntu)": {1, 27, 3}, "nginx version: openresty/1.21.4.1": {}, "": {}} {
		if err := os.WriteFile(filepath.Join(dir, "nginx"), []byte("#!/bin/sh\necho '"+says+"' >&2\n"), 0o755); err != nil {
			t.Fatal(err)
		}
		if got := installedNginx(); got != want {
			t.Errorf("%q is %v, not %v", says, got, want)
		}
	}
}
