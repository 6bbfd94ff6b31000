package gen

import (
	"path/filepath"
	"strings"
)

// The names of the files, as nv-session-simple has them.
const (
	serverFile     = "srv.js"
	configFile     = "nvsess.toml"
	internalFile   = "iclient.js"
	externalFile   = "eclient.js"
	pageFile       = "bclient.js"
	classFile      = "bwcls.js"
	nginxFile      = "nginx.conf.part"
	adminSocket    = "admin.sock"
	testPageFile   = "tst-browser.js"
	testClientFile = "tst-eclient.js"
	testServerFile = "tst-server-and-iclient.js"
)

// daemonConfig is what the template of nvsess.toml wants.
type daemonConfig struct {
	Listen, Mode, Admin string
	Subprotocols        []string
	Cert, Key           string
	Handlers            string
	Unix                bool
	Group, NoGroup      string
}

// serverFiles are the handlers and the configuration.
func (o *Options) serverFiles() (files []File, warnings []string, err error) {
	srv, err := fill(serverFile, o)
	if err != nil {
		return nil, nil, err
	}
	c := daemonConfig{Mode: "handlers", Subprotocols: o.Subprotocols, Unix: o.InternalIsSocket, Handlers: o.path(serverFile)}
	if o.Forward {
		c.Mode = "forward"
	}
	admin, err := checkSocketPath(o.path(adminSocket))
	if err != nil {
		return nil, nil, usageErrorf("the operator's socket %q: %w; -d names another directory", o.path(adminSocket), err)
	}
	c.Admin = "unix:" + escapePercent(admin)
	if o.InternalIsSocket {
		c.Listen = "unix:" + escapePercent(o.InternalSocket)
		c.Group, c.NoGroup = socketGroup(o.NginxUser)
		if c.Group == "" {
			warnings = append(warnings, c.NoGroup+", so nginx may not be able to connect to the socket; see [socket] in "+configFile)
		} else if d := closedTo(o.NginxUser, o.InternalSocket); d != "" {
			warnings = append(warnings, o.NginxUser+" may not enter "+showPath(d)+", so nginx cannot reach the socket; -u names another place")
		}
		if o.InternalTLS {
			warnings = append(warnings, "-S is useless with a unix socket, where there is no TLS")
		}
	} else {
		c.Listen = "tcp:" + hostPort(loopback, o.InternalPort)
		if o.InternalTLS {
			c.Cert, c.Key = o.InternalCert, o.InternalKey
		}
	}
	conf, err := fill(configFile, c)
	if err != nil {
		return nil, nil, err
	}
	return []File{o.file(serverFile, srv), o.file(configFile, conf)}, warnings, nil
}

// escapePercent keeps nvsessd from reading "%t" as the runtime directory.
func escapePercent(s string) string { return strings.ReplaceAll(s, "%", "%%") }

func (o *Options) path(name string) string { return filepath.Join(o.Dir, name) }

func (o *Options) file(name string, data []byte) File {
	return File{Path: o.path(name), Data: data, Mode: 0o644}
}
