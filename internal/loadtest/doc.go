// Package loadtest opens thousands of clients on one server, holds them, and measures.
//
// A [Test] goes through its phases once: it opens the clients at a pace, has a control client broadcast by way of a forwarding server, or
// each client send to an echoing one, waits for the last copies, and closes every session politely. [Test.Report] may be asked for at any
// time; the one that [Test.Run] returns is final.
//
// # What is counted
//
// Messages of the test carry a mark (see mark): the run, the sender, a number, and when they were sent. So a copy is told from a message
// of somebody else, and a duplicate from a copy. Of each broadcast, a copy is expected at every client that is open when it is sent; what
// a client missed that ended later, before the end of the test, is counted apart from what got lost.
//
// Latencies are of this process: from the call that sends to the handler that receives, with its own waiting for a processor. They go into
// histograms of fixed size ([Histogram]), so that memory does not grow with the length of a test.
package loadtest
