#!/bin/sh
# Unpacks the archive and uses it as on a machine with nothing: an empty environment, no Java on the path.
#   smoke-test.sh ARCHIVE FOLDER VARIANT     VARIANT: the folder of the example with kinds of its own, built
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
"$variant/train.sh" "$bin/grpo4j" "$folder/work/variant"
alone "$bin/grpo4j-test" --device cpu --out tests OpFixturesTest ForwardFixtureTest
ls tests/*.xml >/dev/null
alone "$bin/grpo4j-bench" --device cpu --quick --out bench
python3 -c 'import json, sys
for name in sys.argv[1:]:
    lines = [json.loads(line) for line in open(name)]
    assert lines, name + " is empty"' bench/machine.json bench/kernels.jsonl bench/optimizer.jsonl bench/rollout.jsonl bench/step.jsonl
alone "$bin/grpo4j-jmh" -l | grep -q KernelBenchmark
