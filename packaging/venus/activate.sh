#!/bin/sh
# Called by install.sh, from the unpacked new version: puts it in the place of the one in the folder $1, and back
# again when it does not bring a battery. The bank is without a battery from the old one's end to the new one's start.
set -eu
new=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
app=${1:?folder}
# shellcheck source=packaging/venus/common.sh
. "$new/common.sh"
battery_within=${PACKBANK_BATTERY_WITHIN:-60} # seconds

version=$(cat "$new/version")
trap '' HUP INT TERM PIPE # a lost ssh connection must not leave the bank without a battery; this ends by itself

check_config() {
    [ -f "$app/config.ini" ] || return 0
    "$new/bin/packbank" check "$app/config.ini" >/dev/null ||
        die "packbank $version does not take $app/config.ini, see above; nothing was changed"
}

stop() {
    svc -d "$app/service" || true # whether it has worked is seen below
    await_end
}

# Before all else, what an update left that was killed half-way: the version before it starts again.
go_back_first() {
    [ -f "$unproven" ] || return 0
    warn "the last update was cut off; going back to packbank $(cat "$previous/version") first"
    stop 2>/dev/null || true
    restore_previous || die "going back failed, see above; start this again when there is room on the disk"
    if svc -u "$app/service" 2>/dev/null; then sleep 1; fi
}

# The old program, kept. Copies, not moves: a power cut must leave every small file in its place. From here on, a
# reboot goes back, and so does the next installation where this one is killed.
keep_program() {
    rm -rf "$previous"
    mkdir -p "$previous/bin" "$previous/service/log"
    small_files "$app" | while IFS= read -r file; do
        mkdir -p "$previous/$(dirname "$file")"
        cp -p "$app/$file" "$previous/$file" || exit 1
    done && sync && cat /proc/sys/kernel/random/boot_id >"$unproven" && sync
}

# Its state, which it has saved when it ended; whole or not at all.
keep_state() {
    [ -f "$app/config.state.json" ] || return 0
    state=$previous/config.state.json
    cp -p "$app/config.state.json" "$state.packbank-new" && sync && mv "$state.packbank-new" "$state"
}

# The new program into its place, small files one by one in a single step each, then Python. The version comes last:
# where it stands, all is there.
place() {
    small_files "$new" | grep -vx version | while IFS= read -r file; do
        mkdir -p "$app/$(dirname "$file")"
        replace_copy "$new/$file" "$app/$file" || exit 1
    done || return 1
    sync
    [ "$before" = none ] || drop_files "$previous" "$new"
    if [ -d "$app/python" ]; then
        mkdir -p "$previous" && rm -rf "$previous/python" && mv "$app/python" "$previous/python" || return 1
    fi
    mv "$new/python" "$app/python" && sync && replace_copy "$new/version" "$app/version" && sync
}

go_back() {
    warn "$1; going back to packbank $before"
    tail -n 20 "$root/var/log/packbank/current" 2>/dev/null | tai64nlocal >&2 2>/dev/null || true
    stop || svc -k "$app/service" || true
    restore_previous || die "going back failed, see above; install an archive again with --again"
    echo "$version" >"$previous/refused" || true # a stick that stays in must not stop the bank at each boot
    svc -u "$app/service" || true
    if await_battery 120; then
        die "packbank $before is back, with its state, and shows its battery"
    fi
    die "packbank $before is back, with its state, but shows no battery either; 'tail /var/log/packbank/current' shows why"
}

# The old version goes on as if nothing had been asked of it.
go_on() {
    rm -f "$unproven"
    svc -u "$app/service" || true
    die "$1; nothing was changed, and it goes on"
}

now() { awk '{ printf "%d\n", $1 * 10 }' /proc/uptime; } # tenths of a second

update_running() {
    had_battery=yes
    if ! await_battery 0; then # it may have been started just now, as at a boot
        say "there is no battery yet; waiting for it, $battery_within s at most"
        await_battery "$battery_within" || had_battery=
    fi
    keep_program || go_on "the old version could not be kept (is the disk full?)"
    stopped=$(now)
    { stop && keep_state; } || go_on "packbank $before did not end, or its state could not be kept (is the disk full?)"
    place || go_back "the new version could not be put in its place"
    svc -u "$app/service" || true
    if await_battery "$battery_within"; then
        away=$(($(now) - stopped))
        say "the battery was away for $((away / 10)).$((away % 10)) s"
    elif [ -n "$had_battery" ]; then
        go_back "packbank $version shows no battery within $battery_within s"
    else
        warn "there is no battery yet, as there was none before the update; 'bin/packbank doctor config.ini' says why"
    fi
}

# Where nothing runs that would have to go on.
update_idle() {
    if [ "$before" = none ] || { keep_program && keep_state; }; then place; else false; fi ||
        die "the disk is full, or cannot be written; start this again when there is room"
}

go_back_first
before=$(cat "$app/version" 2>/dev/null || echo none)
check_config
case $before-$(service_state "$app/service") in
    none-* | *-down | *-absent) update_idle ;;
    *) update_running ;;
esac
rm -f "$unproven"
trap - HUP INT TERM PIPE

say "packbank $version is installed in $app$([ "$before" = none ] || echo ", was $before")"
case $version in *rc*) say "this is a candidate, for trials: it may lack security updates" ;; esac
[ "$before" = none ] || exit 0
"$app/serialbattery.sh" || true
[ -f "$app/config.ini" ] || cat <<NEXT
packbank: next, with the packs connected:
  cd $(quoted "$app"); PATH=\$PATH:\$PWD/bin
  /opt/victronenergy/serial-starter/stop-tty.sh ttyUSB0
  packbank scan -o config.ini
  packbank check config.ini
  ./enable.sh
NEXT
