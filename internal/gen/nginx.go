package gen

import (
	"context"
	"os"
	"os/exec"
	"strings"
	"time"
)

// nginxPart is what the template of nginx's part wants.
type nginxPart struct {
	Listen         []string // parameters, quoted
	HTTP2Directive bool
	ServerName     string
	TLS            bool
	Cert, Key      string
	Route          string
	Upstream       string
}

func (o *Options) nginxPart() ([]byte, error) {
	p := nginxPart{TLS: o.ExternalTLS, Cert: o.ExternalCert, Key: o.ExternalKey, Route: o.ExternalRoute, Upstream: o.upstream()}
	port := o.ExternalPort
	if port == 0 {
		port = 80
		if o.ExternalTLS {
			port = 443 // nginx's own default is 80 even then
		}
	}
	// The default backlog, 511, is too short for everybody coming back at once; the kernel cuts it to net.core.somaxconn.
	params := " backlog=16384"
	if o.ExternalTLS {
		params = " ssl" + params
	}
	if o.HTTP2 {
		if p.HTTP2Directive = o.hasHTTP2Directive(); !p.HTTP2Directive {
			params += " http2"
		}
	}
	addresses := []string{hostPort(o.ExternalIP, port)}
	if isName(o.ExternalIP) && o.ExternalIP != "localhost" {
		// nginx would look the name up when it starts, and might find an address that is not this machine's.
		p.ServerName = o.ExternalIP
		addresses = []string{itoa(port), "[::]:" + itoa(port)}
	}
	for _, a := range addresses {
		p.Listen = append(p.Listen, a+params)
	}
	return fill("nginx.conf.part", p)
}

// upstream is the address nginx passes requests to. A path in it takes the place of the route; without, the path goes on as it came.
func (o *Options) upstream() string {
	if o.InternalIsSocket {
		return "http://unix:" + o.InternalSocket
	}
	u := "http://" + hostPort(o.InternalIP, o.InternalPort)
	if o.InternalRoute != o.ExternalRoute {
		u += o.InternalRoute
	}
	return u
}

// hasHTTP2Directive says whether nginx has "http2 on", which replaced a parameter of listen. The parameter is understood by all.
func (o *Options) hasHTTP2Directive() bool {
	v := o.NginxVersion
	if v == [3]int{} {
		v = installedNginx()
	}
	return v[0] > 1 || v[0] == 1 && (v[1] > 25 || v[1] == 25 && v[2] >= 1)
}

// installedNginx is the version of this machine's nginx, zero if it has none.
func installedNginx() [3]int {
	path, err := exec.LookPath("nginx")
	if err != nil {
		path = "/usr/sbin/nginx" // often not in a user's PATH
	}
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, path, "-v").CombinedOutput()
	if err != nil {
		return [3]int{}
	}
	_, after, _ := strings.Cut(string(out), "nginx/")
	v, _ := checkNginxVersion(after) // zero if it is not one
	return v
}

// warnMissing says which of a server's files are missing.
func warnMissing(paths ...string) []string {
	var warnings []string
	for _, p := range paths {
		info, err := os.Stat(p)
		switch {
		case err != nil:
			warnings = append(warnings, showPath(p)+" cannot be read ("+reason(err).Error()+"); the server needs it to start")
		case !info.Mode().IsRegular():
			warnings = append(warnings, showPath(p)+" is not a file; the server needs one to start")
		}
	}
	return warnings
}
