#!/bin/sh
# Makes what is released, for each of ARCHES (amd64 arm64), in a directory: an archive, a .deb, a .rpm, and SHA256SUMS of them all.
#
#   dist.sh [DIRECTORY]
#
# The same commit gives the same bytes with the same Go, wherever and whenever: docs/install.md. VERSION and SOURCE_DATE_EPOCH replace
# what git says, FORMATS names fewer packages.
set -eu
out=${1:-dist}
mkdir -p "$out"
out=$(cd "$out" && pwd)
cd "$(dirname "$0")/../.."
src=$(pwd)
umask 022
export LC_ALL=C TZ=UTC0
GO=${GO:-go}
NFPM=${NFPM:-$GO run github.com/goreleaser/nfpm/v2/cmd/nfpm@v2.48.0}
VERSION=${VERSION:-$(sh deploy/package/version.sh)}
SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git log -1 --format=%ct 2>/dev/null || echo 1)}
export VERSION SOURCE_DATE_EPOCH

rm -f "$out"/nvsess[-_]*.tar.gz "$out"/nvsess_*.deb "$out"/nvsess-*.rpm "$out/SHA256SUMS"
for arch in ${ARCHES:-amd64 arm64}; do
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	sh deploy/package/stage.sh "$arch" "$VERSION" "$work/root"
	cp -R deploy/package "$work/package"

	name=nvsess-$VERSION-linux-$arch
	mv "$work/root" "$work/$name"
	(cd "$work" && tar --sort=name --format=ustar --mtime="@$SOURCE_DATE_EPOCH" --owner=0 --group=0 --numeric-owner --mode=u=rwX,go=rX -cf - "$name") |
		gzip -9n >"$out/$name.tar.gz"

	mv "$work/$name" "$work/root"
	case $arch in
	amd64) rpmarch=x86_64 ;;
	arm64) rpmarch=aarch64 ;;
	*) rpmarch=$arch ;;
	esac
	for format in ${FORMATS-deb rpm}; do
		case $format in
		deb) file=nvsess_$VERSION-1_$arch.deb ;;
		rpm) file=nvsess-$VERSION-1.$rpmarch.rpm ;;
		esac
		(cd "$work" && GOFLAGS='' ARCH=$arch $NFPM package -f package/nfpm.yaml -p $format -t "$out/$file" >"$work/log" 2>&1) || {
			cat "$work/log" >&2
			exit 1
		}
	done
	rm -rf "$work"
done
cd "$out"
sha256sum nvsess* >SHA256SUMS
cat SHA256SUMS
cd "$src"
