package deflate

import (
	"bytes"
	stdflate "compress/flate"
	"encoding/hex"
	"errors"
	"io"
	"math"
	"math/rand/v2"
	"strings"
	"testing"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(s, " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestRFC7692_7_2_3_ExamplesOfTheRFC(t *testing.T) {
	for _, c := range []struct{ name, payload, want string }{
		{"7.2.3.1 one block", "f248cdc9c90700", "Hello"},
		{"7.2.3.3 no compression", "000500faff48656c6c6f00", "Hello"},
		{"7.2.3.4 a last block", "f348cdc9c9070000", "Hello"},
		{"7.2.3.5 two blocks", "f248050000 00ffff cac9c90700", "Hello"},
		{"7.2.3.6 nothing", "00", ""},
	} {
		got, err := Inflate(nil, unhex(t, c.payload), 15, 1<<20, nil)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestRFC7692_7_2_3_2_WindowIsSharedByMessages(t *testing.T) {
	var w Window
	for _, payload := range []string{"f248cdc9c90700", "f200110000", "f200110000"} {
		got, err := Inflate([]byte("before "), unhex(t, payload), 8, 5, &w)
		if err != nil || string(got) != "before Hello" {
			t.Errorf("%s: %q, %v", payload, got, err)
		}
	}
	if _, err := Inflate(nil, unhex(t, "f200110000"), 15, 100, nil); err != ErrCorrupt {
		t.Errorf("without context takeover the match reaches before the message: %v", err)
	}
}

func TestRFC7692_7_2_2_MessagesOfBlocksOfEveryKind(t *testing.T) {
	for _, c := range []struct{ name, payload, want string }{
		{"no octets, as zlib flushes nothing twice", "", ""},
		{"empty fixed block", "0200", ""},
		{"empty last fixed block", "030000", ""},
		{"empty last stored block at the end", "01", ""},
		{"empty stored blocks", "000000ffff 010000ffff 000000ffff 00", ""},
		{"last block, then more", "f348cdc9c90700 f248cdc9c90700", "HelloHello"},
		{"last stored block, then more", "010500faff48656c6c6f f248cdc9c90700", "HelloHello"},
		{"match over a last block", "f348cdc9c90700 f200110000", "HelloHello"},
		{"stored block's padding is ignored", "f8 0500faff48656c6c6f f8", "Hello"},
		{"match that overlaps itself", "4a04020000", "aaaa"},
	} {
		got, err := Inflate(nil, unhex(t, c.payload), 15, 1<<20, nil)
		if err != nil || string(got) != c.want {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

func TestRFC7692_7_2_2_CorruptPayloads(t *testing.T) {
	for _, c := range []struct{ name, payload string }{
		{"reserved block type", "06"},
		{"the tail was not cut off", "f248cdc9c90700 0000ffff"},
		{"no empty block at the end", "f348cdc9c90700"},
		{"stored block at the end", "000500faff48656c6c6f"},
		{"stored length and its complement", "000500fbff48656c6c6f00"},
		{"stored block cut", "000500faff4865"},
		{"stored length cut", "000500"},
		{"stored length cut in two", "00050000"},
		{"fixed block cut", "f248cd"},
		{"seventeen last blocks", strings.Repeat("030000", 17)},
		{"fixed symbol 286", "1b0300"},
		{"distance before the message", "f200110000"},
		{"garbage", "ffffffffffff"},
		{"text", hex.EncodeToString([]byte("this was never compressed"))},
		{"dynamic block cut", "04"},
	} {
		if got, err := Inflate(nil, unhex(t, c.payload), 15, 1<<20, nil); err != ErrCorrupt {
			t.Errorf("%s: %q, %v", c.name, got, err)
		}
	}
}

// dynamic makes a block with codes of one bit for two symbols, then n codes.
func dynamic(n int, symbols ...int) []byte {
	var out []byte
	at := 0
	put := func(v, bits int) {
		for ; bits > 0; bits, v, at = bits-1, v>>1, at+1 {
			if at%8 == 0 {
				out = append(out, 0)
			}
			out[at/8] |= byte(v&1) << (at % 8)
		}
	}
	put(0b100, 3)
	put(0, 5)
	put(0, 5)
	put(14, 4) // lengths of 18 symbols of lengths: 1 for those of 18 and 1
	for i := range 18 {
		put(map[int]int{2: 1, 17: 1}[i], 3)
	}
	next := 0
	for _, s := range append(symbols, 257) { // the last is the only distance's
		for s-next >= 11 {
			zeros := min(138, s-next)
			put(1|(zeros-11)<<1, 8)
			next += zeros
		}
		put(0, 1) // of length 1
		next = s + 1
	}
	put(0xff, n)
	put(0, 3)
	return out
}

func TestRFC1951_3_2_7_CodesOfABlock(t *testing.T) {
	got, err := Inflate(nil, dynamic(1, 0, 256), 15, 10, nil)
	if err != nil || len(got) != 0 {
		t.Errorf("a block that ends at once: %q, %v", got, err)
	}
	if got, err := Inflate(nil, dynamic(5, 0, 1), 15, 1000, nil); err != ErrCorrupt {
		t.Errorf("a block that cannot end: %q, %v", got, err)
	}
	if got, err := Inflate(nil, dynamic(5, 256), 15, 1000, nil); err != ErrCorrupt {
		t.Errorf("a bit that is no code: %q, %v", got, err)
	}
	if got, err := Inflate(nil, dynamic(5, 0, 12, 256), 15, 1000, nil); err != ErrCorrupt {
		t.Errorf("two symbols of one code: %q, %v", got, err)
	}
}

// messages are of the kinds that sessions send, and of the kinds that are hard
// on a compressor.
func messages() [][]byte {
	r := rand.New(rand.NewPCG(1, 2))
	noise := make([]byte, 70000)
	for i := range noise {
		noise[i] = byte(r.Uint32())
	}
	json := []byte(`{"___type___":"___ping___","___id___":"0123456789abcdef","___data___":"20000","text":"Grüße, 世界"}`)
	far := slicesConcat(noise[:300], bytes.Repeat([]byte{0}, 32768-300), noise[:300], noise[:5000], noise[:5000])
	long := bytes.Repeat(json, 3000)
	return [][]byte{
		nil, {0}, []byte("Hello"), json, bytes.Repeat(json, 10), long, noise[:100], noise[:1000], noise, bytes.Repeat([]byte("a"), 100000), far,
	}
}

func slicesConcat(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

// standard compresses as most others do.
func standard(t testing.TB, level int, dict, message []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := stdflate.NewWriterDict(&b, level, dict)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(message); err != nil {
		t.Fatal(err)
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), tail)
}

func TestInflateReadsWhatCompressFlateWrites(t *testing.T) {
	for _, level := range []int{stdflate.HuffmanOnly, stdflate.NoCompression, 1, 6} {
		var w Window
		for n, m := range messages() {
			got, err := Inflate(nil, standard(t, level, nil, m), 15, int64(len(m)), nil)
			if err != nil || !bytes.Equal(got, m) {
				t.Errorf("message %d at level %d: %d of %d bytes, %v", n, level, len(got), len(m), err)
			}
			got, err = Inflate([]byte("x"), standard(t, level, w.bytes(), m), 15, math.MaxInt64, &w)
			if err != nil || !bytes.Equal(got[1:], m) {
				t.Errorf("message %d at level %d after others: %d of %d bytes, %v", n, level, len(got), len(m), err)
			}
		}
	}
}

func TestInflateOfEveryCutIsCorrupt(t *testing.T) {
	m := slicesConcat(messages()[4], messages()[7])
	payload := standard(t, 6, nil, m)
	for n := 1; n < len(payload); n++ {
		if got, err := Inflate(nil, payload[:n], 15, math.MaxInt64, nil); err != ErrCorrupt {
			t.Fatalf("the first %d of %d: %d bytes, %v", n, len(payload), len(got), err)
		}
	}
}

func TestInflateStopsAtTheLimitWhileInflating(t *testing.T) {
	bomb := standard(t, 6, nil, make([]byte, 4<<20))
	for _, limit := range []int64{0, 1, 257, 1000, 1 << 20} {
		got, err := Inflate(make([]byte, 3, 4), bomb, 15, limit, nil)
		if err != ErrTooBig || int64(len(got)-3) > limit || cap(got)-3 > int(limit)+int(limit)/4+512 {
			t.Errorf("limit %d: %d bytes in %d, %v", limit, len(got), cap(got), err)
		}
	}
	for _, payload := range [][]byte{standard(t, 6, nil, messages()[4]), standard(t, 0, nil, messages()[4]), standard(t, stdflate.HuffmanOnly, nil, messages()[4])} {
		n := int64(len(messages()[4]))
		if got, err := Inflate(nil, payload, 15, n, nil); err != nil || int64(len(got)) != n {
			t.Errorf("exactly the limit: %d bytes, %v", len(got), err)
		}
		if got, err := Inflate(nil, payload, 15, n-1, nil); err != ErrTooBig || int64(len(got)) > n-1 {
			t.Errorf("one more than the limit: %d bytes, %v", len(got), err)
		}
	}
	if _, err := Inflate(nil, bomb, 15, -1, nil); err != ErrTooBig {
		t.Errorf("negative limit: %v", err)
	}
}

func TestRFC7692_7_1_2_NoMoreIsKeptBetweenMessagesThanAgreed(t *testing.T) {
	unit := make([]byte, 300)
	for i := range unit {
		unit[i] = byte(rand.Uint32())
	}
	for bits := 9; bits <= 15; bits++ {
		// A repetition at a distance of gap, which zlib's relatives find.
		for _, gap := range []int{1<<bits - 1, 1 << bits, 1<<bits + 1} {
			m := slicesConcat(unit, make([]byte, gap-len(unit)), unit)
			payload := standard(t, 9, nil, m)
			if furthest(t, payload) != gap {
				continue // 15 bits and one more
			}
			// What the repetition is of came in the message before.
			first, second := m[:gap], m[gap:]
			payload = standard(t, 9, first, second)
			w := Window{}
			if got, err := Inflate(nil, standard(t, 0, nil, first), bits, math.MaxInt64, &w); err != nil || !bytes.Equal(got, first) {
				t.Fatal(err)
			}
			if len(w.last) != min(gap, 1<<bits) || cap(w.last) > 1<<bits {
				t.Errorf("%d bits: the window holds %d bytes in %d", bits, len(w.last), cap(w.last))
			}
			got, err := Inflate(nil, payload, bits, math.MaxInt64, &w)
			if far := gap > 1<<bits; far && err != ErrCorrupt || !far && (err != nil || !bytes.Equal(got, second)) {
				t.Errorf("%d bits, distance %d between messages: %d bytes, %v", bits, gap, len(got), err)
			}
		}
	}
}

// FuzzInflate: never more than the limit, and what compress/flate can read of
// payload and tail is read alike.
func FuzzInflate(f *testing.F) {
	for _, m := range messages()[:6] {
		f.Add(standard(f, 6, nil, m), []byte("window"), uint8(15), uint16(1000))
		f.Add(Compress(nil, m, 9, nil), []byte{}, uint8(9), uint16(65535))
	}
	f.Add(unhex(f, "f348cdc9c9070000"), []byte("Hello"), uint8(8), uint16(4))
	f.Fuzz(func(t *testing.T, payload, before []byte, bits uint8, limit uint16) {
		b := 8 + int(bits)%8
		var w Window
		w.add(before, 1<<b)
		prime := bytes.Clone(w.last)
		got, err := Inflate([]byte("dst"), payload, b, int64(limit), &w)
		if len(got)-3 > int(limit) || string(got[:3]) != "dst" {
			t.Fatalf("%d bytes of at most %d", len(got)-3, limit)
		}
		if len(w.last) > 1<<b {
			t.Fatalf("window of %d bytes", len(w.last))
		}
		got = got[3:]
		switch {
		case err == nil:
			want, stdErr := blocks(payload, prime, int(limit))
			if stdErr != nil || !bytes.Equal(got, want) {
				t.Fatalf("got %d bytes, compress/flate %d, %v", len(got), len(want), stdErr)
			}
		case errors.Is(err, ErrTooBig):
			// What was there until then is what the others make of it, as far as
			// they get: of what is corrupt later on they may give less.
			want, _ := blocks(payload, prime, len(got))
			if n := min(len(want), len(got)); !bytes.Equal(want[:n], got[:n]) {
				t.Fatalf("other bytes than compress/flate")
			}
		case !errors.Is(err, ErrCorrupt):
			t.Fatal(err)
		}
	})
}

// blocks inflates with compress/flate: a run of blocks that ends with a last
// one is a stream of its own to it. It stops when there are more than most bytes.
func blocks(payload, prime []byte, most int) (out []byte, err error) {
	if len(payload) == 0 {
		return nil, nil
	}
	// The block that ends the message is made a last one, of none.
	in := bytes.NewReader(slicesConcat(payload, tail, []byte{1, 0, 0, 0xff, 0xff}))
	for in.Len() > 0 && len(out) <= most {
		history := slicesConcat(prime, out)
		b, err := io.ReadAll(io.LimitReader(stdflate.NewReaderDict(in, history[max(0, len(history)-32768):]), int64(most-len(out)+1)))
		out = append(out, b...)
		if err != nil {
			return out, err
		}
	}
	return out, nil
}

func BenchmarkInflate(b *testing.B) {
	for _, n := range []int{3, 4, 5} {
		m := messages()[n]
		for _, takeover := range []bool{false, true} {
			name := map[bool]string{false: "alone", true: "takeover"}[takeover]
			b.Run(name+"/"+size(len(m)), func(b *testing.B) {
				var w *Window
				if takeover {
					w = new(Window)
				}
				payload, dst := standard(b, 6, nil, m), make([]byte, 0, len(m))
				b.SetBytes(int64(len(m)))
				b.ReportAllocs()
				for b.Loop() {
					if _, err := Inflate(dst, payload, 15, 1<<30, w); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}

// A block whose codes are empty makes nothing, whatever was inflated before: not by
// the codes of that.
func TestEmptyCodesAfterOthers(t *testing.T) {
	const other = "\x04\xc0\x81\x00\x00\x00\x00\x83\xb0\x17B\xfe\xb0\x1fK\x02\xa6\xbaLr\xcd\xd9\x165\x8c*f(\xc9(R\x85L\xb1YVV\x94e\vb)I\xadT\xd8JqUP\x11\x03\x96Qf" +
		"\xbab+Y\xe5\x16\xb9\x19\xad\xb9PQL\xaa\x96Y%67ds[\x922X\xb8U\x9a\x91YN&\xae\xda\x1a\v\x03!D@\x0f"
	for range 100 { // the pool need not give the same inflater
		if _, err := Inflate(nil, []byte(other), 15, 1<<20, nil); err != nil {
			t.Fatal(err)
		}
		if got, err := Inflate(nil, []byte("$\x01\x00\x80\xa5_\xe7"), 15, 1000, nil); len(got) > 0 || err != ErrCorrupt {
			t.Fatalf("%q, %v", got, err)
		}
	}
}
