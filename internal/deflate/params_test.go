package deflate

import (
	"slices"
	"strconv"
	"strings"
	"testing"
)

func values(fields ...string) (b [][]byte) {
	for _, f := range fields {
		b = append(b, []byte(f))
	}
	return b
}

// loose agrees to everything as it is offered.
func loose() *Options {
	return &Options{ServerContextTakeover: true, ClientContextTakeover: true}
}

type acceptCase struct {
	name   string
	fields []string
	opts   *Options
	answer string // "": declined
	want   Params
}

func testAccept(t *testing.T, cases []acceptCase) {
	t.Helper()
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			p, answer, ok := Accept(values(c.fields...), c.opts)
			if ok != (c.answer != "") || answer != c.answer || p != c.want {
				t.Errorf("Accept(%q) = %+v, %q, %v\nwant %+v, %q", c.fields, p, answer, ok, c.want, c.answer)
			}
		})
	}
}

// One offer of permessage-deflate with these parameters.
func offer(params string) []string { return []string{"permessage-deflate; " + params} }

func TestRFC7692_5_FirstAcceptableOfferWins(t *testing.T) {
	full := Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
	ten := Params{ServerMaxWindowBits: 10, ClientMaxWindowBits: 15}
	testAccept(t, []acceptCase{
		{"none", nil, loose(), "", Params{}},
		{"one", []string{"permessage-deflate"}, loose(), "permessage-deflate", full},
		{"options of nil", []string{"permessage-deflate"}, nil,
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover", Params{true, true, 15, 15}},
		{"others are passed over", []string{"x-webkit-deflate-frame, foo; bar=1; bar=2; baz=\"q\", permessage-deflate"}, loose(), "permessage-deflate", full},
		{"only others", []string{"permessage-bzip2, permessage-deflate-x"}, loose(), "", Params{}},
		{"the client's order", []string{"permessage-deflate; server_max_window_bits=10, permessage-deflate"}, loose(), "permessage-deflate; server_max_window_bits=10", ten},
		{"fall back", []string{"permessage-deflate; foo, permessage-deflate; server_max_window_bits=10"}, loose(), "permessage-deflate; server_max_window_bits=10", ten},
		{"over several fields", []string{"permessage-deflate; foo", "bar", "permessage-deflate; server_max_window_bits=10", "permessage-deflate"}, loose(),
			"permessage-deflate; server_max_window_bits=10", ten},
		{"names count as spelled", []string{"Permessage-Deflate"}, loose(), "", Params{}},
	})
}

func TestRFC7692_7_1_DeclinesOnlyTheOfferThatIsWrong(t *testing.T) {
	for _, params := range []string{
		"foo", "foo=1", "server_max_window_bits_=10", "Server_No_Context_Takeover", "permessage-deflate",
		"server_no_context_takeover; server_no_context_takeover",
		"client_no_context_takeover; client_no_context_takeover",
		"server_max_window_bits=10; server_max_window_bits=10",
		"client_max_window_bits; client_max_window_bits",
		"client_max_window_bits; client_max_window_bits=10",
	} {
		testAccept(t, []acceptCase{
			{params + " alone", offer(params), loose(), "", Params{}},
			{params + " and another", offer(params + ", permessage-deflate"), loose(), "permessage-deflate", Params{false, false, 15, 15}},
		})
	}
}

func TestRFC7692_7_1_1_ContextTakeoverParametersHaveNoValue(t *testing.T) {
	for _, p := range []string{"server_no_context_takeover", "client_no_context_takeover"} {
		for _, v := range []string{"=1", "=true", "=\"true\"", "=0"} {
			testAccept(t, []acceptCase{{p + v, offer(p + v), loose(), "", Params{}}})
		}
	}
}

func TestRFC7692_7_1_1_1_ServerNoContextTakeoverIsAnswered(t *testing.T) {
	const s = "permessage-deflate; server_no_context_takeover"
	with := Params{true, false, 15, 15}
	testAccept(t, []acceptCase{
		{"offered", offer("server_no_context_takeover"), loose(), s, with},
		{"wanted", []string{"permessage-deflate"}, &Options{ClientContextTakeover: true}, s, with},
		{"both", offer("server_no_context_takeover"), &Options{ClientContextTakeover: true}, s, with},
	})
}

func TestRFC7692_7_1_1_2_ClientNoContextTakeoverMayBeAnswered(t *testing.T) {
	const s = "permessage-deflate; client_no_context_takeover"
	with := Params{false, true, 15, 15}
	testAccept(t, []acceptCase{
		{"offered", offer("client_no_context_takeover"), loose(), s, with},
		{"wanted", []string{"permessage-deflate"}, &Options{ServerContextTakeover: true}, s, with},
	})
}

func TestRFC7692_7_1_2_WindowBitsAre8To15WithoutLeadingZeros(t *testing.T) {
	for _, p := range []string{"server_max_window_bits", "client_max_window_bits"} {
		for _, v := range []string{"0", "1", "7", "16", "20", "08", "010", "15.", "1e1", "+9", "-9", "0x9", "٨", "\"08\"", "150", "99999999999999999999"} {
			f := offer(p + "=" + v)
			if _, answer, ok := Accept(values(f...), loose()); ok {
				t.Errorf("%q was accepted: %q", f, answer)
			}
		}
		for v := 8; v <= 15; v++ {
			s := []string{"8", "9", "10", "11", "12", "13", "14", "15"}[v-8]
			want := Params{ServerMaxWindowBits: 15, ClientMaxWindowBits: 15}
			if p[0] == 's' {
				want.ServerMaxWindowBits = uint8(v)
			} else {
				want.ClientMaxWindowBits = uint8(v)
			}
			answer := "permessage-deflate; " + p + "=" + s
			testAccept(t, []acceptCase{
				{p + s, offer(p + "=" + s), loose(), answer, want},
				{p + s + " quoted", offer(p + "=\"" + s + "\""), loose(), answer, want},
				{p + s + " escaped", offer(p + "=\"\\" + s + "\""), loose(), answer, want},
			})
		}
	}
}

func TestRFC7692_7_1_2_1_ServerBitsAreTheSmallerOfOfferAndOptions(t *testing.T) {
	opts := loose()
	opts.ServerWindowBits = 11
	testAccept(t, []acceptCase{
		{"without a value", offer("server_max_window_bits"), opts, "", Params{}},
		{"not offered", []string{"permessage-deflate"}, opts, "permessage-deflate; server_max_window_bits=11", Params{false, false, 11, 15}},
		{"smaller", offer("server_max_window_bits=9"), opts, "permessage-deflate; server_max_window_bits=9", Params{false, false, 9, 15}},
		{"greater", offer("server_max_window_bits=15"), opts, "permessage-deflate; server_max_window_bits=11", Params{false, false, 11, 15}},
		{"fifteen of fifteen", offer("server_max_window_bits=15"), loose(), "permessage-deflate; server_max_window_bits=15", Params{false, false, 15, 15}},
	})
}

func TestRFC7692_7_1_2_2_ClientBitsAreAnsweredOnlyWhenOffered(t *testing.T) {
	opts := loose()
	opts.ClientWindowBits = 11
	testAccept(t, []acceptCase{
		{"not offered, nothing wanted", []string{"permessage-deflate"}, loose(), "permessage-deflate", Params{false, false, 15, 15}},
		{"not offered, so it cannot be told", []string{"permessage-deflate"}, opts, "", Params{}},
		{"the offer that can be told", []string{"permessage-deflate, permessage-deflate; client_max_window_bits"}, opts,
			"permessage-deflate; client_max_window_bits=11", Params{false, false, 15, 11}},
		{"without a value, nothing wanted", offer("client_max_window_bits"), loose(), "permessage-deflate", Params{false, false, 15, 15}},
		{"smaller", offer("client_max_window_bits=9"), opts, "permessage-deflate; client_max_window_bits=9", Params{false, false, 15, 9}},
		{"greater", offer("client_max_window_bits=13"), opts, "permessage-deflate; client_max_window_bits=11", Params{false, false, 15, 11}},
	})
}

func TestRFC7692_7_1_3_Examples(t *testing.T) {
	testAccept(t, []acceptCase{
		{"simplest", []string{"permessage-deflate"}, loose(), "permessage-deflate", Params{false, false, 15, 15}},
		{"two offers", []string{"permessage-deflate; client_max_window_bits; server_max_window_bits=10, permessage-deflate; client_max_window_bits"}, loose(),
			"permessage-deflate; server_max_window_bits=10", Params{false, false, 10, 15}},
		{"chromium", offer("client_max_window_bits"), new(Options),
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover", Params{true, true, 15, 15}},
		{"all", offer("server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9"), loose(),
			"permessage-deflate; server_no_context_takeover; client_no_context_takeover; server_max_window_bits=12; client_max_window_bits=9", Params{true, true, 12, 9}},
	})
}

func TestRFC6455_9_1_MalformedListsAreRefusedWhole(t *testing.T) {
	for _, f := range [][]string{
		{""}, {",, ,"}, {"", " "}, {";"}, {"a;"}, {"a;;b"}, {"a; ;b"}, {"a; b="}, {"a; =1"}, {"a b"}, {"a; b c"}, {"a; b=c d"},
		{"a; b=\"c"}, {"a; b=\"\""}, {"a; b=\"c d\""}, {"a; b=\"c\"d"}, {"a; b=\"\\"}, {"a; b=\"\\\""}, {"a=1"}, {"\"a\""}, {"a/b"}, {"a; b=c=d"},
		{"a\x00"}, {"a\x7f"}, {"a\r\n"}, {"é"}, {"a; b='c'", "("}, {"permessage-deflate", "permessage-deflate;"},
	} {
		if !Malformed(values(f...)) {
			t.Errorf("%q was taken for a list of extensions", f)
		}
		if _, answer, ok := Accept(values(append([]string{"permessage-deflate"}, f...)...), loose()); ok && strings.Trim(strings.Join(f, ""), ", ") != "" {
			t.Errorf("%q was accepted: %q", f, answer)
		}
		if _, ok, err := ParseAnswer(f, loose()); ok || err == nil {
			t.Errorf("the answer %q was accepted", f)
		}
	}
	for _, f := range [][]string{
		nil, {"a"}, {"a", ""}, {", a,,b ,"}, {"a\t;\tb = c , d"}, {"a; b=\"c\""}, {"a; b=\"\\c\""}, {"a;b;b;b"}, {"!#$%&'*+-.^_`|~09azAZ"},
	} {
		if Malformed(values(f...)) {
			t.Errorf("%q was refused", f)
		}
	}
}

func TestOfferSaysWhatIsWanted(t *testing.T) {
	for _, c := range []struct {
		opts *Options
		want string
	}{
		{nil, "permessage-deflate; server_no_context_takeover; client_no_context_takeover; client_max_window_bits"},
		{loose(), "permessage-deflate; client_max_window_bits"},
		{&Options{true, true, 9, 10}, "permessage-deflate; server_max_window_bits=9; client_max_window_bits=10"},
		{&Options{true, false, 15, 15}, "permessage-deflate; client_no_context_takeover; client_max_window_bits"},
	} {
		if got := c.opts.Offer(); got != c.want {
			t.Errorf("Offer of %+v = %q, want %q", c.opts, got, c.want)
		}
	}
}

func TestRFC7692_7_1_ClientFailsOnAWrongAnswer(t *testing.T) {
	const d = "permessage-deflate"
	small := &Options{ServerContextTakeover: true, ClientContextTakeover: true, ServerWindowBits: 10, ClientWindowBits: 10}
	for _, c := range []struct {
		name   string
		fields []string
		opts   *Options
		err    error
		want   Params // if neither err nor declined
	}{
		{"declined", nil, loose(), nil, Params{}},
		{"accepted", []string{d}, loose(), nil, Params{false, false, 15, 15}},
		{"not offered but allowed", offer("server_no_context_takeover; client_no_context_takeover; server_max_window_bits=8; client_max_window_bits=9"), loose(), nil, Params{true, true, 8, 9}},
		{"another extension", []string{"foo"}, loose(), errOther, Params{}},
		{"another extension too", []string{d + ", foo"}, loose(), errOther, Params{}},
		{"another extension in another field", []string{d, "foo"}, loose(), errOther, Params{}},
		{"twice", []string{d + ", " + d}, loose(), errTwice, Params{}},
		{"unknown parameter", offer("foo"), loose(), errInvalid, Params{}},
		{"repeated parameter", offer("client_max_window_bits=9; client_max_window_bits=9"), loose(), errInvalid, Params{}},
		{"value where none may be", offer("server_no_context_takeover=1"), loose(), errInvalid, Params{}},
		{"client bits without a value", offer("client_max_window_bits"), loose(), errInvalid, Params{}},
		{"server bits without a value", offer("server_max_window_bits"), loose(), errInvalid, Params{}},
		{"bits out of range", offer("server_max_window_bits=16"), loose(), errInvalid, Params{}},
		{"no takeover not promised", []string{d}, nil, errTakeover, Params{}},
		{"no takeover promised", offer("server_no_context_takeover"), nil, nil, Params{true, true, 15, 15}},
		{"server bits not promised", []string{d}, small, errBits, Params{}},
		{"server bits greater", offer("server_max_window_bits=11"), small, errBits, Params{}},
		{"server bits equal", offer("server_max_window_bits=10"), small, nil, Params{false, false, 10, 10}},
		{"server bits smaller", offer("server_max_window_bits=9; client_max_window_bits=8"), small, nil, Params{false, false, 9, 8}},
		{"client bits greater, of which no use is made", offer("server_max_window_bits=9; client_max_window_bits=15"), small, nil, Params{false, false, 9, 10}},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, ok, err := ParseAnswer(c.fields, c.opts)
			if err != c.err || p != c.want || ok != (c.want != Params{}) {
				t.Errorf("ParseAnswer(%q) = %+v, %v, %v; want %+v, %v", c.fields, p, ok, err, c.want, c.err)
			}
		})
	}
}

func TestOptionsOutOfRangeAreNamed(t *testing.T) {
	for _, c := range []struct {
		opts Options
		want string
	}{
		{Options{ServerWindowBits: 8, ClientWindowBits: 15}, ""},
		{Options{}, ""},
		{Options{ServerWindowBits: 7}, "ServerWindowBits is 7"},
		{Options{ClientWindowBits: 16}, "ClientWindowBits is 16"},
	} {
		if err := c.opts.Wrong(); (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v", c.opts, err)
		}
	}
}

// FuzzAccept: what is accepted fulfils an offer made, and the answer says so to
// a client that made it.
func FuzzAccept(f *testing.F) {
	for _, s := range []string{
		"permessage-deflate", "permessage-deflate; client_max_window_bits", "a; b=\"c\\d\", permessage-deflate;server_max_window_bits=\"10\"",
		"permessage-deflate; foo\npermessage-deflate; client_max_window_bits=9; server_no_context_takeover", ",,;", "permessage-deflate; server_max_window_bits=08",
	} {
		f.Add(s, true, false, 0, 0)
		f.Add(s, false, true, 9, 12)
	}
	f.Fuzz(func(t *testing.T, s string, serverTakeover, clientTakeover bool, serverBits, clientBits int) {
		fields := values(strings.Split(s, "\n")...)
		o := &Options{serverTakeover, clientTakeover, serverBits, clientBits}
		if o.Wrong() != nil {
			o.ServerWindowBits, o.ClientWindowBits = 0, 0
		}
		p, answer, ok := Accept(fields, o)
		if !ok {
			if p != (Params{}) || answer != "" {
				t.Fatalf("declined with %+v, %q", p, answer)
			}
			return
		}
		switch {
		case Malformed(fields), Malformed(values(answer)):
			t.Fatalf("malformed: %q, %q", s, answer)
		case p.ServerMaxWindowBits < 8 || p.ServerMaxWindowBits > orMax(o.ServerWindowBits),
			p.ClientMaxWindowBits < 8 || p.ClientMaxWindowBits > orMax(o.ClientWindowBits),
			!serverTakeover && !p.ServerNoContextTakeover, !clientTakeover && !p.ClientNoContextTakeover:
			t.Fatalf("%+v agrees to %+v", o, p)
		}
		if !strings.Contains(s, "\"") && !slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return r == ',' || r == '\n' }), func(offer string) bool { return fulfils(p, answer, offer) }) {
			t.Fatalf("%q fulfils none of %q", answer, s)
		}
		// A client that sent one of the offers agrees to the same.
		for _, client := range clients() {
			own := values(client.Offer())
			q, said, ok := Accept(own, o)
			if !ok {
				t.Fatalf("declined its own client's %q", client.Offer())
			}
			got, ok, err := ParseAnswer([]string{said}, client)
			if err != nil || !ok || got != q {
				t.Fatalf("offer %q, answer %q: client has %+v, %v, %v; server %+v", client.Offer(), said, got, ok, err, q)
			}
		}
		// What was answered holds to the letter: read as an answer, it is what was agreed.
		if got, ok, err := ParseAnswer([]string{answer}, loose()); err != nil || !ok || got != p {
			t.Fatalf("answer %q says %+v, %v, %v; agreed %+v", answer, got, ok, err, p)
		}
	})
}

// fulfils reports whether an offer lets the server answer so (RFC 7692, 7.1).
func fulfils(p Params, answer, offer string) bool {
	trim := func(s string) string { return strings.Trim(s, " \t") }
	params := strings.Split(offer, ";")
	if trim(params[0]) != name {
		return false
	}
	told := false // that it may be told client_max_window_bits
	for _, param := range params[1:] {
		n, v, _ := strings.Cut(param, "=")
		bits, _ := strconv.Atoi(trim(v))
		switch trim(n) {
		case snct:
			if !p.ServerNoContextTakeover {
				return false
			}
		case cnct:
		case smwb:
			if int(p.ServerMaxWindowBits) > bits || !strings.Contains(answer, smwb) {
				return false
			}
		case cmwb:
			told = true
			if bits > 0 && int(p.ClientMaxWindowBits) > bits {
				return false
			}
		default:
			return false
		}
	}
	return told || !strings.Contains(answer, cmwb)
}

func clients() (c []*Options) {
	for _, bits := range []int{0, 8, 12} {
		for i := range 4 {
			c = append(c, &Options{i&1 != 0, i&2 != 0, bits, bits})
		}
	}
	return c
}
