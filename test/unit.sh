#!/bin/sh
# Runs all tests, with the race detector where it can be built, and ends with
# what was skipped and why, and a count. A few that fail while all others run, and
# for nothing worse than being late, are run again alone, and called unsteady.
set -u
cd "$(dirname "$0")/.." || exit 1
race=-race
if ! command -v gcc >/dev/null; then
	race=
	echo "unit: no C compiler; skipped the race detector"
fi
out=$(mktemp) || exit 1
trap 'rm -f "$out"' EXIT
go test $race -timeout "${1:-40m}" -json ./... >"$out"
go run ./test/summary go test $race -timeout "${1:-40m}" <"$out"
status=$?
# What is promised of memory cannot be told under the race detector.
if [ -n "$race" ]; then
	go test -count=1 -run 'Allocates|ProcessSurvives' ./internal/... >"$out" || status=1
	grep -vE '^ok|no test' "$out"
fi
exit $status
