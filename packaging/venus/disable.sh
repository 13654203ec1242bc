#!/bin/sh
# Stops packbank, now and for the boots to come. Its files stay.
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

failed=
if [ -f "$boot" ] && grep -qxF "$(boot_line)" "$boot"; then
    others=$(grep -vxF "$(boot_line)" "$boot" || true)
    printf '%s\n' "$others" | replace_file "$boot" || failed=yes
fi
if [ -L "$link" ]; then
    rm "$link" || failed=yes
fi
if [ "$(service_state)" != absent ]; then
    svc -dx "$app/service" "$app/service/log" || true # whether it has worked is seen below
    await_end || failed=yes
fi
[ -z "$failed" ] || die "could not be stopped altogether, see above; 'svstat $app/service' tells whether it runs"
say "disabled; $app/enable.sh starts it again"
