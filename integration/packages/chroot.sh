#!/usr/bin/env bash
# Makes a small system like this one, Debian or Ubuntu, in the directory $1; .cache keeps an archive of it. It needs root and debootstrap.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

. /etc/os-release
suite=$VERSION_CODENAME
archive=$PWD/.cache/chroot-$suite-$(dpkg --print-architecture).tar
if [ ! -f "$archive" ]; then
	mkdir -p .cache
	new=$(mktemp -d .cache/chroot.XXXXXX)
	trap 'rm -rf "$new"' EXIT
	debootstrap --variant=minbase "$suite" "$new/root" >&2
	tar -C "$new/root" --one-file-system --exclude=./var/cache/apt --exclude=./var/lib/apt/lists --exclude=./dev --exclude=./proc --exclude=./sys -cf "$new/tar" .
	mv "$new/tar" "$archive"
fi
mkdir -p "$1"
tar -C "$1" -xf "$archive"
mkdir -p "$1/dev" "$1/proc" "$1/sys"
: >"$1/dev/null" # maintainer scripts write there; a device cannot be made everywhere
chmod 666 "$1/dev/null"
