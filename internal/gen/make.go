package gen

import (
	"path/filepath"
	"strings"

	"github.com/nvsess/nvsess/web"
)

func makeNginx(o *Options, out *Output) error {
	part, err := o.nginxPart()
	if err != nil {
		return err
	}
	if o.ExternalTLS {
		out.warn(warnMissing(o.ExternalCert, o.ExternalKey)...)
	}
	if o.Output == "" {
		out.Text = part
		return nil
	}
	out.Files = []File{{Path: o.Output, Data: part, Mode: 0o644}}
	out.note("written: %s", showPath(o.Output))
	out.noteNginx(o, o.Output)
	return nil
}

func (out *Output) noteNginx(o *Options, part string) {
	out.note("  put the parts of %s where their comments say, then: nginx -t && nginx -s reload", QuoteShell(part))
}

func makeServer(o *Options, out *Output) error {
	if o.SelfSigned && (!o.InternalTLS || o.InternalIsSocket) {
		return usageErrorf("--self_signed makes a certificate for -S with -k false")
	}
	files, warnings, err := o.serverFiles()
	if err != nil {
		return err
	}
	out.Files = files
	out.warn(warnings...)
	if o.InternalTLS && !o.InternalIsSocket {
		if err := out.certificate(o, loopback, o.InternalCert, o.InternalKey); err != nil {
			return err
		}
	}
	out.noteFiles(o.Dir)
	out.note("next:")
	out.noteDaemon(o)
	if o.InternalTLS && !o.InternalIsSocket {
		out.note("nginx, if it is in front, needs https in its proxy_pass: https://%s", hostPort(loopback, o.InternalPort))
	}
	return nil
}

// certificate makes one, or says if it is missing.
func (out *Output) certificate(o *Options, host, cert, key string) error {
	if !o.SelfSigned {
		out.warn(warnMissing(cert, key)...)
		return nil
	}
	files, err := selfSignedFiles(host, cert, key)
	out.Files = append(out.Files, files...)
	return err
}

func makeInternalClient(o *Options, out *Output) error {
	client, err := o.internalClient()
	if err != nil {
		return err
	}
	out.Files = []File{client, o.class()}
	out.noteFiles(o.Dir)
	out.noteNode(o, internalFile)
	if o.InternalTLS && !o.InternalIsSocket {
		out.note("with a certificate that no authority signed: NODE_EXTRA_CA_CERTS=ssl.crt node")
	}
	return nil
}

func makeExternalClient(o *Options, out *Output) error {
	client, err := o.externalClient()
	if err != nil {
		return err
	}
	out.Files = []File{client, o.class()}
	out.warn(o.warnAnyAddress()...)
	out.noteFiles(o.Dir)
	out.noteNode(o, externalFile)
	if o.ExternalTLS {
		out.note("with a certificate that no authority signed: NODE_EXTRA_CA_CERTS=ssl.crt node")
	}
	return nil
}

func (out *Output) noteNode(o *Options, name string) {
	out.note("next, in that directory:")
	out.note("  node")
	out.note("  > var c0 = await require(\"./%s\")()", strings.TrimSuffix(name, ".js"))
	out.note("  > await c0.sess_.conn_.ajsend({ hello: \"world\" })")
}

func makePageClient(o *Options, out *Output) error {
	client, err := o.pageClient()
	if err != nil {
		return err
	}
	out.Files = []File{client}
	out.warn(o.warnAnyAddress()...)
	out.noteFiles(o.Dir)
	out.note("next, in a page that has loaded the class (nvsessctl bw > %s) and this file:", classFile)
	out.note("  var c0 = await %s()", o.Function)
	return nil
}

func makeApp(o *Options, out *Output) error {
	part, err := o.nginxPart()
	if err != nil {
		return err
	}
	server, warnings, err := o.serverFiles()
	if err != nil {
		return err
	}
	out.warn(warnings...)
	out.warn(o.warnAnyAddress()...)
	out.Files = append(server, o.file(nginxFile, part), o.class())
	for _, one := range []func() (File, error){o.internalClient, o.externalClient, o.pageClient} {
		f, err := one()
		if err != nil {
			return err
		}
		out.Files = append(out.Files, f)
	}
	for _, name := range []string{testServerFile, testClientFile, testPageFile} {
		text, err := fill(name, o)
		if err != nil {
			return err
		}
		out.Files = append(out.Files, o.file(name, text))
	}
	if err := out.certificate(o, o.clientHost(), o.ExternalCert, o.ExternalKey); err != nil {
		return err
	}
	out.noteApp(o)
	return nil
}

func (out *Output) noteApp(o *Options) {
	out.noteFiles(o.Dir)
	if !o.SelfSigned && len(warnMissing(o.ExternalCert, o.ExternalKey)) > 0 {
		out.note("a certificate for tests, as --self_signed makes one:")
		out.note("  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 397 -subj /CN=nvsess -addext %s -out %s -keyout %s",
			QuoteShell("subjectAltName="+altName(o.clientHost())), QuoteShell(o.ExternalCert), QuoteShell(o.ExternalKey))
	}
	out.note("0. nginx")
	out.noteNginx(o, o.path(nginxFile))
	out.note("1. the server, and a client beside it")
	out.noteDaemon(o)
	out.note("  cd %s && node %s", QuoteShell(o.Dir), testServerFile)
	out.note("2. a page")
	out.note("  open https://%s/ (that it says \"Upgrade Required\" is right), paste %s, %s and %s into its console, then",
		hostPort(o.clientHost(), o.ExternalPort), classFile, pageFile, testPageFile)
	out.note("  await tst(20)")
	out.note("3. clients, here or on another machine with %s, %s and %s", classFile, externalFile, testClientFile)
	trust := ""
	if o.SelfSigned {
		trust = "NODE_EXTRA_CA_CERTS=" + QuoteShell(relative(o.Dir, o.ExternalCert)) + " "
	}
	out.note("  cd %s && ulimit -n 60000; %snode %s 4000", QuoteShell(o.Dir), trust, testClientFile)
}

func altName(host string) string {
	if isName(host) {
		return "DNS:" + host
	}
	return "IP:" + host
}

// relative is a path as seen from a directory, if it lies in it.
func relative(dir, path string) string {
	if rel, err := filepath.Rel(dir, path); err == nil && filepath.IsLocal(rel) {
		return rel
	}
	return path
}

func makeRequestShape(_ *Options, out *Output) error {
	out.Text = []byte(requestShape)
	return nil
}

func makeClass(o *Options, out *Output) error {
	switch {
	case o.Module && o.Types:
		return usageErrorf("--module or --types, not both")
	case o.Module:
		out.Text = web.Module()
	case o.Types:
		out.Text = web.Types()
	default:
		out.Text = web.Script()
	}
	return nil
}
