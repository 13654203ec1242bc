#!/bin/sh
# Venus OS runs this at every boot with the stick in, before it unpacks venus-data.tar.gz into /data; failing stops that.
# So a stick that stays in writes nothing when its version, or a newer one, is installed and configured.
here=$(dirname "$0")
[ -f "${PACKBANK_ROOT:-}/data/apps/packbank/config.ini" ] || exit 0
exec sh "$here/install.sh" --newer "$(cat "$here/version")"
