#!/bin/sh
# Builds and runs the JMH benchmarks; results go to benchmarks/results/ as JSON, beside a description of the machine.
#   benchmarks/run.sh                      everything (about half an hour)
#   benchmarks/run.sh Kernel -p op=LINEAR  a part: JMH's own pattern and options
set -eu
home=$(cd "$(dirname "$0")/.." && pwd)
(cd "$home" && ./mvnw -B -q -ntp -DskipTests package)
results="$home/benchmarks/results"
mkdir -p "$results"
stamp=$(date -u +%Y%m%d-%H%M%S)
{ uname -srm; grep -m1 'model name' /proc/cpuinfo; nproc; grep MemTotal /proc/meminfo; java -version 2>&1; g++ --version | head -n 1; } \
  >"$results/$stamp.machine.txt" 2>&1 || true
exec java --enable-native-access=ALL-UNNAMED -Dorg.bytedeco.javacpp.maxBytes=0 -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 \
  -jar "$home/benchmarks/target/benchmarks.jar" -rf json -rff "$results/$stamp.json" "$@"
