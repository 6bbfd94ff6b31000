// Package systembox gives a test a real systemd: as the first process of a box of
// namespaces, on a throw-away overlay of this machine's root, with what an
// operator installs, if that is wanted (nvsess.go). It needs root, and skips the
// test where a box cannot be made. The test's TestMain calls Main.
package systembox
