// Package fdstore keeps live connections in systemd's descriptor store, so that they outlive the process: a restart, a crash, kill -9
// and the watchdog.
//
// systemd would take descriptors one by one, but at a quadratic cost, and their names have to fit into an environment variable. So it
// is given only a handful: both ends of some rings, and a memfd.
//
// A ring (ring.go) is a SEQPACKET socket pair whose messages nobody receives. Each message carries up to 250 descriptors, which stay in
// flight as long as systemd holds the pair. Its oldest message can be discarded, by a read without room for descriptors, once what is
// alive in it has been sent again to the end: a ring is a circular log, and systemd hears nothing of what goes through it. What was opened
// in a pass of a loop goes into the hot ring, as one message; tidy.go moves that into the cold rings in full messages, and turns those
// to get rid of what was closed. A closed connection must be shut down with shutdown(2): its descriptor stays in flight for up to
// lingerLimit.
//
// What is known of each connection is in the memfd (memory.go): a slot with a few flags, and a record of any length. A message in a ring
// names the slot of each descriptor, and the number of its use. A connection is only ever one whose descriptor and slot agree.
//
// After a restart the rings are looked at and not emptied (restore.go), so a process that dies while it restores loses nothing, and what
// is restored need not be stored again. A process that executes another image of itself hands over the ends of the rings; see Handles.
//
// All of it is guarded by one mutex, which is held for a system call at most. Talking to systemd is the business of one goroutine
// (systemd.go).
package fdstore
