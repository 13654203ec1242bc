#!/usr/bin/env bash
# Sourced by the scripts that make or run programs for a GX: names of its two architectures, and Debian packages of
# theirs, which are downloaded, checked and unpacked, never installed.
# shellcheck disable=SC2034 # the names are for the scripts that source this

readonly DEBIAN=bookworm
TARGETS=$(realpath -m "${PACKBANK_CACHE:-build/target}") # downloads and intermediate results; may be deleted at any time
readonly TARGETS

# Sets what armv7 or arm64 is called elsewhere, the weakest CPU of it that Venus OS runs on, and the first 20 bytes of
# its programs, as binfmt_misc wants them.
choose_target() {
    local elf='\x7fELF' zeros='\x00\x00\x00\x00\x00\x00\x00\x00\x00' ones='\xff\xff\xff\xff\xff\xff\xff\xff'
    case $1 in
        armv7)
            deb=armhf triplet=arm-linux-gnueabihf loader=ld-linux-armhf.so.3 qemu=qemu-arm-static cpu=cortex-a7
            magic="$elf\\x01\\x01\\x01$zeros\\x02\\x00\\x28\\x00"
            ;;
        arm64)
            deb=arm64 triplet=aarch64-linux-gnu loader=ld-linux-aarch64.so.1 qemu=qemu-aarch64-static cpu=cortex-a53
            magic="$elf\\x02\\x01\\x01$zeros\\x02\\x00\\xb7\\x00"
            ;;
        *) echo "${0##*/}: '$1' is no architecture of a GX; write armv7 or arm64" >&2; return 2 ;;
    esac
    mask="\\xff\\xff\\xff\\xff\\xff\\xff\\xff\\x00$ones\\xfe\\xff\\xff\\xff"
}

# Debian's repositories, as lines for apt: those of this machine, or below DEBIAN_MIRROR (as on Ubuntu). DEBIAN_SUITES
# chooses among them; without the one with security updates the result is for tests only.
debian_sources() {
    local suites=${DEBIAN_SUITES:-$DEBIAN $DEBIAN-updates $DEBIAN-security}
    local options='[signed-by=/usr/share/keyrings/debian-archive-keyring.gpg]' suite mirror
    for suite in $suites; do
        if [[ -n ${DEBIAN_MIRROR-} ]]; then
            mirror=$DEBIAN_MIRROR
            [[ $suite == *-security ]] && mirror=${DEBIAN_SECURITY_MIRROR:-$DEBIAN_MIRROR-security}
        else
            # shellcheck disable=SC2016 # apt fills these in
            mirror=$(apt-get indextargets --format '$(ORIGIN) $(RELEASE) $(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
                awk -v suite="$suite" '$1 == "Debian" && $2 == suite && $3 == "main" { print $4; exit }')
        fi
        if [[ -z $mirror ]]; then
            echo "apt here does not know Debian's $suite; run 'apt-get update', or set DEBIAN_MIRROR to a mirror" >&2
            return 1
        fi
        echo "deb $options $mirror $suite main"
    done
}

# An apt with status, lists and cache of its own: this machine's apt keeps its lists and its architectures.
apt_target() {
    local home=$TARGETS/apt-$deb
    apt-get -o APT::Architecture="$deb" -o APT::Architectures::="$deb" -o APT::Sandbox::User=root -o Acquire::Retries=3 \
        -o Dir::State::status="$home/status" -o Dir::State::lists="$home/lists" -o Dir::Cache="$home/cache" \
        -o Dir::Etc::sourcelist="$home/sources.list" -o Dir::Etc::sourceparts=/dev/null \
        -o APT::Update::Error-Mode=any "$@"
}

# Reads the package lists; one that is missing or not signed by Debian is an error.
update_lists() {
    local home=$TARGETS/apt-$deb
    mkdir -p "$home/lists/partial" "$home/cache/archives/partial"
    : >"$home/status"
    if ! debian_sources >"$home/sources.list" 2>/dev/null; then
        ((EUID != 0)) || apt-get -qq update >&2 # a new machine's apt knows nothing yet
        debian_sources >"$home/sources.list"
    fi
    apt_target -qq update
}

# The newest version of each package, in the folder $1; a file that is there and has the right checksum is kept.
fetch_packages() {
    local folder=$1 file
    shift
    mkdir -p "$folder"
    apt_target -qq --print-uris download "$@" | awk '{ print $2 }' | sort >"$folder/wanted"
    (cd "$folder" && apt_target -qq download "$@")
    for file in "$folder"/*.deb; do
        grep -qxF "${file##*/}" "$folder/wanted" || rm "$file"
    done
}

unpack_packages() {
    local package
    rm -rf "$2"
    mkdir -p "$2"
    for package in "$1"/*.deb; do dpkg-deb -x "$package" "$2"; done
}

# "Not tested here", said by a test script where the system forbids what it needs; no failure.
skip() {
    echo "${0##*/}: not tested here: $*" >&2
    exit 0
}

# Starts this script again, with the same arguments and PACKBANK_STAGE=emulated, as root with mounts of its own, which
# end with it. The caller prepares what it needs before and calls register_qemu after.
with_own_mounts() {
    ((EUID == 0)) || skip "only root may mount, change root and register qemu"
    unshare --mount true 2>/dev/null || skip "this system does not let root mount"
    PACKBANK_STAGE=emulated exec unshare --mount --propagation private "${BASH_SOURCE[-1]}" "$@"
}

# Has the kernel run the target's programs by qemu until this script ends; "$@" is one of them, a static one, to try.
register_qemu() {
    local binfmt=/proc/sys/fs/binfmt_misc name=packbank-$deb-$$ # of its own: another such script may end earlier
    mount -t binfmt_misc binfmt_misc $binfmt 2>/dev/null || [[ -e $binfmt/register ]] || true
    # F: qemu is opened now, so that it need not be in a chroot. P: a program is told the name that it was called by.
    if printf ':%s:M::%s:%s:%s:FP' "$name" "$magic" "$mask" "$(command -v "$qemu")" 2>/dev/null >$binfmt/register; then
        # shellcheck disable=SC2064 # the name of now
        trap "echo -1 >$binfmt/$name" EXIT
    fi
    "$@" >/dev/null 2>&1 || skip "qemu cannot be registered with binfmt_misc, or does not run the GX's programs"
}

# The bundle for $1 in the folder $2, for a test: where Debian's list of security updates cannot be had, without them.
bundle_for_test() {
    local code=0
    scripts/bundle --stick "$1" "$2" || code=$?
    if ((code == 3)); then
        echo "${0##*/}: going on without Debian's security updates, which a release must not do" >&2
        code=0
        DEBIAN_SUITES="$DEBIAN $DEBIAN-updates" scripts/bundle --stick "$1" "$2" || code=$?
    fi
    return $code
}
