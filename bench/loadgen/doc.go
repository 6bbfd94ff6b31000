// Command loadgen measures a WebSocket server from outside: how much CPU time
// and memory the server spends on echo, fan-out, idle connections, handshakes
// and the load nv-session-simple was published with.
//
// It is one thread with one epoll instance and raw non-blocking system calls,
// because the machine it shares with the server is small: whatever it spends
// is missing there. The figures it is made for are therefore counts per second
// of the server's own CPU time, which compare as ratios whatever else runs, and
// it always reports its own CPU time beside them.
//
// Every message carries its sender and a sequence number. A lost, repeated,
// reordered or altered message, or a connection the server drops, makes the
// scenario fail and the exit status non-zero; a fast server that loses
// messages has no figure.
package main
