package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

const (
	peersDir = "bench/peers"
	nodeDir  = "bench/peers/node"
)

// built is what can be measured, and why the rest cannot.
type built struct {
	servers []server
	skipped []string
}

// build compiles the load generator, which must succeed, and each kind of server
// once. A server that cannot be built here is left out and named.
func build(ctx context.Context, dir string, servers []server, log io.Writer) (built, error) {
	var b built
	if why := goBuild(ctx, ".", "./bench/loadgen", filepath.Join(dir, "loadgen")); why != "" {
		return b, fmt.Errorf("loadgen: %s", why)
	}
	reasons := map[kind]string{}
	for _, s := range servers {
		why, done := reasons[s.kind]
		if !done {
			fmt.Fprintf(log, "building what %s needs\n", s.name)
			why = buildKind(ctx, dir, s.kind)
			reasons[s.kind] = why
		}
		if err := ctx.Err(); err != nil {
			return b, err
		}
		if why != "" {
			b.skipped = append(b.skipped, s.name+": "+why)
			fmt.Fprintf(log, "%s is left out: %s\n", s.name, why)
			continue
		}
		b.servers = append(b.servers, s)
	}
	return b, nil
}

// buildKind returns why it cannot be done, nothing if it is.
func buildKind(ctx context.Context, dir string, k kind) string {
	switch k {
	case kindDaemon:
		return goBuild(ctx, ".", "./cmd/nvsessd", filepath.Join(dir, "nvsessd"))
	case kindGo:
		return goBuild(ctx, peersDir, ".", filepath.Join(dir, "peers"))
	case kindNode:
		if _, err := os.Stat(filepath.Join(nodeDir, "node_modules")); err != nil {
			return "its packages are not installed (npm ci in " + nodeDir + ")"
		}
		return command(ctx, nodeDir, "node", "-e", "require('ws'); require('websocket')")
	case kindC:
		return command(ctx, filepath.Join(peersDir, "floor"), "cc", "-O2", "-Wall", "-o", filepath.Join(dir, "floor"), "floor.c")
	}
	return "unknown kind"
}

// goBuild builds as anybody would, without the race detector or debugging flags.
func goBuild(ctx context.Context, where, pkg, out string) string {
	return command(ctx, where, "go", "build", "-o", out, pkg)
}

// command runs a program and returns the last line it wrote if it fails.
func command(ctx context.Context, where, name string, args ...string) string {
	var out bytes.Buffer
	c := exec.CommandContext(ctx, name, args...)
	c.Dir, c.Stdout, c.Stderr = where, &out, &out
	c.SysProcAttr = childAttributes()
	if err := c.Run(); err != nil {
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		why := err.Error() + " " + lines[len(lines)-1]
		// The document must not tell where the repository lies.
		if root, err := os.Getwd(); err == nil {
			why = strings.ReplaceAll(why, root+"/", "")
		}
		return strings.TrimSpace(why)
	}
	return ""
}
