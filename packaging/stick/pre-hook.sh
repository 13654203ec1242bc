#!/bin/sh
# Venus OS runs this at every boot with the stick in, before it unpacks venus-data.tar.gz into /data; failing stops that.
# So a stick that stays in writes nothing when its version, or a newer one, is installed and configured. A configuration
# that is only shown counts as none as soon as the stick says what the owner has decided.
here=$(dirname "$0")
root=${PACKBANK_ROOT:-}
config=$root/data/apps/packbank/config.ini
[ -f "$config" ] || exit 0
if [ "$(head -n 1 "$config")" = "$(cat "$here/mark")" ]; then
    for said in "$root"/media/*; do
        if [ -f "$said/config.ini" ] || grep -qi '^[[:space:]]*PACKS' "$said/packbank.txt" 2>/dev/null; then exit 0; fi
    done
fi
exec sh "$here/install.sh" --newer "$(cat "$here/version")"
