#!/bin/sh
# Prints the version of the packages that this source makes: a tag v1.2.3 is 1.2.3, four commits on 1.2.3+4.gabc1234; without a tag
# 0.0.0~TIME.gabc1234, the commit's time making a later one the higher version. What is not committed adds +dirty.
set -eu
cd "$(dirname "$0")/../.."
if ! git rev-parse -q --verify HEAD >/dev/null 2>&1; then
	echo 0.0.0~unknown
	exit
fi
if tag=$(git describe --tags --match 'v[0-9]*' 2>/dev/null); then
	version=$(printf %s "${tag#v}" | sed -E 's/-([0-9]+)-(g[0-9a-f]+)$/+\1.\2/; s/-/~/g')
else
	version=0.0.0~$(TZ=UTC0 git log -1 --format=%cd --date=format-local:%Y%m%d%H%M%S).g$(git rev-parse --short=7 HEAD)
fi
if [ -n "$(git status --porcelain --untracked-files=no)" ]; then
	version=$version+dirty
fi
echo "$version"
