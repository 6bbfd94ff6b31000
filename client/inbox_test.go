package client

import (
	"sync"
	"testing"
)

func TestInboxKeepsOrderAndBounds(t *testing.T) {
	b := inbox{maxBytes: 1000}
	never := make(chan struct{})
	letter := func(n, size int) item {
		it := item{payload: make([]byte, size)}
		it.kind = kind(n)
		return it
	}
	// Up to its length, through many rounds of partial emptying.
	in, out := 0, 0
	for range 10 {
		for in-out < inboxLen {
			if start := b.put(letter(in, 1), never); start != (in == 0) {
				t.Fatalf("message %d: start is %v", in, start)
			}
			in++
		}
		for range inboxLen/2 + 1 {
			it, ok, _ := b.take()
			if !ok || int(it.kind) != out {
				t.Fatalf("message %d is %d, %v", out, it.kind, ok)
			}
			b.handled(len(it.payload))
			out++
		}
	}
	if cap(b.items) > 2*inboxLen {
		t.Errorf("room for %d", cap(b.items))
	}
	for ; out < in; out++ {
		it, _, _ := b.take()
		b.handled(len(it.payload))
	}
	if _, ok, over := b.take(); ok || over || b.items != nil || b.size() != 0 {
		t.Errorf("empty, it has a message: %v, is over: %v, holds %d items and %d bytes", ok, over, cap(b.items), b.size())
	}

	// Bytes: what is too big alone fits; then nothing until it has been handled.
	if !b.put(letter(1, 5000), never) {
		t.Error("the first message after being empty starts nobody")
	}
	it, _, _ := b.take()
	var waiting sync.WaitGroup
	waiting.Go(func() {
		if b.put(letter(2, 1), never) {
			t.Error("a second goroutine is to take messages out")
		}
	})
	for full := false; !full; {
		b.mu.Lock()
		full = b.room != nil
		b.mu.Unlock()
	}
	if got := b.size(); got != 5000 {
		t.Errorf("%d bytes", got)
	}
	b.handled(len(it.payload))
	waiting.Wait()
	if it, ok, _ := b.take(); !ok || it.kind != 2 {
		t.Errorf("%v, %v", it.kind, ok)
	}

	// Quitting ends the wait.
	for range inboxLen {
		b.put(letter(3, 1), never)
	}
	quit := make(chan struct{})
	waiting.Go(func() { b.put(letter(4, 1), quit) })
	close(quit)
	waiting.Wait()

	// The end: what is there is still to be had.
	if b.end() {
		t.Error("there is a goroutine that takes messages out")
	}
	for n := range inboxLen + 1 {
		if it, ok, over := b.take(); ok != (n < inboxLen) || over == ok || ok && it.kind != 3 {
			t.Fatalf("%d: %v %v %v", n, it.kind, ok, over)
		}
	}
	if idle := (&inbox{}); !idle.end() {
		t.Error("at the end of an empty one nobody is to look")
	}
}
