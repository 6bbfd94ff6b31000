package web

import _ "embed"

//go:generate go tool esbuild src/index.js --bundle --format=esm --target=es2022 --charset=utf8 --log-level=warning --outfile=dist/nvsess.mjs
//go:generate go tool esbuild src/script.js --bundle --format=iife --global-name=Bwsess --target=es2022 --charset=utf8 --minify --keep-names --log-level=warning --banner:js=/*nvsess*/ "--footer:js=Bwsess=Bwsess.default;if(typeof module===\"object\"&&module&&module.exports)module.exports=Bwsess;" --outfile=dist/bwsess.js

var (
	//go:embed dist/nvsess.mjs
	module []byte
	//go:embed dist/bwsess.js
	script []byte
	//go:embed dist/nvsess.d.ts
	types []byte
	//go:embed demo/index.html
	demo []byte
)

// Module is the client as an ES module, nvsess.mjs.
func Module() []byte { return module }

// Script is the client as a script that defines Bwsess, bwsess.js: for a
// <script> element, a browser's console, or Node's require.
func Script() []byte { return script }

// Types is the module's TypeScript declarations, nvsess.d.ts.
func Types() []byte { return types }

// Demo is a page to try a daemon with. It loads ./nvsess.mjs.
func Demo() []byte { return demo }
