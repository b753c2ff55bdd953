#!/usr/bin/env bash
# An arm64 Debian on this x86-64 machine, under qemu-user: what a Raspberry Pi looks like over ssh, not how fast it is.
#
#   lab/pi.sh root      make the root with Python (half a minute), and the wheels of the runtimes in /opt/site
#   lab/pi.sh run CMD   run a command in it, with the runtimes on PYTHONPATH
#   lab/pi.sh up        start sshd in it on 127.0.0.1:$PORT, and print how to reach it
#   lab/pi.sh down      stop that sshd
#   lab/pi.sh serve     speak ssh on standard input and output, without any network inside: for ProxyCommand
#
# Needs root, and: apt-get install --no-install-recommends mmdebstrap qemu-user-static openssh-client arch-test
# Everything is kept under $LAB and nothing is left mounted: each process gets a mount namespace of its own.
set -euo pipefail

LAB=${POCKETLENS_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/pocketlens/lab}
PORT=${POCKETLENS_LAB_PORT:-2222}
ROOT=$LAB/pi
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
PYTHON=${PYTHON:-$HERE/../.venv/bin/python}
PACKAGES=python3-minimal,python3.11-minimal,libpython3.11-stdlib,libstdc++6,libgomp1,zlib1g,libexpat1,libssl3,libffi8,\
libbz2-1.0,liblzma5,libsqlite3-0,libuuid1,openssh-server,openssh-sftp-server,dash,bash,coreutils,procps,base-passwd,\
base-files,tar,gzip,grep,sed,findutils,util-linux,hostname
RUNTIMES="numpy pillow onnxruntime ai-edge-litert"

fail() { echo "$1" >&2; exit 3; }

[ "$(id -u)" = 0 ] || fail "lab/pi.sh mounts and changes roots: run it as root"
for tool in mmdebstrap qemu-aarch64-static ssh-keygen arch-test; do
    command -v $tool >/dev/null ||
        fail "$tool is not here: apt-get install --no-install-recommends mmdebstrap qemu-user-static openssh-client arch-test"
done

binfmt() {  # the kernel starts arm64 programs through qemu; F: found once, so that it need not be inside the root
    local at=/proc/sys/fs/binfmt_misc
    [ -e $at/register ] || mount -t binfmt_misc binfmt_misc $at
    if ! ls $at | grep -q '^qemu-aarch64'; then
        printf '%s' ':qemu-aarch64-pocketlens:M::\x7fELF\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:/usr/libexec/qemu-binfmt/aarch64-binfmt-P:OCPF' > $at/register
    fi
}

make_root() {
    [ -e "$ROOT/.made" ] && return
    mkdir -p "$LAB"
    rm -rf "$ROOT" "$ROOT.part"
    # Only unpacked, no package is configured: that would take six minutes under emulation, and sshd needs little of it.
    mmdebstrap --quiet --arch=arm64 --variant=extract --include=$PACKAGES \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' bookworm "$ROOT.part"
    cd "$ROOT.part"
    cp usr/share/base-passwd/passwd.master etc/passwd
    cp usr/share/base-passwd/group.master etc/group
    echo 'sshd:x:100:65534::/run/sshd:/usr/sbin/nologin' >> etc/passwd
    echo 'pi:x:1000:1000::/home/pi:/bin/bash' >> etc/passwd
    sed -i 's#^root:\*:#root:x:#; s#^root:\(.*\):/bin/sh$#root:\1:/bin/bash#' etc/passwd
    echo 'pi:x:1000:' >> etc/group
    echo '127.0.0.1 localhost' > etc/hosts
    echo 'PRETTY_NAME="Debian GNU/Linux 12 (bookworm), emulated"' > etc/os-release
    [ -e bin/sh ] || ln -s dash bin/sh
    mkdir -p run/sshd home/pi/.ssh root/.ssh tmp proc sys dev opt/site
    chown -R 1000:1000 home/pi
    chmod 700 home/pi/.ssh root/.ssh
    chmod 1777 tmp
    mkdir -p "$LAB/keys"
    [ -e "$LAB/keys/host" ] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB/keys/host"
    [ -e "$LAB/keys/user" ] || ssh-keygen -q -t ed25519 -N '' -C lab -f "$LAB/keys/user"
    install -m 600 "$LAB/keys/host" etc/ssh/ssh_host_ed25519_key
    install -m 600 "$LAB/keys/user.pub" home/pi/.ssh/authorized_keys
    chown 1000:1000 home/pi/.ssh/authorized_keys
    # An arm64 cpuinfo: the runtimes' own reader of it crashes on the x86 one that qemu-user lets through. Test data only.
    mkdir -p "$LAB/fake/cpu"
    for core in 0 1; do
        printf 'processor\t: %s\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm aes pmull sha1 sha2 crc32 atomics fphp asimdhp cpuid asimdrdm lrcpc dcpop asimddp\nCPU implementer\t: 0x41\nCPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: 0xd0b\nCPU revision\t: 1\n\n' $core
    done > "$LAB/fake/cpuinfo"
    printf 'Model\t\t: qemu-user stand-in for a Raspberry Pi\n' >> "$LAB/fake/cpuinfo"
    cd "$LAB"
    mv "$ROOT.part" "$ROOT"
    touch "$ROOT/.made"
}

config() {  # how ssh reaches it: with a network, and without one
    printf '[127.0.0.1]:%s,lab-pi-offline %s\n' "$PORT" "$(cut -d' ' -f1,2 "$LAB/keys/host.pub")" > "$LAB/known_hosts"
    cat > "$LAB/ssh_config" <<CONFIG
Host lab-pi
    HostName 127.0.0.1
    Port $PORT
Host lab-pi-offline
    ProxyCommand env POCKETLENS_LAB=$LAB $HERE/pi.sh serve
Host *
    User pi
    IdentityFile $LAB/keys/user
    IdentitiesOnly yes
    UserKnownHostsFile $LAB/known_hosts
CONFIG
}

site() {  # the runtimes' aarch64 wheels, unpacked without running anything
    [ -e "$ROOT/opt/site/.made" ] && return
    [ -x "$PYTHON" ] || fail "$PYTHON is not here: make install, or set PYTHON to one with pip"
    local pins=() name tags=()
    for name in $RUNTIMES; do pins+=("$(grep -i "^$name==" "$HERE/../constraints.txt")"); done
    for tag in 2014 _2_17 _2_27 _2_28 _2_31 _2_34 _2_35; do tags+=(--platform "manylinux${tag}_aarch64"); done
    "$PYTHON" -m pip install --quiet --disable-pip-version-check --only-binary=:all: --python-version 3.11 \
        --implementation cp --abi cp311 --abi abi3 --abi none "${tags[@]}" --no-compile --upgrade \
        --target "$ROOT/opt/site" "${pins[@]}"
    touch "$ROOT/opt/site/.made"
}

inside() {  # run a command in the root, in a mount namespace of its own
    binfmt
    export ROOT FAKE=$LAB/fake
    exec unshare -m ${ISOLATE:-} bash -c '
        mount --make-rprivate /
        mount -t proc proc "$ROOT/proc"
        mount --bind "$FAKE/cpuinfo" "$ROOT/proc/cpuinfo"
        mount -t tmpfs tmpfs "$ROOT/sys"
        mkdir -p "$ROOT/sys/devices/system/cpu"
        echo 0-1 | tee "$ROOT/sys/devices/system/cpu/possible" > "$ROOT/sys/devices/system/cpu/present"
        mount --rbind /dev "$ROOT/dev"
        exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 ${POCKETLENS_SITE:+PYTHONPATH=$POCKETLENS_SITE} \
            chroot "$ROOT" "$@"' inside "$@"
}

SSHD=(/usr/sbin/sshd -f /dev/null -o UsePAM=no -o PasswordAuthentication=no -o UseDNS=no -o StrictModes=no
    -o HostKey=/etc/ssh/ssh_host_ed25519_key -o Subsystem="sftp /usr/lib/openssh/sftp-server" -o PidFile=none)

case ${1:-} in
root) make_root; config; site ;;
run)
    make_root; site; shift
    export POCKETLENS_SITE=${POCKETLENS_SITE-/opt/site}
    inside "$@"
    ;;
up)
    make_root
    config
    "$0" down
    ( inside "${SSHD[@]}" -D -e -p "$PORT" -o ListenAddress=127.0.0.1 ) > "$LAB/sshd.log" 2>&1 < /dev/null &
    echo $! > "$LAB/sshd.pid"
    for _ in $(seq 100); do
        grep -q 'Server listening' "$LAB/sshd.log" && { echo "ssh -F $LAB/ssh_config lab-pi   # or: pocketlens bench BUNDLE --device ssh://lab-pi --ssh-config $LAB/ssh_config"; exit 0; }
        sleep 0.1
    done
    cat "$LAB/sshd.log" >&2
    fail "sshd did not start"
    ;;
down)
    if [ -e "$LAB/sshd.pid" ]; then
        kill "$(cat "$LAB/sshd.pid")" 2>/dev/null || true
        rm -f "$LAB/sshd.pid"
    fi
    ;;
serve)
    make_root
    export ISOLATE=-n
    inside "${SSHD[@]}" -i
    ;;
*) sed -n '2,11p' "$0"; exit 2 ;;
esac
