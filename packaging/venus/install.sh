#!/bin/sh
# Installs or updates packbank on a GX (Venus OS).
#
#   install.sh                  the newest release, downloaded
#   install.sh ARCHIVE          packbank-venus-VERSION-ARCH.tar.gz that is already here, or a folder with it
#   install.sh --newer VERSION  only says, by its exit code 0, that VERSION is newer than what is installed
#                               and is not the one that the last update went back from
#
# Options: --yes answers every question with yes; --again installs a version that is there already, or an older one.
# Everything goes to /data/apps/packbank, or to the folder that this script was installed in. The configuration and
# what packbank remembers are not touched. When a new version brings no battery, the version before comes back.
set -eu
releases=${PACKBANK_RELEASES:-} # the folder with the newest release and its SHA256SUMS; written in by scripts/release
key=${PACKBANK_KEY:-}           # the Ed25519 key that signed SHA256SUMS, as base64; written in by scripts/release
root=${PACKBANK_ROOT:-}
oldest_firmware=3.60
space_needed=130000 # kB: the archive and the new version, while the old one still runs

say() { echo "packbank: $*"; }
die() {
    echo "packbank: $*" >&2
    exit 1
}

# Whether version $1 is older than version $2; a beta (0.2.0b1) is older than its release.
older() {
    awk -v one="$1" -v other="$2" 'BEGIN {
        beta = one ~ /[a-z]/ && other !~ /[a-z]/
        count = split(one, a, /[^0-9]+/); more = split(other, b, /[^0-9]+/)
        for (part = 1; part <= (count > more ? count : more) && part <= 3; part++)
            if (a[part] + 0 != b[part] + 0) exit a[part] + 0 > b[part] + 0
        exit !(beta || (one ~ /[a-z]/ && other ~ /[a-z]/ && one < other))
    }'
}

choose_folder() {
    here=$(cd -P "$(dirname "$(readlink -f "$0" || echo "$0")")" && pwd)
    if [ -f "$here/files" ] && [ -d "$here/python" ]; then
        app=$here
    else
        app=$root/data/apps/packbank
        [ -d "$app" ] || mkdir -p "$app" || die "the folder $app cannot be made; is it a link to a card that is not in?"
        app=$(cd -P "$app" && pwd)
    fi
    new=$app/.packbank-new
    installed=$(cat "$app/version" 2>/dev/null || echo none)
    if [ -f "$app/.packbank-previous/unproven" ]; then # an update that was cut off counts as not made
        installed=$(cat "$app/.packbank-previous/version")
    fi
}

# Two at a time would unpack into the same folder. The mark is in memory: no power cut leaves one behind.
take_turn() {
    turn=$root/run/packbank.install
    mkdir -p "$root/run"
    until ln -s $$ "$turn" 2>/dev/null; do
        other=$(readlink "$turn") || die "$turn cannot be made"
        if tr '\0' ' ' 2>/dev/null <"/proc/$other/cmdline" | grep -q install; then
            die "another installation is running (process $other); wait for its end. Nothing was changed"
        fi
        rm "$turn" # of one that was killed
    done
    trap 'rm -rf "$new" "$turn"' EXIT
    trap 'exit 1' HUP INT TERM # also where the connection is lost, nothing of it stays
}

choose_architecture() {
    case $(uname -m) in
        armv7*) arch=armv7 ;;
        aarch64) arch=arm64 ;;
        *) die "there is no packbank for this processor ($(uname -m)); on other machines see docs/venus.md, its end" ;;
    esac
}

check_machine() {
    [ "$(id -u)" = 0 ] || die "has to be installed by root"
    firmware=$(head -n 1 "$root/opt/victronenergy/version" 2>/dev/null) || die "this is no Venus OS"
    if older "${firmware#v}" "$oldest_firmware"; then
        die "needs Venus OS v$oldest_firmware or newer, and this is $firmware; update it in Settings > Firmware"
    fi
    take_turn
    rm -rf "$new" # of an installation that was cut off
    free=$(df -Pk "$app" | awk 'NR == 2 { print $4 }')
    [ -z "$free" ] || [ "$free" -ge "$space_needed" ] ||
        die "needs $((space_needed / 1000)) MB in $app, and $((free / 1000)) MB are free; delete something in /data"
}

# Downloads $1 of the release into $new. wget of BusyBox does not look at the server's certificate; the signature does.
fetch() {
    if type curl >/dev/null 2>&1; then
        curl -fsSL --retry 2 -o "$new/$1" "$releases/$1"
    else
        wget -q -O "$new/$1" "$releases/$1"
    fi || die "$releases/$1 could not be downloaded; is the address right, and does the GX have internet and the right time ('date')?"
}

find_openssl() {
    for openssl in "$app/python/bin/openssl" openssl; do
        "$openssl" version >/dev/null 2>&1 && return
    done
    openssl=
}

check_signature() {
    grep -q '^[0-9a-f]\{64\}  ' "$new/SHA256SUMS" ||
        die "$releases/SHA256SUMS is no list of checksums; a page that wants a login, or another address? Open it in a browser"
    find_openssl
    if [ -n "$openssl" ]; then
        printf -- '-----BEGIN PUBLIC KEY-----\n%s\n-----END PUBLIC KEY-----\n' "$key" >"$new/key.pem"
        "$openssl" pkeyutl -verify -pubin -inkey "$new/key.pem" -rawin -in "$new/SHA256SUMS" \
            -sigfile "$new/SHA256SUMS.sig" >/dev/null 2>&1 ||
            die "the signature of $releases/SHA256SUMS is wrong: it is not from those who made this install.sh; nothing was installed"
    elif type curl >/dev/null 2>&1; then
        say "this firmware cannot check the signature; relying on the server's certificate, this first time"
    else
        die "this firmware can check neither signature nor certificate; bring the archive yourself: install.sh ARCHIVE"
    fi
}

sha256() {
    if type sha256sum >/dev/null 2>&1; then
        sha256sum "$1"
    else
        "$openssl" dgst -sha256 -r "$1"
    fi | cut -c1-64
}

download() {
    { [ -n "$releases" ] && [ -n "$key" ]; } ||
        die "this copy knows no address for downloads; use the install.sh of a release, or: install.sh ARCHIVE"
    fetch SHA256SUMS
    fetch SHA256SUMS.sig
    check_signature
    name=$(sed -n "s/^[0-9a-f]*  \(packbank-venus-.*-$arch\.tar\.gz\)$/\1/p" "$new/SHA256SUMS" | head -n 1)
    [ -n "$name" ] || die "the release has nothing for $arch"
    version=${name#packbank-venus-} version=${version%"-$arch.tar.gz"}
    check_version
    say "downloading $name"
    fetch "$name"
    archive=$new/$name
    grep -qxF "$(sha256 "$archive")  $name" "$new/SHA256SUMS" ||
        die "$name arrived damaged (its checksum is wrong); start this again"
}

check_version() {
    [ -z "$again" ] && [ "$installed" != none ] || return 0
    older "$installed" "$version" || {
        say "packbank $installed is installed, and this is $version: nothing to do (--again installs it all the same)"
        exit 0
    }
}

unpack() {
    tar -xzf "$archive" -C "$new" || die "$archive could not be unpacked: it is damaged, or the disk is full ('df' shows)"
    program=$new/apps/packbank
    { [ -f "$program/files" ] && [ -f "$program/activate.sh" ]; } || die "$archive is no packbank for a GX"
    version=$(cat "$program/version")
    check_version
    { "$program/bin/packbank" --version >"$new/said" 2>&1 && [ "$(cat "$new/said")" = "packbank $version" ]; } ||
        die "packbank $version does not run here: $(tail -n 1 "$new/said"); is it for $arch?"
}

if [ "${1:-}" = --newer ]; then
    choose_folder
    [ "${2:?version}" != "$(cat "$app/.packbank-previous/refused" 2>/dev/null)" ] || exit 1
    [ "$installed" = none ] || older "$installed" "$2"
    exit
fi
archive='' again='' answer=''
for word in "$@"; do
    case $word in
        --yes) answer=yes ;;
        --again) again=yes ;;
        -*) die "usage: install.sh [--yes] [--again] [ARCHIVE]" ;;
        *)
            archive=$(readlink -f "$word") || archive=
            [ -e "$archive" ] || die "there is no file $word"
            ;;
    esac
done
choose_folder
choose_architecture
if [ -d "$archive" ]; then
    for archive in "$archive/packbank-venus-"*"-$arch.tar.gz"; do :; done
    [ -f "$archive" ] || die "there is no packbank-venus-VERSION-$arch.tar.gz in ${archive%/*}"
fi
check_machine
mkdir "$new"
[ -n "$archive" ] || download
unpack
export answer
"$program/activate.sh" "$app"
