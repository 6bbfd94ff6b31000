package script_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/nvsess/nvsess/client"
	"github.com/nvsess/nvsess/internal/session"
)

func asHandshake(err error, to **client.HandshakeError) bool { return errors.As(err, to) }

// TestServerMembers has a test for each member that nv-session-simple's README
// lists on the server. docs/testbed.md names them.
func TestServerMembers(t *testing.T) {
	t.Parallel()
	for name, f := range serverMembers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f(newBed(t))
		})
	}
}

var serverMembers = map[string]func(b *bed){
	// Handlers, and what gives them back.
	"srv.bin_handle_":  func(b *bed) { givesBack(b, "bin_handle", "DFLT_BIN_HANDLE") },
	"srv.str_handle_":  func(b *bed) { givesBack(b, "str_handle", "DFLT_STR_HANDLE") },
	"srv.json_handle_": func(b *bed) { givesBack(b, "json_handle", "DFLT_JSON_HANDLE") },
	"srv.creq_handle_": func(b *bed) { givesBack(b, "creq_handle", "DFLT_CREQ_HANDLE") },
	"srv.hsrv_handle_": func(b *bed) { givesBack(b, "hsrv_handle", "DFLT_HSRV_HANDLER") },
	"srv.verify_":      func(b *bed) { givesBack(b, "verify", "verify") },
	"srv.on_close_":    func(b *bed) { givesBack(b, "on_close", "DFLT_ON_CLOSE") },
	"srv.regis_$bin_handle$": func(b *bed) {
		b.js("srv.regis_$bin_handle$(async (length, data, conn, sess, self) => {" +
			"conn.jsend([length, Buffer.isBuffer(data), data.toString('hex'), conn === sess.conn_, sess === srv.lst_sess(), self === srv]) })")
		g := b.join()
		if err := g.SendBinary(b.context(), []byte{10, 20, 30}); err != nil {
			b.t.Fatal(err)
		}
		g.hears(`json [3,true,"0a141e",true,true,true]`)
	},
	"srv.regis_$str_handle$": func(b *bed) {
		b.js("srv.regis_$str_handle$((s, conn, sess, self) => conn.jsend([s, conn === sess.conn_, sess === srv.lst_sess(), self === srv]))")
		g := b.join()
		g.sends("hällo")
		g.hears(`json ["hällo",true,true,true]`)
	},
	"srv.regis_$json_handle$": func(b *bed) {
		g := b.join()
		b.js("srv.regis_$json_handle$(async (j, conn, sess, self) => conn.jsend([j, conn === sess.conn_, sess === srv.lst_sess(), self === srv]))")
		g.sends(`{"a":[1,"x"]}`)
		g.hears(`json [{"a":[1,"x"]},true,true,true]`)
		b.js("srv.regis_$json_handle$((j, conn) => conn.ssend('changed'))") // while it is connected
		g.sends(`[]`)
		g.hears("string changed")
		b.fails("srv.regis_$json_handle$('no function')", "a handler is a function")
	},
	"srv.regis_$creq_handle$": func(b *bed) {
		b.js("srv.regis_$creq_handle$(async (j, conn, sess, self) => {" +
			"await conn.send_jrr_sres({asked: j.___data___, type: j.___type___, args: conn === sess.conn_ && self === srv}, j.___id___) })")
		answer, err := b.join().Request(b.context(), map[string]string{"kkkk": "hi"})
		if want := `{"asked":{"kkkk":"hi"},"type":"___creq___","args":true}`; err != nil || string(answer.Data) != want {
			b.t.Errorf("answer: %s, %v", answer.Data, err)
		}
	},
	"srv.regis_$hsrv_handle$": func(b *bed) {
		b.js("srv.regis_$hsrv_handle$(async (req, res) => { res.writeHead(201, {'x-from': req.method}); res.end('for ' + req.path + ' ' + req.headers.host) })")
		res, err := http.Get("http://" + b.tcp + "/status?x=1")
		if err != nil {
			b.t.Fatal(err)
		}
		defer res.Body.Close()
		body, err := io.ReadAll(res.Body)
		if want := "for /status?x=1 " + b.tcp; err != nil || res.StatusCode != 201 || res.Header.Get("X-From") != "GET" || string(body) != want {
			b.t.Errorf("%s %v %q %v", res.Status, res.Header, body, err)
		}
	},
	"srv.regis_$on_close$": func(b *bed) {
		watcher, g := b.join(), b.join()
		b.js("srv.regis_$on_close$((code, reason, conn, sess) => {" +
			"srv.fst_sess().conn_.jsend([code, reason, conn.state, sess.id_, sess.is_active(), srv.sesses_.size]) })")
		if err := g.Close(b.context(), 3001, "bye"); err != nil {
			b.t.Fatal(err)
		}
		watcher.hears(fmt.Sprintf(`json [3001,"bye","closed",%q,false,1]`, g.id))
	},
	"srv.regis_$verify$": func(b *bed) {
		b.js("srv.regis_$verify$((r) => r.httpRequest.headers.host === 'localhost' && r.resourceURL.query.user === '7')")
		b.join()
		if status := b.refused(); status != 403 {
			b.t.Errorf("refused with %d", status)
		}
		b.js("srv.regis_$verify$((r) => true)")
		b.js("srv.regis_$verify$(async (r) => { throw new Error('cannot tell') })")
		if status := b.refused(); status != 500 {
			b.t.Errorf("a hook that fails refuses with %d", status)
		}
	},
	"srv.regis_$after_extract_async_verify$": func(b *bed) {
		b.js("srv.regis_$after_extract_async_verify$(async (hreq) => { await null; return hreq.resourceURL.query.user === '7' })")
		b.join()
		if status := b.refused(); status != 403 {
			b.t.Errorf("refused with %d", status)
		}
	},

	// Who is connected.
	"srv.sesses_": func(b *bed) {
		b.prints("srv.sesses_", "Map(0) {}")
		x, y := b.join(), b.join()
		b.is("srv.sesses_ instanceof Map && srv.sesses_.size === 2 && srv.sesses_.get(srv.fst_sess()) === srv.fst_sess().id_")
		b.prints("[...srv.sesses_.values()].join()", "'"+x.id+","+y.id+"'")
		text := b.js("srv.sesses_")
		for _, part := range []string{"Map(2) {\n  Sess [{\n", `"id": "` + x.id + `",`, `"cookies": [],`, "\"user\": \"7\"", "}] {} => '" + x.id + "',\n", "}] {} => '" + y.id + "'\n}"} {
			if !strings.Contains(text, part) {
				b.t.Errorf("no %q in %s", part, text)
			}
		}
	},
	"srv.fst_sess": func(b *bed) {
		b.is("srv.fst_sess() === undefined")
		x := b.join()
		b.join()
		b.prints("srv.fst_sess().id_", "'"+x.id+"'")
	},
	"srv.lst_sess": func(b *bed) {
		b.is("srv.lst_sess() === undefined")
		b.join()
		b.prints("srv.lst_sess().id_", "'"+b.join().id+"'")
	},
	"srv.get_sess": func(b *bed) {
		b.join()
		y := b.join()
		b.prints("srv.get_sess(1).id_", "'"+y.id+"'")
		b.is("srv.get_sess() === srv.fst_sess() && srv.get_sess(2) === undefined")
	},
	"srv.get_sess_with_conn": func(b *bed) {
		b.join()
		b.join()
		b.is("srv.get_sess_with_conn(srv.get_sess(1).conn_) === srv.get_sess(1) && srv.get_sess_with_conn({}) === undefined")
	},
	"srv.get_sess_with_port": func(b *bed) {
		b.join() // on a unix socket, which has no port: nv-session-simple throws
		g := b.joinAt("ws://" + b.tcp + "/")
		_, port, _ := strings.Cut(g.LocalAddr().String(), ":")
		b.prints("srv.get_sess_with_port("+port+").id_", "'"+g.id+"'")
		b.is("srv.get_sess_with_port(1) === undefined")
	},
	"srv.sess_filter": func(b *bed) {
		b.join()
		g := b.joinAt("ws+unix://" + b.unix + ":/other")
		b.prints("srv.sess_filter((req, conn, id, path) => req.resource === path && conn.is_server_ && id.length === 64, '/other').map((s) => s.id_).join()", "'"+g.id+"'")
		b.is("srv.sess_filter().length === 2")
	},
	"srv.rgx_sess_filter": func(b *bed) {
		b.join()
		g := b.joinAt("ws+unix://" + b.unix + ":/other")
		for _, rgx := range []string{"/oth(er)/", "/OTHER/i", "/ot(?=her)/g", "'/other'"} {
			b.prints("srv.rgx_sess_filter("+rgx+").map((s) => s.id_).join()", "'"+g.id+"'")
		}
		b.is("srv.rgx_sess_filter('/nowhere').length === 0 && srv.rgx_sess_filter().length === 2")
	},

	// To all.
	"srv.enable_forward": func(b *bed) {
		x, y, z := b.join(), b.join(), b.join()
		b.js("srv.enable_forward()")
		x.sends(`{"forward":true, "src":"c0"}`)
		y.hears(`json {"forward":true, "src":"c0"}`)
		z.hears(`json {"forward":true, "src":"c0"}`)
		y.sends("text")
		x.hears("string text")
		z.hears("string text")
		if err := z.SendBinary(b.context(), []byte{1}); err != nil {
			b.t.Fatal(err)
		}
		x.hears("binary 01")
		y.hears("binary 01")
		z.nothing()
	},
	"srv.disable_forward": func(b *bed) {
		x, y := b.join(), b.join()
		b.js("srv.enable_forward()")
		x.sends("heard")
		y.hears("string heard")
		b.js("srv.disable_forward(); srv.regis_$str_handle$((s, conn) => conn.ssend('yours: ' + s))")
		x.sends("unheard")
		x.hears("string yours: unheard")
		y.nothing()
	},
	"srv.jbroadcast_ignore_reply": func(b *bed) {
		b.is("(await srv.jbroadcast_ignore_reply({})) === undefined")
		x, y := b.join(), b.join()
		b.is("(await srv.jbroadcast_ignore_reply({action: 'reload'})).targets === 2")
		x.hears(`json {"action":"reload"}`)
		y.hears(`json {"action":"reload"}`)
	},
	"srv.jbroadcast_until_any_client_reply": func(b *bed) {
		b.is("(await srv.jbroadcast_until_any_client_reply({})) === undefined")
		x, y := b.join(), b.join()
		b.js("var p = srv.jbroadcast_until_any_client_reply({who: '?'})")
		y.answers(`{"who":"?"}`, "y")
		b.prints("(await p).___type___ + (await p).___data___", "'___cres___y'")
		if got := x.next(); !strings.HasPrefix(got, "sreq ") {
			b.t.Errorf("heard %s", got)
		}
		b.is("(await srv.jbroadcast_until_any_client_reply({}, 20)) === undefined")
	},
	"srv.jbroadcast_until_all_client_reply": func(b *bed) {
		b.is("(await srv.jbroadcast_until_all_client_reply({})) === undefined")
		x, y := b.join(), b.join()
		b.js("var p = srv.jbroadcast_until_all_client_reply({v: 0})")
		y.answers(`{"v":0}`, 2)
		x.answers(`{"v":0}`, 1)
		b.prints("(await p).map((j) => j.___data___).join()", "'1,2'")
		b.is("(await srv.jbroadcast_until_all_client_reply({}, 20)) === undefined")
	},

	// The server itself.
	"srv.cfg_": func(b *bed) { b.is("srv.cfg_.keepaliveInterval === 20000") },
	"srv.hsrv_": func(b *bed) {
		b.is("srv.hsrv_.listening && srv.hsrv_.address() === srv.hsrv_._pipeName")
		b.prints("srv.hsrv_._pipeName", "'"+b.unix+"'")
	},
	"srv.wsrv_": func(b *bed) {
		b.join()
		b.is("srv.wsrv_.connections.length === 1 && srv.wsrv_.connections[0] === srv.fst_sess().conn_ && srv.wsrv_.config.keepaliveInterval === 20000")
	},
	"srv.port_":                   func(b *bed) { b.prints("srv.port_", "'"+b.unix+"'") },
	"srv.sec_websocket_protocol_": func(b *bed) { b.is("srv.sec_websocket_protocol_ === 'chat'") },
	"srv.start": func(b *bed) {
		path := filepath.Join(filepath.Dir(b.unix), "more")
		b.is(fmt.Sprintf("(await srv.start(%q)) === srv", path))
		g := b.joinAt("ws+unix://" + path)
		b.prints("srv.lst_sess().id_", "'"+g.id+"'")
		b.is("(await new Server().start()) === srv") // nothing to be done
		b.fails("await srv.start(undefined, 'nosuch')", "subprotocol 'nosuch'")
	},
	"srv.close": func(b *bed) {
		g := b.join()
		b.prints("await srv.close()", "1")
		g.hears("close 1001 server is closing")
		if status := b.refused(); status != 503 {
			b.t.Errorf("refused with %d", status)
		}
		b.js("await srv.start()")
		b.join()
	},
	"srv.restart": func(b *bed) {
		g := b.join()
		b.is("(await srv.restart()) === srv")
		g.hears("close 1012 service restart")
		b.join()
	},

	// Sess.
	"sess.id_": func(b *bed) {
		b.prints("var sess; sess = srv.fst_sess() || 0; sess", "0")
		g := b.join()
		b.prints("srv.fst_sess().id_", "'"+g.id+"'")
	},
	"sess.conn_": func(b *bed) {
		b.join()
		b.is("srv.fst_sess().conn_ === srv.fst_sess().conn_ && srv.fst_sess().conn_.sess_ === srv.fst_sess()")
	},
	"sess.req_": func(b *bed) {
		b.join(client.WithOrigin("https://a.example"), client.WithHeader(http.Header{"Cookie": {"k=v"}, "X-Two": {"2"}}))
		b.js("var r = srv.fst_sess().req_")
		b.is("r.origin === 'https://a.example' && r.cookies[0].name === 'k' && r.cookies[0].value === 'v' && r.httpRequest.headers['x-two'] === '2'")
		b.is("r.resource === '/room?user=7' && r.resourceURL.query.user === '7' && r.resourceURL.pathname === '/room' && r.webSocketVersion === 13")
	},
	"sess.is_active": func(b *bed) {
		g := b.join()
		b.is("srv.fst_sess().is_active()")
		gone(g)
		b.is("conn.sess_.is_active() === false && srv.sesses_.size === 0")
	},
	"sess.sjrr_queue_": func(b *bed) {
		g := b.join()
		b.js("var sess = srv.fst_sess(), p = sess.conn_.send_jrr_sreq({q: 1})")
		id := strings.Fields(g.next())[1]
		b.prints("Object.keys(sess.sjrr_queue_).join()", "'"+id+"'")
		b.js(fmt.Sprintf("sess.sjrr_queue_[%q].rs('by hand')", id))
		b.prints("(await p).___data___", "'by hand'")
		b.is("Object.keys(sess.sjrr_queue_).length === 0")
	},
	"sess.katsk_": func(b *bed) {
		b.join()
		b.is("srv.fst_sess().katsk_.active && srv.fst_sess().katsk_.interval === 20000")
		b.is("srv.fst_sess().clear_katsk(); srv.fst_sess().katsk_ === undefined")
	},
	"sess.clear_katsk": func(b *bed) {
		b = newBed(b.t, func(o *session.Options) { o.Interval, o.Grace = 200*time.Millisecond, 50*time.Millisecond })
		b.mute()
		b.js("srv.fst_sess().clear_katsk()")
		second := b.mute()
		for { // pings, and at last the end, of the one that still has its keepalive
			op, payload := second.frame()
			if op == 8 {
				if want := "\x03\xf3keepalive timeout"; payload != want {
					b.t.Errorf("closed with %q, want %q", payload, want)
				}
				break
			}
		}
		b.is("srv.fst_sess().is_active()") // as silent, and for longer
	},

	// Conn.
	"conn.ssend": func(b *bed) { g := b.join(); b.js("srv.fst_sess().conn_.ssend('grüße')"); g.hears("string grüße") },
	"conn.jsend": func(b *bed) {
		g := b.join()
		b.js("srv.fst_sess().conn_.jsend({a: [1, 'ü']})")
		g.hears(`json {"a":[1,"ü"]}`)
		b.fails("srv.fst_sess().conn_.jsend(() => {})", "not JSON")
	},
	"conn.bsend": func(b *bed) {
		g := b.join()
		b.js("conn = srv.fst_sess().conn_; conn.bsend(Buffer.from([1, 2])); conn.bsend(new Uint8Array([3])); conn.bsend(new Int16Array([258]).buffer)")
		g.hears("binary 0102")
		g.hears("binary 03")
		g.hears("binary 0201")
		b.fails("conn.bsend('text')", "not binary data")
	},
	"conn.assend": func(b *bed) {
		g := b.join()
		b.is("(await srv.fst_sess().conn_.assend('s')) === undefined")
		g.hears("string s")
	},
	"conn.ajsend": func(b *bed) {
		g := b.join()
		b.is("(await srv.fst_sess().conn_.ajsend([10, 20, 30])) === undefined")
		g.hears("json [10,20,30]")
		gone(g)
		b.is("(await conn.ajsend([1])) instanceof ClosedError")
	},
	"conn.absend": func(b *bed) {
		g := b.join()
		b.is("(await srv.fst_sess().conn_.absend(Buffer.from('ab'))) === undefined")
		g.hears("binary 6162")
	},
	"conn.send_jrr_sreq": func(b *bed) {
		g := b.join()
		b.js("var p = srv.fst_sess().conn_.send_jrr_sreq({hi: 'you must reply'})")
		g.answers(`{"hi":"you must reply"}`, map[string]int{"ok": 1})
		b.is("var j = await p; j.___type___ === '___cres___' && j.___id___.length === 64 && j.___data___.ok === 1")
	},
	"conn.send_jrr_sres": func(b *bed) {
		b.js("var asked = new Promise((f) => srv.regis_$creq_handle$(f))") // answered by hand
		g := b.join()
		done := make(chan string, 1)
		go func() {
			answer, err := g.Request(b.context(), 7)
			done <- fmt.Sprint(string(answer.Data), err)
		}()
		b.js("await srv.fst_sess().conn_.send_jrr_sres({myreply: 'I got IT'}, (await asked).___id___)")
		if got := <-done; got != `{"myreply":"I got IT"}<nil>` {
			b.t.Error(got)
		}
	},
	"conn.send_ping_frame": func(b *bed) {
		m := b.mute()
		b.js("srv.fst_sess().conn_.send_ping_frame()")
		if op, _ := m.frame(); op != 9 {
			b.t.Errorf("a frame of opcode %d came", op)
		}
	},
	"conn.asend_ping_frame": func(b *bed) {
		b.join()
		b.is("var ms = await srv.fst_sess().conn_.asend_ping_frame(); typeof ms === 'number' && ms >= 0")
		b.mute()
		b.fails("await srv.lst_sess().conn_.asend_ping_frame(20)", "TimeoutError")
	},
	"conn.close": func(b *bed) {
		x, y := b.join(), b.join()
		b.js("srv.fst_sess().conn_.close()")
		x.hears("close 1000 ")
		b.js("srv.lst_sess().conn_.close(4000, 'because')")
		y.hears("close 4000 because")
	},
	"conn.config":     func(b *bed) { b.join(); b.is("srv.fst_sess().conn_.config.keepaliveInterval === 20000") },
	"conn.is_client_": func(b *bed) { b.join(); b.is("srv.fst_sess().conn_.is_client_ === false") },
	"conn.is_server_": func(b *bed) { b.join(); b.is("srv.fst_sess().conn_.is_server_ === true") },
	"conn.ka_": func(b *bed) {
		b.join()
		b.is("var ka = srv.fst_sess().conn_.ka_; ka.active && ka.interval === 20000 && ka.lastReceived <= new Date()")
		b.is("ka.cancel(); !ka.active && srv.fst_sess().katsk_ === undefined")
	},
	"conn.protocol": func(b *bed) {
		b.join(client.WithSubprotocols("chat"))
		b.is("srv.fst_sess().conn_.protocol === 'chat'")
	},
	"conn.sess_": func(b *bed) { b.join(); b.is("srv.fst_sess().conn_.sess_ === srv.fst_sess()") },
	"conn.state": func(b *bed) {
		g := b.join()
		b.is("srv.fst_sess().conn_.state === 'open'")
		gone(g)
		b.is("conn.state === 'closed'")
	},

	// Statics.
	"Server.VALI_HREQ_TEM": func(b *bed) {
		b.join()
		b.is("var shape = (o) => Object.keys(o).sort().join(); var tem = Server.VALI_HREQ_TEM(); shape(tem) === shape({remoteAddress: '', ...srv.fst_sess().req_})")
		b.is("shape(tem.resourceURL) === shape(srv.fst_sess().req_.resourceURL)")
		b.is("tem.httpRequest.method === 'GET' && Buffer.isBuffer(tem.httpRequest.body)")
	},
	"Server.extract_hreq": func(b *bed) {
		b.js("srv.regis_$verify$(async (r) => (await Server.extract_hreq(r)).resourceURL.query.user === '7')")
		b.join()
		if status := b.refused(); status != 403 {
			b.t.Errorf("refused with %d", status)
		}
	},
}

// givesBack checks that a member of the server gives the handler that was
// registered, and before that a default.
func givesBack(b *bed, member, byDefault string) {
	b.t.Helper()
	b.is(fmt.Sprintf("typeof srv.%s_ === 'function' && srv.%s_.name === %q", member, member, byDefault))
	b.is(fmt.Sprintf("var f = () => true; srv.regis_$%s$(f); srv.%s_ === f", member, member))
	b.is(fmt.Sprintf("srv.regis_$%s$(); srv.%s_.name === %q", member, member, byDefault))
}

// gone closes a client, which is the oldest, and waits until its Conn, conn at
// the prompt, knows.
func gone(g *guest) {
	g.b.t.Helper()
	g.b.js("var conn = srv.fst_sess().conn_, over = new Promise((f) => srv.regis_$on_close$(f))")
	if err := g.Close(g.b.context(), 1000, ""); err != nil {
		g.b.t.Fatal(err)
	}
	g.b.js("await over")
}
