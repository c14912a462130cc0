#!/bin/sh
# Resolves each .in file beside this script to a lock with hashes, the newest versions that fit, for CPython 3.10 to
# 3.13; then checks that wheels for every supported platform exist, since a build never compiles a package.
#
#   ./lock.sh [path of uv]
#
# A changed lock is a new environment on every host: run the tests, which build it, before it is committed.
set -eu
cd "$(dirname "$0")"
uv=${1:-uv}

compile() {
	"$uv" pip compile --quiet --upgrade --universal --python-version 3.10 --generate-hashes \
		--no-emit-index-url --no-emit-find-links --no-annotate --no-header "$1.in" --output-file "$1.lock"
}
compile bootstrap
compile ray2.60
compile notebook

target=$(mktemp -d)
trap 'rm -rf "$target"' EXIT
for platform in x86_64-manylinux_2_28 aarch64-manylinux_2_28; do
	for version in 3.10 3.11 3.12 3.13; do
		for lock in ray2.60 notebook; do
			echo "checking wheels: $lock, $platform, Python $version"
			"$uv" pip install --quiet --dry-run --target "$target" --python-platform "$platform" \
				--python-version "$version" --no-build --require-hashes --requirement "$lock.lock"
		done
	done
done
