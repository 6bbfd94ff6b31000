package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"runtime"
	"strings"
)

// thisMachine is one line about what the figures were measured on.
func thisMachine(ctx context.Context) string {
	parts := []string{
		fmt.Sprintf("%d cores (%s)", runtime.NumCPU(), fieldOf("/proc/cpuinfo", "model name")),
	}
	var kb int64
	if _, err := fmt.Sscanf(fieldOf("/proc/meminfo", "MemTotal"), "%d kB", &kb); err == nil {
		parts = append(parts, fmt.Sprintf("%d GB", (kb+1<<19)>>20))
	}
	if b, err := os.ReadFile("/proc/sys/kernel/osrelease"); err == nil {
		// The number alone: what follows names who built it.
		parts = append(parts, "Linux "+regexp.MustCompile(`^[0-9.]+`).FindString(string(b)))
	}
	parts = append(parts, strings.Replace(runtime.Version(), "go", "Go ", 1))
	if out, err := exec.CommandContext(ctx, "node", "--version").Output(); err == nil {
		parts = append(parts, "Node "+strings.TrimPrefix(strings.TrimSpace(string(out)), "v"))
	}
	return strings.Join(parts, ", ")
}

// fieldOf finds "name : value" in a file of /proc.
func fieldOf(path, name string) string {
	f, err := os.Open(path)
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if k, v, ok := strings.Cut(s.Text(), ":"); ok && strings.TrimSpace(k) == name {
			return strings.TrimSpace(v)
		}
	}
	return "unknown"
}

// versions of the libraries the peers are built on, as they are pinned.
func versions() []string {
	var v []string
	for _, where := range []struct{ file, pattern string }{
		{peersDir + "/go.mod", `(?m)^\s+(github\.com/(?:lxzan/gws|gorilla/websocket|gobwas/ws)) (v\S+)$`},
		{nodeDir + "/package.json", `"(ws|websocket|bufferutil|utf-8-validate)": "([^"]+)"`},
	} {
		b, err := os.ReadFile(where.file)
		if err != nil {
			continue
		}
		for _, m := range regexp.MustCompile(where.pattern).FindAllStringSubmatch(string(b), -1) {
			v = append(v, m[1]+" "+m[2])
		}
	}
	return v
}
