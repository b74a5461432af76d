#!/usr/bin/env bash
# Builds kubelab and dnslab into .cache/labs/KEY at the root of the tree, unless they are there, and prints that
# directory. KEY is made of the sources, the requirements and the version of Go. Cold, this takes 5 to 10 minutes of two cores and
# 2 GB of memory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"

go=${GO:-go}
key=$({ $go version; cat go.mod go.sum kubelab/*.go dnslab/*.go; } | sha256sum | cut -c1-16)
cache=$(cd ../.. && pwd)/.cache/labs
if [ ! -d "$cache/$key" ]; then
	mkdir -p "$cache"
	exec 9>"$cache/lock"
	flock 9 # one build at a time; the next finds its result
	if [ ! -d "$cache/$key" ]; then
		new=$(mktemp -d "$cache/new.XXXXXX")
		trap 'rm -rf "$new"' EXIT
		echo "labs: building kubelab and dnslab; it takes some minutes the first time" >&2
		CGO_ENABLED=0 $go build -trimpath -ldflags="-s -w" -o "$new" ./kubelab ./dnslab >&2
		chmod 755 "$new"
		mv "$new" "$cache/$key"
		trap - EXIT
	fi
fi
echo "$cache/$key"
