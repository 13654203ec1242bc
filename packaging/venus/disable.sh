#!/bin/sh
# Stops packbank, now and for the boots to come. Its files stay.
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

failed=
forget_boot_line || failed=yes
if [ -L "$link" ]; then
    rm "$link" || failed=yes
fi
if [ "$(service_state "$app/service")" != absent ]; then
    svc -dx "$app/service" "$app/service/log" || true # whether it has worked is seen below
    await_end || failed=yes
fi
[ -z "$failed" ] || die "could not be stopped altogether, see above; 'svstat $app/service' shows whether it runs"
say "disabled; $app/enable.sh starts it again"
