// Package script runs JavaScript: the handlers of messages, hooks that decide
// about handshakes, and what an operator types at the console, with the objects
// of nv-session-simple (srv, Sess, Conn).
//
// An [Engine] has one world: a goja runtime with its globals, its timers and the
// handlers registered in it, and one goroutine, which alone touches them. Event
// loops hand it events and go on; what it sends is written by its goroutine.
// Everything that runs in it is a job with a bound on its processor time, after
// which it is interrupted; a job that cannot be interrupted, because it is
// inside a built-in function, costs the world: a new one takes its place, in
// which the handlers are registered anew from their source.
//
// # What runs on whose behalf
//
// Through awaits and timers it is kept who began something: the console or a
// file, and the event, handshake or input that waits for its end. So what a file
// began ends when it is loaded again, and a handler that loops after an await
// fails at once and not when its time is over. What the same job would have
// resumed after a call that was interrupted is lost with it: goja forgets its
// queue. Events of others that waited for that go on after Options.Timeout.
//
// # What is not bounded
//
// Built-in functions run to their end. js/limits.js looks before they begin at
// what would be too large or too deep. It cannot look at operators of BigInt
// (1n << 2n**40n ends the process), at JSON.stringify of what holds the same
// pieces thousandfold, nor at what lies about its length, say with a getter;
// with Options.MaxHeap far above its default, structures may become so deep that
// a built-in function's descent ends the process. Scripts are an operator's; what
// clients send does not come to any of these by itself. For the rest there is the
// service's MemoryMax.
//
// Files: engine.go, world.go, queue.go and job.go are the engine and what runs in
// it; watch.go and limits.go bound it; call.go, verify.go, plain.go and timers.go
// are what calls scripts, handlers.go who is called; load.go, restore.go and
// eval.go bring scripts in; prelude.go joins js/prelude, and natives.go, sess.go,
// requests.go, listening.go and fetch.go are what that is made of.
//
// # The engine below
//
// goja and not its fork sobek: goja is where both are developed (its last commit
// is the younger by months), sobek adds ECMAScript modules, which a console and
// a file of handlers do not need, and goja_nodejs, whose Buffer and URL are used
// here, is made for goja.
package script
