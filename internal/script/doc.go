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
// goja and not its fork sobek: goja is where both are developed (its last commit
// is the younger by months), sobek adds ECMAScript modules, which a console and
// a file of handlers do not need, and goja_nodejs, whose Buffer and URL are used
// here, is made for goja.
package script
