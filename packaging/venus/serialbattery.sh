#!/bin/sh
# Two programs on one bus spoil each other's answers: finds a running dbus-serialbattery that has our ports, or all of
# them while there is no configuration of ours, and offers to stop it and to translate its configuration.
# Exit code 1: it still runs.
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

# The ports that it runs on, from the names of its services: dbus-serialbattery.ttyUSB0. Venus OS makes one for each
# port that it has ever tried this driver on, also where it then found a meter: only those that are up count.
running() {
    for service in "$root/service/dbus-serialbattery.tty"*; do
        [ ! -e "$service/run" ] || [ "$(service_state "$service")" != up ] || echo "/dev/${service##*/dbus-serialbattery.}"
    done
}

# Of these those that our configuration has, and all while there is none.
shared_ports() {
    [ -f "$app/config.ini" ] || { running && return; }
    ours=$(sed -n 's/^[[:space:]]*PORT[[:space:]]*[=:][[:space:]]*//Ip' "$app/config.ini" | tr ',' '\n')
    running | while read -r port; do
        printf '%s\n' "$ours" | while read -r own; do
            own=$(readlink -f "$own" || echo "$own")
            [ "$own" != "$(readlink -f "$port" || echo "$port")" ] || echo "$port"
        done
    done
}

shared=$(shared_ports | tr '\n' ' ')
[ -n "$shared" ] || exit 0
shared=${shared% }

# Where its versions 2, 1 and those before have it.
for off in apps/dbus-serialbattery/disable.sh etc/dbus-serialbattery/disable.sh etc/dbus-serialbattery/disabledriver.sh; do
    off=$root/data/$off
    [ ! -f "$off" ] || break
done
folder=$(dirname "$off")
if [ ! -f "$off" ]; then
    warn "dbus-serialbattery runs on $shared; only one program may ask the packs: remove it as its own page says, then start this again"
    exit 1
fi
if ! ask "dbus-serialbattery runs on $shared; only one program may ask the packs. Disable it?"; then
    warn "dbus-serialbattery still runs on $shared; 'bash $off' stops it; do that before packbank is enabled"
    exit 1
fi
shell='sh'
if type bash >/dev/null 2>&1; then shell=bash; fi # which it is written for
"$shell" "$off" </dev/null >/dev/null 2>&1 || true # whether it has worked is seen below
for port in $shared; do
    service=$root/service/dbus-serialbattery.${port#/dev/}
    [ ! -e "$service" ] || svc -d "$service" || true
done
seconds=0
while left=$(running) && printf '%s\n' "$left" | grep -qxF "$(echo "$shared" | tr ' ' '\n')"; do
    seconds=$((seconds + 1))
    [ "$seconds" -le 10 ] || { warn "dbus-serialbattery still runs on $shared, although 'bash $off' was started; see what that says"; exit 1; }
    sleep 1
done
say "dbus-serialbattery is disabled$([ ! -f "$folder/enable.sh" ] || echo "; '$folder/enable.sh' brings it back")"
if [ ! -f "$app/config.ini" ] && [ -f "$folder/config.ini" ]; then
    set --
    for port in $shared; do set -- "$@" --port "$port"; done
    if "$app/bin/packbank" migrate "$folder/config.ini" "$@" -o "$app/.packbank-config"; then
        sync
        mv "$app/.packbank-config" "$app/config.ini"
        say "its configuration is now $app/config.ini; read it, then: $app/enable.sh"
    else
        rm -f "$app/.packbank-config"
        warn "its configuration could not be translated; 'bin/packbank scan -o config.ini' makes a new one"
    fi
fi
