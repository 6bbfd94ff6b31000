package main

import (
	"fmt"
	"os"
	"path/filepath"
)

// answerHandlers is what makes nvsessd forward and answer in JavaScript.
const answerHandlers = "bench/handlers/answer.js"

// subject is the server all others are compared with.
const subject = "nvsessd"

// server is one that can be measured.
type server struct {
	name      string
	kind      kind
	about     string // what it is and how it is set up, for the document
	nvSession bool   // speaks nv-session's keepalive, so nv-session-simple's load makes sense
}

// kind says how a server is built and started.
type kind int

const (
	kindDaemon kind = iota
	kindGo
	kindNode
	kindC
)

// allServers in the order of the table.
var allServers = []server{
	{subject, kindDaemon, "this project, all of its features on: records, keepalive, limits, bounded queues, UTF-8 checked", true},
	{"gws", kindGo, "Go; net/http upgrade, ReadLoop in a goroutine, Broadcaster, no compression; UTF-8 not checked (its default)", true},
	{"gorilla", kindGo, "Go; net/http upgrade, 1 KiB buffers, pooled write buffers, PreparedMessage; UTF-8 not checked (it never does)", false},
	{"gobwas", kindGo, "Go; naive: a goroutine for each connection, ws.Upgrade, wsutil, CompileFrame once for all; UTF-8 checked", false},
	{"ws", kindNode, "Node; defaults, no compression; bufferutil's native add-on loaded", false},
	{"websocket", kindNode, "Node; set up and used as nv-session-simple does (keepalive timers, JSON parsed, and printed again for each recipient) but without its pacing of handshakes; bufferutil's and utf-8-validate's native add-ons loaded", true},
	{"floor", kindC, "C; what the kernel alone costs at one write for each delivery: parses next to nothing, no session, no check; a server that joins the replies of one read in one write can be below it", true},
}

// instance is a server about to be started for one measurement.
type instance struct {
	server
	bin      string // directory of the built programs
	dir      string // of its own, for its socket
	mode     string // echo, forward, idle, or answer: forward, and answer the sender
	interval int    // keepalive in seconds, 0 for the server's own default
}

func (i instance) socket() string { return filepath.Join(i.dir, "s") }

// command gives the program and its arguments, and writes what it needs.
func (i instance) command() ([]string, error) {
	listen := "unix:" + i.socket()
	var argv []string
	switch i.kind {
	case kindDaemon:
		mode := i.mode
		var more []string
		switch mode {
		case "idle":
			mode = "handlers"
		case "answer":
			mode, more = "handlers", []string{"-handlers", answerHandlers}
		}
		var conf string
		if i.interval > 0 {
			conf = fmt.Sprintf("[keepalive]\ninterval = \"%ds\"\n", i.interval)
		}
		file := filepath.Join(i.dir, "nvsess.toml")
		if err := os.WriteFile(file, []byte(conf), 0o600); err != nil {
			return nil, err
		}
		admin := filepath.Join(i.dir, "admin.sock")
		argv = []string{filepath.Join(i.bin, "nvsessd"), "-config", file, "-listen", listen, "-admin", admin, "-mode", mode}
		return append(argv, more...), nil
	case kindGo:
		argv = []string{filepath.Join(i.bin, "peers"), "-peer", i.name}
	case kindNode:
		argv = []string{"node", filepath.Join(nodeDir, i.name+".js")}
	case kindC:
		return []string{filepath.Join(i.bin, "floor"), i.socket(), i.mode}, nil
	}
	argv = append(argv, "-listen", listen, "-mode", i.mode)
	if i.nvSession && i.interval > 0 {
		argv = append(argv, "-keepalive", fmt.Sprintf("%ds", i.interval))
	}
	return argv, nil
}
