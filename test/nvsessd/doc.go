// Package nvsessd runs the programs for tests of them: it builds nvsessd and
// nvsessctl, starts a daemon, waits for what it says, and ends it.
package nvsessd
