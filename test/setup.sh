#!/bin/sh
# Installs what the tests use besides Go: Debian packages when this is root (or
# sudo asks no password) and apt-get exists, npm packages when npm does. It never
# fails: what cannot be installed is said, and the tests that need it skip
# themselves and say so too.
set -u
cd "$(dirname "$0")/.." || exit 1

as_root=
if [ "$(id -u)" -ne 0 ]; then
	if command -v sudo >/dev/null && sudo -n true 2>/dev/null; then as_root='sudo -n'; else as_root=no; fi
fi

missing=
# want COMMAND PACKAGE WHAT-FOR
want() {
	command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ] || [ -x "/lib/systemd/$1" ] || {
		missing="$missing $2"
		echo "setup: $1 is missing ($3)"
	}
}
want gcc gcc 'the race detector'
want curl curl 'the API examples of docs/admin.md'
want less less "the console's pager"
want nginx nginx-light 'sessions through a real nginx'
want tmux tmux 'what an operator sees in a real terminal'
want systemd systemd 'the units under a real systemd'
want dbus-daemon dbus 'the units under a real systemd'
want unshare util-linux 'the units under a real systemd'
want ip iproute2 'the units under a real systemd'
want promtool prometheus 'alerts and the dashboard read by Prometheus itself'
want apt-get apt 'installing the package'
want rpm rpm 'looking into the .rpm'
want groff groff-base 'looking at the man pages'
want mandoc mandoc 'looking at the man pages'
want zsh zsh 'completion in zsh'
want fish fish 'completion in fish'
want strace strace 'system calls that fail'
want linux.uml user-mode-linux 'a machine whose clock can be set'
want node nodejs 'foreign clients: npm ws and websocket'
want npm npm 'foreign clients: npm ws and websocket'
want chromium chromium 'the JavaScript client in a real browser'

if [ -n "$missing" ]; then
	if [ "$as_root" = no ] || ! command -v apt-get >/dev/null; then
		echo "setup: not root, or no apt-get: skipped installing$missing"
	else
		# Services that packages bring along (nginx) must not be started.
		policy=/usr/sbin/policy-rc.d
		if [ ! -e $policy ]; then
			printf '#!/bin/sh\nexit 101\n' | $as_root tee $policy >/dev/null && $as_root chmod +x $policy
			trap '$as_root rm -f $policy' EXIT
		fi
		log=$(mktemp) || exit 0
		# shellcheck disable=SC2086 # words
		if ! { $as_root apt-get update -qq && $as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing; } >"$log" 2>&1; then
			tail -n 5 "$log"
			echo "setup: apt-get failed; skipped installing$missing"
		else
			echo "setup: installed$missing"
		fi
		rm -f "$log"
	fi
fi

for dir in test/clients test/browser bench/peers/node; do
	[ -f $dir/package-lock.json ] || continue
	[ $dir/node_modules -nt $dir/package-lock.json ] && continue
	if command -v npm >/dev/null; then
		if npm ci --prefix $dir --ignore-scripts --no-audit --no-fund --loglevel=error >/dev/null; then
			touch $dir/node_modules
		else
			echo "setup: npm failed; skipped the packages of $dir"
		fi
	else
		echo "setup: no npm; skipped the packages of $dir"
	fi
done
exit 0
