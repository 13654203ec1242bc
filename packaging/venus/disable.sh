#!/bin/sh
# Stops packbank, now and for the boots to come. Its files stay.
set -eu
app=$(cd -P "$(dirname "$0")" && pwd)
root=${PACKBANK_ROOT:-}
boot=$root/data/rc.local

if [ -f "$boot" ]; then
    others=$(grep -vxF "ln -sfn $app/service $root/service/packbank" "$boot" || true)
    printf '%s\n' "$others" >"$boot"
fi
if [ -L "$root/service/packbank" ]; then
    rm "$root/service/packbank"
    svc -dx "$app/service" "$app/service/log"
fi
echo "packbank is disabled; $app/enable.sh starts it again"
