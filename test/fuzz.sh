#!/bin/sh
# Runs each fuzz target for a short time, beginning with its seeds.
set -u
cd "$(dirname "$0")/.." || exit 1
time=${1:-5s}
status=0
for pkg in $(go list ./...); do
	for target in $(go test -list '^Fuzz' "$pkg" | grep '^Fuzz'); do
		echo "fuzz: $target in $pkg, $time"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$pkg" || status=1
	done
done
exit $status
