#!/bin/sh
# The CUDA kernels on the emulated GPU under AddressSanitizer and UBSan, then under ThreadSanitizer: builds kernels, emulation and
# tests anew, and runs the tests on their small cases.
#
#   sanitize.sh [address|thread]...      both, if none is named
#
# Environment: GRPO4J_CPU_LIBRARY, the CPU kernels to compare with (target/cmake/lib/libgrpo4j.so where it is built, else built
# here).
set -eu
[ "$(uname -m)" = x86_64 ] || { echo "no sanitizers: the emulated GPU runs on x86-64 only"; exit 0; }
root=$(cd "$(dirname "$0")/.." && pwd)
[ $# -gt 0 ] || set -- address thread
cpu=${GRPO4J_CPU_LIBRARY:-$root/target/cmake/lib/libgrpo4j.so}
[ -f "$cpu" ] || cpu=
for sanitizer; do
  build=$root/target/sanitize-$sanitizer
  cmake -S "$root" -B "$build" -DGRPO4J_SANITIZE="$sanitizer" -DGRPO4J_NATIVE_TESTS=ON -DGRPO4J_CPU_LIBRARY="$cpu" >/dev/null
  cmake --build "$build" --target cuda_tests --parallel "$(getconf _NPROCESSORS_ONLN)" >/dev/null
  echo "$sanitizer sanitizer"
  ctest --test-dir "$build" -R ^cuda_ --parallel "$(getconf _NPROCESSORS_ONLN)" --output-on-failure
done
