#!/bin/sh
# Starts packbank now and at every boot. May be run again at any time.
set -eu
app=$(cd -P "$(dirname "$0")" && pwd)
root=${PACKBANK_ROOT:-}
boot=$root/data/rc.local

if [ ! -f "$app/config.ini" ]; then
    echo "$app/config.ini is missing: '$app/bin/packbank scan > $app/config.ini' writes one" >&2
    exit 1
fi
"$app/bin/packbank" check "$app/config.ini"

# /service is made anew at each boot, and a firmware update replaces the root: /data/rc.local outlives both.
link="ln -sfn $app/service $root/service/packbank"
if [ ! -f "$boot" ]; then
    printf '#!/bin/sh\n' >"$boot"
fi
grep -qxF "$link" "$boot" || printf '%s\n' "$link" >>"$boot"
chmod +x "$boot"

ln -sfn "$app/service" "$root/service/packbank"
echo "packbank is enabled; its log: tail -F /var/log/packbank/current | tai64nlocal"
