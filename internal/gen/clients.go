package gen

import (
	"net/url"
	"strconv"

	"github.com/nvsess/nvsess/web"
)

// clientData is what the templates of clients want.
type clientData struct {
	Function     string
	Require      string
	URL          string
	Subprotocols []string
}

// externalURL is where clients elsewhere connect: nginx.
func (o *Options) externalURL() string {
	scheme := "ws"
	if o.ExternalTLS {
		scheme = "wss"
	}
	return scheme + "://" + hostPort(o.clientHost(), o.ExternalPort) + o.ExternalRoute
}

// clientHost is the address to connect to. One to listen at everywhere is none; then it is this machine's.
func (o *Options) clientHost() string {
	if anyAddress(o.ExternalIP) {
		return PrimaryAddress()
	}
	return o.ExternalIP
}

func (o *Options) warnAnyAddress() []string {
	if !anyAddress(o.ExternalIP) {
		return nil
	}
	return []string{o.ExternalIP + " is no address to connect to; the clients have " + o.clientHost()}
}

// internalURL is where clients on this machine connect: nvsessd.
func (o *Options) internalURL() string {
	switch {
	case o.InternalIsSocket:
		return "ws+unix://" + (&url.URL{Path: o.InternalSocket}).EscapedPath()
	case o.InternalTLS:
		return "wss://127.0.0.1:" + strconv.Itoa(o.InternalPort) + "/"
	}
	return "ws://127.0.0.1:" + strconv.Itoa(o.InternalPort) + "/"
}

func (o *Options) internalClient() (File, error) {
	return o.client("client.js", internalFile, clientData{Require: "./iclient", URL: o.internalURL(), Subprotocols: o.Subprotocols})
}

func (o *Options) externalClient() (File, error) {
	return o.client("client.js", externalFile, clientData{Require: "./eclient", URL: o.externalURL(), Subprotocols: o.Subprotocols})
}

func (o *Options) pageClient() (File, error) {
	return o.client("bclient.js", pageFile, clientData{Function: o.Function, URL: o.externalURL(), Subprotocols: o.Subprotocols})
}

func (o *Options) client(template, name string, data clientData) (File, error) {
	text, err := fill(template, data)
	return o.file(name, text), err
}

// class is the file with Bwsess, which the clients need beside them.
func (o *Options) class() File {
	return File{Path: o.path(classFile), Data: web.Script(), Mode: 0o644, Shared: true}
}
