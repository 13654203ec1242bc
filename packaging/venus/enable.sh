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

if [ ! -f "$boot" ] && [ -f "$boot_off" ]; then
    boot=$boot_off
    warn "modifications are switched off on this GX: before its next start, switch them on in Settings > General >" \
        "Modification checks; else packbank is not started then"
fi
if [ ! -f "$boot" ]; then
    printf '#!/bin/sh\n%s\n' "$(boot_line)" | replace_file "$boot"
    chmod +x "$boot"
elif ! grep -qxF "$(boot_line)" "$boot" || grep -q "$(printf '\r')" "$boot"; then
    # After the first line: rc.local may end with "exit 0", or without an end of line.
    others=$(boot_text "$boot" | grep -vxF "$(boot_line)" || true)
    lines=$(printf '%s\n' "$others" | sed -n '1{/^#!/p;}' && boot_line && printf '%s\n' "$others" | sed '1{/^#!/d;}')
    printf '%s\n' "$lines" | replace_file "$boot"
fi
[ -x "$boot" ] || { chmod +x "$boot" && say "$boot could not be executed, so a boot ran nothing of it; now it can"; }

ln -sfn "$app/service" "$link"
svc -u "$app/service" >/dev/null 2>&1 || true # where it was stopped by hand; a new link is found within five seconds
say "enabled; its log: tail -F /var/log/packbank/current | tai64nlocal"
