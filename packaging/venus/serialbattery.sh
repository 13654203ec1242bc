#!/bin/sh
# Two programs on one bus spoil each other's answers: finds a running dbus-serialbattery that has our ports, or all of
# them while there is no configuration of ours, and offers to stop it and to translate its configuration.
# Exit code 1: it still runs.
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

# The ports it runs on, from the names of its services: dbus-serialbattery.ttyUSB0.
theirs=
for service in "$root/service/dbus-serialbattery."*; do
    [ -e "$service" ] || continue
    port=${service##*/dbus-serialbattery.}
    case $port in tty*) theirs="$theirs /dev/$port" ;; esac
done
[ -n "$theirs" ] || exit 0

shared=$theirs
if [ -f "$app/config.ini" ]; then
    shared=
    ours=$(sed -n 's/^[[:space:]]*PORT[[:space:]]*[=:][[:space:]]*//Ip' "$app/config.ini" | tr ',' '\n')
    for port in $theirs; do
        printf '%s\n' "$ours" | while read -r own; do
            own=$(readlink -f "$own" || echo "$own")
            [ "$own" != "$(readlink -f "$port" || echo "$port")" ] || echo "$port"
        done | grep -q . && shared="$shared $port"
    done
    [ -n "$shared" ] || exit 0
fi

for folder in "$root/data/apps/dbus-serialbattery" "$root/data/etc/dbus-serialbattery"; do
    [ ! -f "$folder/disable.sh" ] || break
done
if [ ! -f "$folder/disable.sh" ]; then
    warn "dbus-serialbattery runs on$shared; only one program may ask the packs: stop it before packbank is enabled"
    exit 1
fi
if ! ask "dbus-serialbattery runs on$shared; only one program may ask the packs. Disable it?"; then
    warn "dbus-serialbattery still runs on$shared; '$folder/disable.sh' stops it; do that before packbank is enabled"
    exit 1
fi
sh "$folder/disable.sh" >/dev/null 2>&1 || warn "$folder/disable.sh failed; see whether it still runs"
say "dbus-serialbattery is disabled; '$folder/enable.sh' brings it back"
if [ ! -f "$app/config.ini" ] && [ -f "$folder/config.ini" ]; then
    set --
    for port in $shared; do set -- "$@" --port "$port"; done
    if "$app/bin/packbank" migrate "$folder/config.ini" "$@" -o "$app/.packbank-config"; then
        mv "$app/.packbank-config" "$app/config.ini"
        say "its configuration is now $app/config.ini; read it, then: $app/enable.sh"
    else
        rm -f "$app/.packbank-config"
        warn "its configuration could not be translated; 'bin/packbank scan -o config.ini' makes a new one"
    fi
fi
