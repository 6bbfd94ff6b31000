//go:build ignore

// gen writes docs/admin.md from the table of commands.
package main

import (
	"log"
	"os"

	"github.com/nvsess/nvsess/internal/admin"
)

func main() {
	if err := os.WriteFile("../../docs/admin.md", admin.Reference(), 0o644); err != nil {
		log.Fatal(err)
	}
}
