// Package web holds the JavaScript client of nvsess, for browsers and Node, and a
// page that shows it at work. README.md is its manual.
//
// src is what is written by hand; go generate makes dist from it, which is
// committed: who builds the daemon needs no JavaScript tools.
package web
