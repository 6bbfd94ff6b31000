package nvsessd

import (
	"os/exec"
	"testing"
)

// Lines come in pieces, in either format, and the last one may have no end.
func TestLogged(t *testing.T) {
	p := &Process{Cmd: exec.Command("sh", "-c", `exec >&2; printf 'no log\n{"level":"info","msg":"be'; read go
printf 'gun","mode":"echo"}\n12:00:00.000\tWARN\tready\t{"listen":["unix:/x"]}\n'; printf '{"msg":"over"}'; exit 3`)}
	in, err := p.Cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.Start(t)
	p.Until("the first piece", func() bool { return p.Count("be") == 1 })
	in.Close()
	if l := p.Logged("begun"); l.Level != "info" || l.Mode != "echo" {
		t.Errorf("%+v", l)
	}
	if l := p.Logged("ready"); len(l.Listen) != 1 || l.Listen[0] != "unix:/x" {
		t.Errorf("%+v", l)
	}
	p.Logged("over")
	p.Ends(3)
	if n := p.Count(`"msg"`); n != 2 {
		t.Errorf("%d lines have a message", n)
	}
	if err := p.Await("another end", func() bool { return false }); err == nil {
		t.Error("what cannot come any more is waited for")
	}
}
