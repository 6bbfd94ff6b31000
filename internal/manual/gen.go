//go:build ignore

// gen writes the man pages: go run gen.go PROGRAMS CONFIG VERSION DIRECTORY. Their date is SOURCE_DATE_EPOCH.
package main

import (
	"log"
	"os"
	"strconv"
	"time"

	"github.com/nvsess/nvsess/internal/manual"
)

func main() {
	if len(os.Args) != 5 {
		log.Fatal("usage: gen PROGRAMS CONFIG VERSION DIRECTORY")
	}
	var date time.Time
	if seconds, err := strconv.ParseInt(os.Getenv("SOURCE_DATE_EPOCH"), 10, 64); err == nil {
		date = time.Unix(seconds, 0)
	}
	if err := manual.Write(os.Args[1], os.Args[2], os.Args[3], date, os.Args[4]); err != nil {
		log.Fatal(err)
	}
}
