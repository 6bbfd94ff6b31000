// Package browser holds no code but tests: the client of web and its page in a
// real Chromium, against the real nvsessd.
//
// They need node, chromium, and the packages of package-lock.json in node_modules
// (make setup, or npm ci --ignore-scripts here); without they skip.
package browser
