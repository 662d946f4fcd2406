#!/bin/sh
# Trains the demo with this folder's jar, whose classes the program knows by name alone, and checks that they did their work.
#
#   train.sh [PROGRAM [RUN_DIR]]     by default the launcher of the source tree, into target/run
set -eu
here=$(cd "$(dirname "$0")" && pwd)
root=$here/../..
program=${1:-$root/grpo4j}
run=${2:-$here/target/run}
jar=$here/target/grpo4j-variant-1.0.jar

if [ ! -f "$jar" ] || [ -n "$(find "$here/pom.xml" "$here/src" -newer "$jar" -type f)" ]; then
  # The engine into the local Maven repository, then the jar against it.
  (cd "$root" && ./mvnw -B -ntp -q -DskipTests -pl java/engine -am install && ./mvnw -B -ntp -q -f "$here/pom.xml" package)
fi

rm -rf "$run"
GRPO4J_CLASSPATH=$jar "$program" train --config "$here/config.yaml" --run-dir "$run"

fail() {
  echo "train.sh: $1" >&2
  exit 1
}
grep -q 'com.example.variant.RangeNormalized' "$run/config.yaml" || fail "the run does not know its advantage estimator"
grep -q 'com.example.variant.Saturating' "$run/config.yaml" || fail "the run does not know its surrogate"
grep -q '^end,outcome,COMPLETED$' "$run/variant.csv" || fail "the tracker did not see the end of the run"
awk -F, '$2 == "eval/success_rate" { if (!seen) first = $3; seen = 1; last = $3 } END { exit !(seen && last > first) }' "$run/variant.csv" ||
  fail "held-out accuracy did not rise"
