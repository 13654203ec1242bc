#!/bin/sh
# Venus OS runs this after it has unpacked venus-data.tar.gz into /data, early in the boot: before D-Bus and services.
stick=${PACKBANK_ROOT:-}/data/packbank-stick
if [ "${1:-}" = success ]; then
    (trap '' HUP && exec sh "$stick/stick.sh") </dev/null >/dev/null 2>&1 &
else
    rm -rf "$stick" # the disk is full, most likely
fi
