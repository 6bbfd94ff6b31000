// Package testbed tests nvsessd as nv-session-simple's users know it: what
// docs/testbed.md shows at the prompts, and nv-session-simple's README from its
// first example to its last, typed at a real daemon's console and in Node.js and
// compared with what they say is printed.
package testbed
