// Command clock is the first process of a machine of its own, whose clock it sets
// by decades, forth and back, while sessions are connected to a daemon beside it.
// Nobody may notice: sessions stay open and are pinged, who is silent is closed
// when it is time, a question ends at its deadline, ages are what they are; and so
// it is for the process that an upgrade begins.
//
// The machine is a User-mode Linux, a kernel that runs as a process: its clock is
// nobody else's. What there is to say is written to a file of the host's.
package main
