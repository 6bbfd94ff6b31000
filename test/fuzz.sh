#!/bin/sh
# fuzz.sh [TIME [REGEXP [JOBS]]]: runs each fuzz target whose PACKAGE.NAME
# matches, JOBS (2) at a time, beginning with its seeds. Prints a line for each, and
# all of its output, with the failing input as a file, for one that failed.
set -u
cd "$(dirname "$0")/.." || exit 1

# judge LOG STATUS says whether a target is well. A time that is over may make
# the fuzzer itself say "context deadline exceeded" and nothing else
# (go.dev/issue/75804, until Go 1.27).
judge() {
	[ "$2" -eq 0 ] && return 0
	[ "$(sed -n '/^--- FAIL: /,$p' "$1" | grep -vcE '^(--- FAIL: Fuzz|    context deadline exceeded$|FAIL|exit status 1$)')" -eq 0 ] &&
		grep -q '^    context deadline exceeded$' "$1"
}

# run_one TIME PACKAGE.NAME
run_one() {
	pkg=${2%.*} target=${2##*.}
	log=$(mktemp) || exit 1
	trap 'rm -f "$log"' EXIT
	# One worker: two cores are shared by JOBS targets.
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$1" -fuzzminimizetime 5s -parallel 1 "./$pkg" >"$log" 2>&1
	if judge "$log" $?; then
		sed -nE 's/^fuzz: elapsed: .*(execs: [0-9]+) .*new interesting: ([0-9]+) \(total: ([0-9]+)\).*/\1, corpus: \3, new: \2/p' "$log" |
			tail -1 | sed "s|^|ok    $2: |"
		exit 0
	fi
	# In one write, for others print meanwhile.
	report=$(
		echo "FAIL  $2"
		cat "$log"
		for file in $(sed -n 's/^ *Failing input written to //p' "$log"); do
			echo "The input, to be put into $pkg/$file:"
			cat "$pkg/$file"
		done
	)
	printf '%s\n' "$report"
	exit 1
}

if [ "${1:-}" = -one ]; then
	run_one "$2" "$3"
fi

time=${1:-30s}
targets=$(grep -rEo --include='*_test.go' --exclude-dir=node_modules '^func Fuzz[A-Za-z0-9_]+' . |
	sed -E 's|^\./(.*)/[^/]*_test\.go:func (.*)|\1.\2|' | sort | grep -E -- "${2:-.}")
[ -n "$targets" ] || { echo "fuzz: no target matches ${2:-.}"; exit 1; }
echo "fuzz: $(echo "$targets" | wc -l) targets, $time each"
echo "$targets" | xargs -P "${3:-2}" -n 1 sh "$0" -one "$time"
