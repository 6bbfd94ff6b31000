// Package gen makes the files around a daemon: nginx's part, the handlers and the configuration of nvsessd, clients for Node and for
// browsers. They are those of nv-session-simple's commands (nv_sess_nginx, nv_sess_app, ...), with the same options.
//
// A [Command] reads its options and gives an [Output]: text and files in memory. Nothing is written before everything is known;
// [WriteFiles] then puts all files in place or none, and never over one that exists unless told to.
//
// What a user types ends up in three languages. Each value is checked for what it is (check.go) and then quoted for where it goes
// (quote.go); no template has a value that was not quoted.
package gen
