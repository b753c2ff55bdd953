#!/usr/bin/env bash
# Android's own adbd, built from the source package that Debian keeps beside its adb client, to run on this machine.
#
#   lab/adbd.sh build   fetch the source (75 MB), build $LAB/adbd/adbd (some minutes)
#
# Needs: apt-get install --no-install-recommends adb clang dpkg-dev libcap-dev android-libboringssl-dev \
#        android-libbase-dev android-libcutils-dev android-liblog-dev android-libutils-dev
# Two places are changed: it listens on loopback alone, on $ADBD_PORT, without vsock; and an errno that an earlier call left
# behind no longer closes a listener. Authentication is off, as on a rooted phone: nobody is there to answer the question.
set -euo pipefail

LAB=${POCKETLENS_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/pocketlens/lab}
WORK=$LAB/adbd
PACKAGE=android-platform-tools
mkdir -p "$WORK/conf/lists/partial"
cd "$WORK"
[ -x adbd ] && exit 0
command -v clang++ >/dev/null || { sed -n '6,7p' "$0" >&2; exit 3; }

if ! ls $PACKAGE*.orig.tar.gz >/dev/null 2>&1; then
    echo 'deb-src http://deb.debian.org/debian bookworm main' > conf/sources.list
    apt=(apt-get -o "Dir::Etc::sourcelist=$WORK/conf/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$WORK/conf/lists")
    "${apt[@]}" -qq update
    "${apt[@]}" -qq source --download-only $PACKAGE
fi
rm -rf source && mkdir source
tar xzf $PACKAGE*.orig.tar.gz -C source --strip-components=1 --wildcards '*/system/core/*' '*/frameworks/native/libs/adbd_auth/*'
core=$WORK/source/system/core
adb=$core/adb

python3 - "$adb" <<'PYTHON'
import re, sys
from pathlib import Path
adb = Path(sys.argv[1])
main = adb / "daemon/main.cpp"
text = main.read_text()
text = text.replace('StringPrintf("tcp:%d"', 'StringPrintf("tcp:localhost:%d"')
text = re.sub(r'\n\s*addrs\.push_back\(\s*android::base::StringPrintf\("vsock:%d"[^;]*;', "", text)
text = text.replace('#include "adb.h"', '#include "adb.h"\n#include <stdlib.h>', 1)
text = text.replace('android::base::GetProperty("service.adb.listen_addrs", "")',
                    '(std::string("tcp:localhost:") + (getenv("ADBD_PORT") ?: "5555"))')
main.write_text(text)
local = adb / "transport_local.cpp"
text = local.read_text()
text = text.replace("if (errno == EAFNOSUPPORT || errno == EINVAL || errno == EPROTONOSUPPORT)",
                    "if (serverfd == -1 && (errno == EAFNOSUPPORT || errno == EINVAL || errno == EPROTONOSUPPORT))")
local.write_text(text)
PYTHON

cat > stubs.h <<'STUBS'
#pragma once
#include <sys/types.h>
#ifdef __cplusplus
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
static inline void fs_config(const char*, int, const char*, unsigned*, unsigned*, unsigned*, uint64_t*) {}
#endif
STUBS
mkdir -p include/build
cat > include/build/version.h <<'STUBS'
#pragma once
#include <string>
namespace android { namespace build { inline std::string GetBuildNumber() { return "lab"; } } }
STUBS
echo '#define PLATFORM_TOOLS_VERSION "29.0.6"' > include/platform_tools_version.h
flags=(-O1 -g0 -w -fPIC -DADB_HOST=0 -DALLOW_ADBD_NO_AUTH=1 -DALLOW_ADBD_ROOT=1 -D_GNU_SOURCE
    -DADB_VERSION='"29.0.6"' -include "$WORK/stubs.h" -I"$WORK/include"
    -I"$adb" -I"$adb/daemon/include" -I"$adb/adbconnection/include" -I/usr/include/android -I"$core/base/include" -I"$core/include"
    -I"$core/diagnose_usb/include" -I"$core/libcrypto_utils/include" -I"$core/libasyncio/include"
    -I"$core/libcutils/include" -I"$WORK/source/frameworks/native/libs/adbd_auth/include")
sources=(adb.cpp adb_io.cpp adb_listeners.cpp adb_trace.cpp adb_unique_fd.cpp adb_utils.cpp fdevent/fdevent.cpp
    fdevent/fdevent_poll.cpp fdevent/fdevent_epoll.cpp services.cpp sockets.cpp socket_spec.cpp sysdeps/errno.cpp
    transport.cpp transport_fd.cpp transport_local.cpp transport_usb.cpp types.cpp sysdeps_unix.cpp
    sysdeps/posix/network.cpp daemon/auth.cpp daemon/jdwp_service.cpp daemon/usb_dummy.cpp
    daemon/file_sync_service.cpp daemon/services.cpp daemon/shell_service.cpp shell_service_protocol.cpp
    daemon/main.cpp adbconnection/adbconnection_server.cpp)
mkdir -p objects
one() { clang++ -std=gnu++2a "${flags[@]}" -c "$1" -o "objects/$(echo "$1" | tr / _).o"; }
for source in "${sources[@]}"; do one "$adb/$source"; done
one "$core/diagnose_usb/diagnose_usb.cpp"
one "$core/libasyncio/AsyncIO.cpp"
one "$WORK/source/frameworks/native/libs/adbd_auth/adbd_auth.cpp"
clang "${flags[@]}" -c "$core/libcrypto_utils/android_pubkey.c" -o objects/android_pubkey.o
clang++ objects/*.o -o adbd.part -L/usr/lib/x86_64-linux-gnu/android -Wl,-rpath,/usr/lib/x86_64-linux-gnu/android \
    -lbase -lcutils -llog -lcrypto -lcap -lresolv -lutil -lpthread
mv adbd.part adbd
