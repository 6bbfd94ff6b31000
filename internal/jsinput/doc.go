// Package jsinput understands what an operator typed at the console's prompt, without running any of it: whether it is a
// plain command or JavaScript ([IsCommand]), whether more lines must follow ([Check]), what a script engine is to run for
// it ([Prepare]), and what a Tab asks for ([CompletionTarget]).
//
// # What Prepare does
//
// The console's JavaScript is a classic script with three liberties, those of Node's and the browsers' consoles:
//
//   - await may stand outside of functions. Such an input, and only such a one, becomes an async function and [Program.Async].
//   - What let, const and class declare outside of blocks stays, as a property of the global object, and may be declared again by a
//     later input. A const is therefore no more constant than a var; declaring a name twice within one input is an error, as ever.
//   - {a: 1} is an object, where a script would see a block with a label; { f(); } is a block.
//
// The value of a synchronous input is the script's completion value, whatever the last statement is. The value of an Async input is
// that of its last statement if it is an expression, or of the expression that ends a block there, the blocks of an if, or a try; loops,
// switches and declarations at the end give undefined.
//
// # What is not supported
//
// The engine is goja, which lacks async generators, for await, modules and import(), decorators, and the regular expression flags d and
// v. All of these are a [SyntaxError] that says so and where. Numeric separators, BigInt, private names, class static blocks,
// optional chaining, logical assignment, named groups and lookbehind are there.
//
// # Limits
//
// The parser descends once for each bracket and each operator, on a stack that cannot be recovered from. So a text has at most
// [MaxText] bytes, [MaxNesting] open brackets and a bounded number of tokens in what they contain; more is a SyntaxError.
//
// Files: token.go cuts text into tokens, bracket.go knows what brackets mean to them, literal.go scans those of many characters; parse.go has
// goja's parser judge the text, walk.go and declare.go find what it contains and declares; prepare.go and rewrite.go make the script,
// position.go finds the way back.
package jsinput
