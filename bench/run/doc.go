// Command run measures nvsessd and its peers with bench/loadgen and compares them.
//
// One server runs at a time, on a fresh unix socket; the servers take turns within
// each round of a scenario, so that they are compared in the same minute of the
// same machine, and the median over the rounds counts. It prints a table, says
// which of the project's goals are met, and, asked to, writes docs/benchmarks.md
// and its chart. A goal not met is a result; only a server or a measurement that
// fails makes the exit status non-zero.
//
// "run published" is another measurement: nv-session-simple's own load, for ten
// minutes, on four servers at the same time, each with its own sessions and load
// generator. It writes a section of the same document. There, whatever is lost
// makes the exit status non-zero, too.
package main
