// Package config reads the daemon's TOML file.
//
// There is one struct, Config, one set of defaults, Default, and one table of keys (keys.go) that says for each key where it is
// kept, what it may be and how that is put to the person who got it wrong. Reading is strict: an unknown key or a bad value fails,
// with file, line and what is allowed, and everything wrong in a file is reported at once. configs/nvsess.toml documents each key;
// a test holds it to the defaults.
//
// The package also knows where things are: the runtime directory, which "%t" stands for in addresses, and the places nvsessctl
// looks for the admin socket; and who is who, as far as names of users and groups go. It opens nothing; package listen does.
package config
