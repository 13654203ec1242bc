#!/bin/sh
# Removes packbank: the files that were installed, and no other. The configuration and what packbank remembers stay,
# unless --all is given, which asks first (--yes answers).
set -eu
app=$(cd -P "$(dirname "$(readlink -f "$0")")" && pwd)
# shellcheck source=packaging/venus/common.sh
. "$app/common.sh"

all=
for option in "$@"; do
    case $option in
        --all) all=yes ;;
        --yes) answer=yes ;;
        *) die "usage: uninstall.sh [--all [--yes]]" ;;
    esac
done
[ -f "$app/files" ] ||
    die "$app/files is missing, which lists what was installed; install packbank again, then remove it. Nothing was removed"
[ -z "$all" ] || ask "delete the configuration, the history and the log too?" || die "nothing was removed"
"$app/disable.sh" >/dev/null || await_end || die "nothing was removed; stop packbank first"

# The lists are kept in variables: on a full disk this is what makes room.
cd "$app"
find . -type f -name '*.packbank-new' -exec rm -f {} \; # copies that a power cut left
names=$(cat files)
folders=$(sed -n 's|/[^/]*$||p' files | sort -ru)
# Some at a time, without xargs: BusyBox's may cut a name in two where its buffer ends.
set --
while IFS= read -r name; do
    set -- "$@" "$name"
    [ "$#" -lt 50 ] || { rm -f "$@"; set --; }
done <<NAMES
$names
NAMES
rm -f "$@"
if [ -n "$all" ]; then
    rm -f config.ini config.state.json config.state.mqtt.json config.found.ini
    rm -rf "$root/var/log/packbank" config.state.history
fi
# Folders of folders come later; one with something of somebody else's in it stays.
while IFS= read -r folder; do
    while [ -n "$folder" ] && rmdir "$folder" 2>/dev/null; do
        case $folder in */*) folder=${folder%/*} ;; *) folder= ;; esac
    done
done <<FOLDERS
$folders
FOLDERS
rm -rf .packbank-new .packbank-previous .packbank-config service/supervise service/log/supervise
rmdir service/log service 2>/dev/null || true
forget_boot_line || true # where the disk was full before
[ ! -L "$link" ] || rm "$link" || true # where only half of packbank was there
left=$(ls -A)
cd /
if [ -n "$left" ]; then
    say "removed; left in $app: $(echo "$left" | tr '\n' ' ')"
else
    rmdir "$app"
    say "removed"
fi
