#!/usr/bin/env bash
# LiteRT's benchmark_model, as Google wrote it, built for this machine from Debian's source package of TensorFlow.
#
#   lab/tool.sh build   fetch the source (56 MB) and a root with its library (some 500 MB), build $LAB/tool/benchmark_model
#
# Needs root, and: apt-get install --no-install-recommends mmdebstrap xz-utils
# It is of 2.14 (2023), without XNNPACK, which Debian leaves out. What it says and how it is told is the same on a phone.
set -euo pipefail

LAB=${POCKETLENS_LAB:-${XDG_CACHE_HOME:-$HOME/.cache}/pocketlens/lab}
WORK=$LAB/tool
SUITE=forky  # the oldest Debian that has the library
MIRROR=http://deb.debian.org/debian
LENIENT=(-o 'Acquire::Check-Valid-Until=false')  # a mirror of a moving suite may lag behind

[ -x "$WORK/benchmark_model" ] && exit 0
[ "$(id -u)" = 0 ] || { echo "lab/tool.sh changes roots: run it as root" >&2; exit 3; }
for tool in mmdebstrap xz; do
    command -v $tool >/dev/null || { sed -n '6s/^# Needs root, and: //p' "$0" >&2; exit 3; }
done
mkdir -p "$WORK/conf/lists/partial" "$WORK/conf/cache/archives/partial"
cd "$WORK"

if ! ls tensorflow_*.orig.tar.xz >/dev/null 2>&1; then
    echo "deb-src $MIRROR $SUITE main" > conf/sources.list
    apt=(apt-get "${LENIENT[@]}" -o "Dir::Etc::sourcelist=$WORK/conf/sources.list" -o Dir::Etc::sourceparts=-
        -o "Dir::State::lists=$WORK/conf/lists" -o "Dir::Cache=$WORK/conf/cache")
    "${apt[@]}" -qq update
    # Only this file is needed of the three; apt puts it here once its hash is right. Mirrors may lack the .dsc.
    "${apt[@]}" -qq source --download-only tensorflow || ls tensorflow_*.orig.tar.xz
fi
if [ ! -e root/.made ]; then
    rm -rf root
    mmdebstrap --quiet --variant=extract --aptopt='Acquire::Check-Valid-Until "false"' \
        --include=g++,libc6-dev,libtensorflow-lite-dev,libabsl-dev,libflatbuffers-dev,libruy-dev,libgemmlowp-dev,libcpuinfo-dev,libpthreadpool-dev,libeigen3-dev,dash,coreutils \
        --dpkgopt='path-exclude=/usr/share/man/*' --dpkgopt='path-exclude=/usr/share/doc/*' \
        --dpkgopt='path-exclude=/usr/share/locale/*' "$SUITE" root "$MIRROR"
    mkdir -p root/tmp root/work
    for name in bin lib lib64 sbin; do [ -e root/$name ] || ln -s usr/$name root/$name; done  # base-files would
    touch root/.made
fi
tar xJf tensorflow_*.orig.tar.xz -C root/work --strip-components=1 --wildcards '*/tensorflow/lite/*.h' '*/tensorflow/lite/*.cc' \
    '*/tensorflow/tsl/util/*' '*/tensorflow/core/util/stat*'

# What the tool's own CMakeLists.txt lists, without the delegates that Debian's library lacks.
lite=tensorflow/lite
sources=($(cd root/work && ls $lite/tools/benchmark/*.cc | grep -vE '_test|plus_flex|performance_options'))
for one in kernels/internal/utils/sparsity_format_converter profiling/memory_info profiling/memory_usage_monitor \
    profiling/profile_buffer profiling/profile_summarizer profiling/profile_summary_formatter profiling/root_profiler \
    profiling/telemetry/profiler profiling/telemetry/telemetry profiling/time tools/command_line_flags \
    tools/delegates/default_execution_provider tools/delegates/delegate_provider tools/evaluation/utils tools/model_loader \
    tools/tool_params tools/utils; do
    sources+=("$lite/$one.cc")
done
sources+=(tensorflow/tsl/util/stats_calculator.cc)
absl=($(cd root/usr/lib/x86_64-linux-gnu && ls libabsl_*.so | sed 's/^lib\(.*\)\.so$/-l\1/'))
cat > root/work/build.sh <<BUILD
set -eu
cd /work
mkdir -p third_party && ln -sfn /usr/include/eigen3 third_party/eigen3
for one in ${sources[*]}; do
    object="\$(echo "\$one" | tr / _).o"
    [ -e "\$object" ] || {
        g++ -std=c++17 -O1 -w -DTFLITE_WITHOUT_XNNPACK -DNDEBUG -include cstdint -I. -I/usr/include/gemmlowp -c "\$one" -o part
        mv part "\$object"
    }
done
g++ *.o -o benchmark_model.part -ltensorflow-lite ${absl[*]} -lpthread -ldl
mv benchmark_model.part benchmark_model
BUILD
chroot root /bin/sh /work/build.sh
# It needs the libraries of its own Debian: started through that one's loader.
cat > benchmark_model.part <<RUN
#!/bin/sh
exec "$WORK/root/lib64/ld-linux-x86-64.so.2" --library-path "$WORK/root/usr/lib/x86_64-linux-gnu" "$WORK/root/work/benchmark_model" "\$@"
RUN
chmod 755 benchmark_model.part
mv benchmark_model.part benchmark_model
