#!/bin/sh
# Removes packbank. The configuration and what it remembers stay, unless --all is given.
set -eu
app=$(cd -P "$(dirname "$0")" && pwd)
"$app/disable.sh"
rm -rf "${app:?}/bin" "$app/python" "$app/service" "$app/enable.sh" "$app/disable.sh" "$app/uninstall.sh"
if [ "${1:-}" = --all ]; then
    rm -rf "$app" "${PACKBANK_ROOT:-}/var/log/packbank"
    echo "packbank is gone"
else
    echo "packbank is gone; left in $app: $(cd "$app" && echo *)"
fi
