// Package inspect gives JavaScript running on goja what node:util gives programs on Node.js: inspect and format. Values look as in the
// REPL of Node.js 20; tests hold the two against each other, byte for byte.
//
// On purpose it differs where Node.js trusts what it prints:
//
//   - Names, tags, symbols, error messages and the text of format's strings may come from a peer. Control characters (C0 but the line
//     break, DEL, C1) and marks that turn the direction of writing are shown as escapes (\x1B, \u202E); in format's strings tabs stay.
//     What an object's own inspect method returns may hold colors, too.
//   - A getter, toStringTag or inspect method that throws never breaks printing: it is passed over.
//   - Nesting is followed 500 levels deep. After 4 Mi characters of output only the outermost level is still printed, and an array of more than a
//     million elements is not searched for properties that are no elements.
//   - A Go function goes by the last part of its name.
//
// The program is in js, as pieces of one function: escape.js (quoting, widths, colors), layout.js (which entries share a line), names.js
// (constructors, tags, functions), kinds.js (built-ins and their entries), errors.js, shape.js (what an object of each kind shows), property.js,
// inspect.js, format.js. What JavaScript cannot see, such as
// the state of a promise, comes from Go: host.go.
package inspect
