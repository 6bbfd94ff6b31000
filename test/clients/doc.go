// Package clients holds no code but tests: the real nvsessd, as a process, with
// clients other people wrote (npm ws and websocket), with a client that behaves
// on the wire as a stock nv-session one, with the Go client, and with
// nvsessctl connect; and TypeScript with the types of the JavaScript one.
//
// The Node tests need node, and the packages of package-lock.json in
// node_modules (make setup, or npm ci --ignore-scripts here); without they skip.
package clients
