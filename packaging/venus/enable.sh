#!/bin/sh
# Starts packbank now and at every boot. May be run again at any time.
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

[ -f "$app/config.ini" ] ||
    die "$app/config.ini is missing: '$(quoted "$app/bin/packbank") scan -o $(quoted "$app/config.ini")' writes one"
"$app/bin/packbank" check "$app/config.ini"
"$app/serialbattery.sh" || die "not enabled"
if [ -e "$link" ] && [ ! -L "$link" ]; then
    die "$link is there and is not a link of ours; remove it, then start this again"
fi

if [ ! -f "$boot" ]; then
    printf '#!/bin/sh\n%s\n' "$(boot_line)" | replace_file "$boot"
elif ! grep -qxF "$(boot_line)" "$boot"; then
    # After the first line: rc.local may end with "exit 0", or without an end of line.
    lines=$(sed -n '1{/^#!/p;}' "$boot" && boot_line && sed '1{/^#!/d;}' "$boot")
    printf '%s\n' "$lines" | replace_file "$boot"
fi
[ -x "$boot" ] || chmod +x "$boot"

ln -sfn "$app/service" "$link"
svc -u "$app/service" >/dev/null 2>&1 || true # where it was stopped by hand; a new link is found within five seconds
say "enabled; its log: tail -F /var/log/packbank/current | tai64nlocal"
