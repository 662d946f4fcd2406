#!/bin/sh
# Unpacks the archive and uses it as on a machine with nothing: an empty environment, no Java on the path.
#   smoke-test.sh ARCHIVE FOLDER VARIANT     VARIANT: examples/variant, built
set -eu
archive=$1
folder=$2
variant=$3
rm -rf "$folder"
mkdir -p "$folder/path" "$folder/work"
folder=$(cd "$folder" && pwd)
python3 -c 'import sys, tarfile; tarfile.open(sys.argv[1]).extractall(sys.argv[2])' "$archive" "$folder"
# Some of what every system has, and nothing more.
for tool in sh readlink dirname mkdir id grep sed cat; do ln -s "$(command -v $tool)" "$folder/path/$tool"; done
bin=$(echo "$folder"/grpo4j-*/bin)
cd "$folder/work"
alone() { env -i PATH="$folder/path" "$@"; }

alone "$bin/grpo4j" doctor
alone "$bin/grpo4j" train --config "$bin/../config.yaml" --run-dir run --set training.max_steps=2 --set data.eval_limit=20 >train.log ||
  { cat train.log; exit 1; }
tail -n 3 train.log

# A jar that the program knows by class names alone: its tracker writes to the end, and what its other classes decide teaches the model.
alone GRPO4J_CLASSPATH="$variant/target/variant-1.0.jar" "$bin/grpo4j" train --config "$variant/config.yaml" --run-dir variant >variant.log ||
  { cat variant.log; exit 1; }
tail -n 2 variant.log
grep -q '^end,outcome,COMPLETED$' variant/variant.csv
grep -q '^40,rewards/short/mean,0' variant/variant.csv
awk -F, '$2 == "eval/accuracy_greedy" { if (!first) first = $3; last = $3 } END { exit !(last > first) }' variant/variant.csv

alone "$bin/grpo4j-test" --device cpu --out tests OpFixturesTest ForwardFixtureTest
ls tests/*.xml >/dev/null
alone "$bin/grpo4j-bench" --device cpu --quick --out bench
python3 -c 'import json, sys
for name in sys.argv[1:]:
    lines = [json.loads(line) for line in open(name)]
    assert lines, name + " is empty"' bench/machine.json bench/kernels.jsonl bench/optimizer.jsonl bench/rollout.jsonl bench/step.jsonl
alone "$bin/grpo4j-jmh" -l | grep -q KernelBenchmark
