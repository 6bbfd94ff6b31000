// Package manual makes the man pages: nvsessd(8), nvsessctl(1) and nvsess.toml(5).
//
// Nothing is said here that is said elsewhere: what the programs print for -help, the operators' table of commands with the reference's
// text, and the commented configuration file are turned into roff. gen.go, run by "make man", writes the pages.
package manual
