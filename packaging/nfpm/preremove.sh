#!/bin/sh
# "remove" is the word of dpkg, 0 that of rpm; an upgrade stops nothing.
set -e
if [ -d /run/systemd/system ] && { [ "$1" = remove ] || [ "$1" = 0 ]; }; then
	systemctl --no-reload disable --now convoke.service || true
fi
