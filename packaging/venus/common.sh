#!/bin/sh
# What the scripts of this folder share. Sourced, with $app set to the folder that packbank is installed in; BusyBox sh.
# shellcheck disable=SC2034,SC2154 # some names are only used by those who source this, and they set app

root=${PACKBANK_ROOT:-} # tests put a folder here that stands for the GX's /
link=$root/service/packbank
boot=$root/data/rc.local   # Venus OS runs it at the end of a boot, where it may be executed
boot_off=$boot.disabled    # what it is renamed to while modifications are switched off on the GX
previous=$app/.packbank-previous # the version before, with its state, until the next update
unproven=$previous/unproven      # there while nobody knows yet whether the new version works

# A terminal that is gone must not end a script half-way.
say() { echo "packbank: $*" || true; }
warn() { echo "packbank: $*" >&2 || true; }
die() {
    warn "$@"
    exit 1
}

# The text as one word of a shell command, whatever is in it.
quoted() {
    case $1 in
        *[!A-Za-z0-9/._-]*) printf "'%s'" "$(printf '%s' "$1" | sed "s/'/'\\\\''/g")" ;;
        *) printf '%s' "$1" ;;
    esac
}

# The line of /data/rc.local that is ours. /service is made anew at each boot; rc.local outlives a firmware update.
boot_line() { printf '[ ! -d %s ] || ln -sfn %s %s\n' "$(quoted "$app/service")" "$(quoted "$app/service")" "$(quoted "$link")"; }

# rc.local ($1), with the ends of lines that a shell understands.
boot_text() { tr -d '\r' <"$1"; }

# Takes our line out of rc.local. What is left of a failure does no harm: the line does nothing where the folder is gone.
forget_boot_line() {
    failure=
    for file in "$boot" "$boot_off"; do
        { [ -f "$file" ] && boot_text "$file" | grep -qxF "$(boot_line)"; } || continue
        others=$(boot_text "$file" | grep -vxF "$(boot_line)" || true)
        if [ "$others" = '#!/bin/sh' ] && [ ! -L "$file" ]; then
            rm "$file" # as enable.sh made it
        else
            printf '%s\n' "$others" | replace_file "$file"
        fi || failure=yes
    done
    [ -z "$failure" ]
}

# Puts standard input in the place of the file $1, whole or not at all: a full disk or a power cut leaves the old one.
replace_file() {
    target=$(readlink -f "$1" || echo "$1") # where it is a link, the link stays
    beside=$target.packbank-new
    if { [ ! -f "$target" ] || cp -p "$target" "$beside"; } && cat >"$beside" && sync && mv "$beside" "$target"; then
        sync
        return 0
    fi
    rm -f "$beside"
    warn "$1 could not be written and is as it was; is $(dirname "$target") full, or read-only? ('df' shows)"
    return 1
}

# A copy of the file $1 as $2, in one step and with its mode.
replace_copy() {
    cp -p "$1" "$2.packbank-new" && mv "$2.packbank-new" "$2" && return 0
    rm -f "$2.packbank-new"
    warn "$2 could not be written; is the disk full? ('df' shows)"
    return 1
}

# up, down or absent, as daemontools sees the service $1; unknown while it is writing that down. One that has ended and is
# about to be started again is up.
service_state() {
    case $(svstat "$1" 2>&1) in
        *": up (pid "* | *", want up"*) echo up ;;
        *": down "*) echo down ;;
        *"not running"* | *"does not exist"* | *"o such file"* | *"not found"*) echo absent ;;
        *) echo unknown ;;
    esac
}

# Waits until the service is not up any more, 20 s at most: packbank saves its state before it ends.
await_end() {
    seconds=0
    while state=$(service_state "$app/service") && [ "$state" != down ] && [ "$state" != absent ]; do
        seconds=$((seconds + 1))
        [ "$seconds" -le 20 ] || return 1
        sleep 1
    done
}

# Waits up to $1 seconds for the battery on the D-Bus, asked by packbank's own Python.
await_battery() {
    "$app/python/bin/python3" -I -c '
import sys, time
import dbus
end = time.monotonic() + float(sys.argv[1])
bus = dbus.SystemBus()
while not bus.name_has_owner("com.victronenergy.battery.packbank"):
    if time.monotonic() >= end:
        sys.exit(1)
    time.sleep(0.2)
' "$1" 2>/dev/null
}

# The program's small files, which the list "files" of the folder $1 names; python/ is moved as a whole.
small_files() { grep -v '^python/' "$1/files" 2>/dev/null; }

# Removes the small files of the version in the folder $1 that the one in the folder $2 does not have.
drop_files() { small_files "$1" | grep -vxFf "$2/files" | while IFS= read -r file; do rm -f "$app/$file"; done; }

# Puts the version before this one back, with its state. May be repeated, also after a power cut half-way.
restore_previous() {
    if [ -d "$previous/python" ]; then # first: on a full disk this makes room
        rm -rf "$app/python"
        mv "$previous/python" "$app/python" || return 1
    fi
    drop_files "$app" "$previous"
    small_files "$previous" | while IFS= read -r file; do
        replace_copy "$previous/$file" "$app/$file" || exit 1
    done || return 1
    if [ -f "$previous/config.state.json" ]; then
        replace_copy "$previous/config.state.json" "$app/config.state.json" || return 1
    fi
    sync
    rm -f "$unproven"
}

# A yes-or-no question to the owner; "no" where nobody can answer.
ask() {
    [ "${answer:-}" != yes ] || return 0
    { [ -t 0 ] || [ -t 1 ]; } && [ -r /dev/tty ] || return 1
    printf 'packbank: %s [y/N] ' "$1"
    read -r reply </dev/tty || return 1
    case $reply in [yY]*) return 0 ;; *) return 1 ;; esac
}
