package attacks

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// swarmEnv makes the test binary hold connections that never speak: "COUNT PATH".
// A process has too few descriptors for all of them.
const swarmEnv = "NVSESS_ATTACKS_SWARM"

// swarm connects, says "connected", and lets go when its input ends.
func swarm() int {
	count, path, _ := strings.Cut(os.Getenv(swarmEnv), " ")
	n, err := strconv.Atoi(count)
	if err != nil {
		panic(err)
	}
	var all []net.Conn
	for range n {
		c, err := dial("unix", path)
		if err != nil {
			fmt.Println("after", len(all), "connections:", err)
			return 1
		}
		all = append(all, c)
	}
	fmt.Println("connected")
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range all {
		c.Close()
	}
	return 0
}

// aswarm starts a swarm; letGo ends it. connected is closed when all of it is
// connected, be it to the kernel's backlog only.
func aswarm(t *testing.T, n int, path string) (connected <-chan struct{}, letGo func()) {
	t.Helper()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), fmt.Sprintf("%s=%d %s", swarmEnv, n, path))
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	all := make(chan struct{})
	go func() {
		defer close(all)
		if line, err := bufio.NewReader(out).ReadString('\n'); line != "connected\n" {
			t.Errorf("the swarm said %q, %v", line, err)
		}
	}()
	return all, func() {
		in.Close()
		<-all
		if err := cmd.Wait(); err != nil {
			t.Errorf("the swarm: %v", err)
		}
	}
}
