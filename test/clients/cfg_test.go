package clients

import (
	"io"
	"testing"
)

// The ___cfg___ must not come with the bytes that complete the handshake: stock
// Node clients, which await the connection before they listen, would miss it.
func TestCfgReachesClients(t *testing.T) {
	needNode(t)
	d := start(t, "forward", "")
	for _, library := range libraries {
		t.Run(library, func(t *testing.T) {
			heard := 0
			node(t, func(string, io.WriteCloser) { heard++ }, "cfg.js", library, d.url, "20000", "30")
			if heard != 1 {
				t.Error("the clients did not say their session ids")
			}
		})
	}
}
