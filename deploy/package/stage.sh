#!/bin/sh
# Assembles what is installed, as it is installed, below a directory: the one list of it, for the packages and for the archive.
#
#   stage.sh ARCH VERSION DIRECTORY
#
# SOURCE_DATE_EPOCH must be set. The same source gives the same bytes, wherever and whenever it is built.
set -eu
arch=$1 version=$2
mkdir -p "$3"
to=$(cd "$3" && pwd)
cd "$(dirname "$0")/../.."
umask 022
GO=${GO:-go}

# build GOARCH DIRECTORY. Nothing of this machine goes in: no paths, no state of its checkout, no settings of its environment.
build() {
	env -u GOEXPERIMENT -u GOFIPS140 GOFLAGS= GOOS=linux GOARCH="$1" GOAMD64=v1 GOARM64=v8.0 CGO_ENABLED=0 \
		"$GO" build -trimpath -buildvcs=false -ldflags "-s -w -X main.version=$version -X main.buildVersion=$version" -o "$2/" ./cmd/nvsessd ./cmd/nvsessctl
}
put() { # MODE FROM TO
	install -D -m "$1" "$2" "$to/$3"
}
pack() { # FROM TO: compressed, without a name and a time
	mkdir -p "$(dirname "$to/$2")"
	gzip -9nc "$1" >"$to/$2"
}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
build "$arch" "$work/$arch"
put 755 "$work/$arch/nvsessd" usr/bin/nvsessd
put 755 "$work/$arch/nvsessctl" usr/bin/nvsessctl

# Man pages and completion are what the programs say, so they must run here.
host=$(GOFLAGS='' "$GO" env GOHOSTARCH)
[ "$host" = "$arch" ] || build "$host" "$work/$host"
GOFLAGS='' "$GO" run internal/manual/gen.go "$work/$host" configs/nvsess.toml "$version" "$work/man"
pack "$work/man/nvsessd.8" usr/share/man/man8/nvsessd.8.gz
pack "$work/man/nvsessctl.1" usr/share/man/man1/nvsessctl.1.gz
pack "$work/man/nvsess.toml.5" usr/share/man/man5/nvsess.toml.5.gz
for shell in bash zsh fish; do "$work/$host/nvsessctl" completion $shell >"$work/$shell"; done
put 644 "$work/bash" usr/share/bash-completion/completions/nvsessctl
put 644 "$work/zsh" usr/share/zsh/vendor-completions/_nvsessctl
put 644 "$work/fish" usr/share/fish/vendor_completions.d/nvsessctl.fish

put 644 configs/nvsess.toml etc/nvsess/nvsess.toml
for unit in nvsessd.service nvsessd.socket nvsessd-admin.socket; do
	put 644 deploy/systemd/$unit usr/lib/systemd/system/$unit
done
put 644 deploy/sysusers.d/nvsess.conf usr/lib/sysusers.d/nvsess.conf
put 644 deploy/sysctl.d/90-nvsess.conf usr/lib/sysctl.d/90-nvsess.conf

doc=usr/share/doc/nvsess
put 644 deploy/nginx/nvsess.conf $doc/examples/nginx.conf
put 644 deploy/systemd/nvsessd.service.d/network.conf $doc/examples/network.conf
put 644 deploy/package/copyright $doc/copyright
put 644 deploy/package/lintian-overrides usr/share/lintian/overrides/nvsess
# What others wrote that is in the programs, with what they ask to be said of it.
GOFLAGS='' "$GO" list -deps -f '{{with .Module}}{{if not .Main}}{{.Path}} {{.Version}} {{.Dir}}{{end}}{{end}}' ./cmd/nvsessd ./cmd/nvsessctl | LC_ALL=C sort -u |
	while read -r module release dir; do
		printf '%s %s\n\n' "$module" "$release"
		cat "$dir"/LICEN[CS]E* "$dir"/COPYING* 2>/dev/null || :
		printf '\n%s\n\n' ------------------------------------------------------------------------
	done >"$work/licenses"
put 644 "$work/licenses" $doc/third-party-licenses.txt
for page in docs/*.md; do put 644 "$page" "$doc/$(basename "$page")"; done
pack CHANGELOG.md $doc/changelog.gz
{
	printf 'nvsess (%s-1) unstable; urgency=medium\n\n  * See changelog.gz.\n\n -- %s  %s\n' "$version" 'the nvsess authors <nvsess@localhost>' \
		"$(LC_ALL=C TZ=UTC0 date -d "@$SOURCE_DATE_EPOCH" '+%a, %d %b %Y %H:%M:%S +0000')"
} >"$work/changelog"
pack "$work/changelog" $doc/changelog.Debian.gz
