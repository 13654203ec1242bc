#!/bin/sh
# Installs packbank from what the stick brought to /data/packbank-stick, once the GX is up, and removes that folder.
#
# Beside venus-data.tar.gz on the stick:
#   config.ini             is taken when packbank has no configuration yet and it is right
#   packbank.txt           without one: PORT = /dev/ttyUSB0 and PACKS = 15; a configuration is written when two scans
#                          find the same packs, as many as that. REPLACE_SERIALBATTERY = yes stops that driver.
#   packbank-install.log   what was done, written here
#   config.found.ini       the packs that were found, written here
#
# Without a number of packs those that two scans find are shown on the GX without limits, until the owner decides.
set -u
stick=$(cd -P "$(dirname "$0")" && pwd)
root=${PACKBANK_ROOT:-}
app=$root/data/apps/packbank

mark=$(cat "$stick/mark") # the first line of a configuration that is only shown, see pre-hook.sh

media=
for folder in "$root"/media/*; do
    for name in venus-data.tar.gz venus-data.tgz; do
        if [ -z "$media" ] && [ -f "$folder/$name" ]; then media=$folder; fi
    done
done
log=$media/packbank-install.log
{ [ -n "$media" ] && : >>"$log"; } 2>/dev/null || log=$root/data/packbank-install.log
exec >>"$log" 2>&1
echo "== $(date)"

# A word of packbank.txt, from whatever editor; nothing where there is no such file.
word() {
    [ -f "$media/packbank.txt" ] || return 0
    tr -d '\r' <"$media/packbank.txt" | sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//Ip" | sed 's/[[:space:]]*$//' | head -n 1
}

await_system() {
    seconds=0
    until [ -S "$root/var/run/dbus/system_bus_socket" ] || [ "$seconds" -ge 180 ]; do
        sleep 1
        seconds=$((seconds + 1))
    done
}

scan() {
    tty=$(basename "$(readlink -f "${port:-none}")")
    case $tty in tty*) "$root/opt/victronenergy/serial-starter/stop-tty.sh" "$tty" ;; esac
    # shellcheck disable=SC2086 # without a port it is no word: all adapters
    "$app/bin/packbank" scan $port >"$1"
}

same_packs() { [ "$(grep -v '^#' "$1")" = "$(grep -v '^#' "$2")" ]; }

find_packs() {
    port=$(word PORT) packs=$(word PACKS)
    if ! { scan "$stick/first" && scan "$stick/second"; }; then
        echo "no pack was found, see above; put that right, then start the GX again with the stick in"
        return 1
    fi
    cat "$stick/second"
    found=$(grep -c '^#   0x' "$stick/second")
    cp "$stick/second" "$app/config.found.ini" # for those who look with ssh
    cp "$stick/second" "$media/config.found.ini" 2>/dev/null
    if ! same_packs "$stick/first" "$stick/second"; then
        echo "two scans found different packs: a bad cable, or two packs with one address; nothing is shown on the GX"
    elif [ -z "$packs" ]; then
        echo "found $found packs. The GX shows them and is not controlled by them. When all is right, say in packbank.txt"
        echo "how many packs there are, and on which PORT; then start the GX again with the stick in"
        { printf '%s\n[DEFAULT]\nPUBLISH_LIMITS = False\n\n' "$mark" && cat "$stick/second"; } >"$app/config.ini" && return
    elif [ "$found" != "$packs" ]; then
        echo "found $found packs, and packbank.txt says $packs: nothing is shown on the GX until they agree; see docs/connect.md"
    else
        cp "$stick/second" "$app/config.ini" && return
    fi
    return 1
}

# A configuration that was only shown makes room for what the owner has decided meanwhile.
drop_shown_only() {
    [ "$(head -n 1 "$app/config.ini" 2>/dev/null)" = "$mark" ] || return 0
    "$app/disable.sh" && rm "$app/config.ini"
}

take_config() {
    [ ! -f "$app/config.ini" ] || return 0
    if [ ! -f "$media/config.ini" ]; then
        find_packs
        return
    fi
    tr -d '\r' <"$media/config.ini" >"$stick/config.ini"
    if "$app/bin/packbank" check "$stick/config.ini"; then
        cp "$stick/config.ini" "$app/config.ini"
    else
        echo "the stick's config.ini is wrong, see above; mend it, then start the GX again with the stick in"
        return 1
    fi
}

await_system
export answer= # what serialbattery.sh goes by, also where install.sh has nothing to do
[ "$(word REPLACE_SERIALBATTERY)" != yes ] || answer=yes
# shellcheck disable=SC2086 # an option, or none
if sh "$stick/install.sh" ${answer:+--yes} "$stick"; then
    if "$app/serialbattery.sh" && drop_shown_only && take_config; then
        "$app/enable.sh"
    fi
fi
rm -rf "$stick"
sync
