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
here=
for name in packbank.txt config.ini; do [ ! -f "$media/$name" ] || here="$here $name"; done
echo "on the stick:${here:- neither packbank.txt nor config.ini}"

# A word of packbank.txt, from whatever editor (some begin a file with three bytes of their own); nothing without one.
word() {
    [ -f "$media/packbank.txt" ] || return 0
    tr -d '\r\357\273\277' <"$media/packbank.txt" | sed -n "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//Ip" | sed 's/[[:space:]]*$//' | head -n 1
}

# Whether the GX is up: its D-Bus, and packbank where a boot starts it. Only one that runs can prove its update.
is_up() {
    [ -S "$root/var/run/dbus/system_bus_socket" ] || return 1
    ! grep -qsF "$app/service" "$root/data/rc.local" || svstat "$app/service" 2>&1 | grep -q ': up '
}

await_system() {
    seconds=0
    until is_up || [ "$seconds" -ge 180 ]; do
        sleep 1
        seconds=$((seconds + 1))
    done
}

# Puts the file $1 in the place of the configuration, whole or not at all: after a power cut, half of one would be
# taken for the owner's own.
put_config() {
    cp "$1" "$app/.packbank-config" && sync && mv "$app/.packbank-config" "$app/config.ini" && return
    rm -f "$app/.packbank-config"
    echo "config.ini could not be written; is the disk full?"
    return 1
}

# Those of packbank.txt, or all but where a driver of Venus OS has found its device: a meter, a GPS, a charger.
adapters() {
    named=$(word PORT | tr ',' ' ')
    [ -z "$named" ] || { echo "$named" && return; }
    while [ "$(cut -d. -f1 /proc/uptime)" -lt 120 ]; do sleep 1; done # these drivers look for a while
    taken=$("$app/python/bin/python3" -I -c 'import dbus; print(*dbus.SystemBus().list_names(), sep="\n")')
    for device in "$root"/dev/ttyUSB* "$root"/dev/ttyACM*; do
        [ -e "$device" ] || continue
        printf '%s\n' "$taken" | grep -Eq "^com\.victronenergy\..*[._]${device##*/}([._]|$)" || echo "$device"
    done
}

scan() {
    for port in $ports; do
        tty=$(basename "$(readlink -f "$port")")
        case $tty in tty*) "$root/opt/victronenergy/serial-starter/stop-tty.sh" "$tty" ;; esac
    done
    # shellcheck disable=SC2086 # as many words as there are ports
    "$app/bin/packbank" scan $ports >"$1"
}

same_packs() { [ "$(grep -v '^#' "$1")" = "$(grep -v '^#' "$2")" ]; }

find_packs() {
    ports=$(adapters) packs=$(word PACKS)
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
        { printf '%s\n[DEFAULT]\nPUBLISH_LIMITS = False\n\n' "$mark" && cat "$stick/second"; } >"$stick/shown" &&
            put_config "$stick/shown" && return
    elif [ "$found" != "$packs" ]; then
        echo "found $found packs, and packbank.txt says $packs: nothing is shown on the GX until they agree; see docs/connect.md"
    else
        put_config "$stick/second" && return
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
        put_config "$stick/config.ini"
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
