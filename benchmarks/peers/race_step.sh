#!/usr/bin/env bash
# Our GRPO step against one in Python, in turn, at a shape of shapes.py; prints the JSON of race.py.
#
#   race_step.sh trl|torch|torch-compiled 10m|0.5b|0.5b-gsm8k f32|bf16 [TIMES]
#
# 0.5b-gsm8k goes through the model in micro-batches, which trl_step.py does not.
#
# PEER_PYTHON names a Python with torch 2.13, transformers, trl and datasets (python3); THREADS is for both (2).
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
grpo4j=$here/../../grpo4j
[ -x "$grpo4j" ] || grpo4j=$here/../../bin/grpo4j # in an unpacked archive
export THREADS=${THREADS:-2}
peer=$1 shape=$2 dtype=$3 times=${4:-3}
case $shape in
10m) config=10m.json step="--prompts 4 --group 8 --prompt-tokens 64 --new-tokens 128" ;;
0.5b) config=qwen2.5-0.5b.json step="--prompts 2 --group 4 --prompt-tokens 64 --new-tokens 32" ;;
0.5b-gsm8k) config=qwen2.5-0.5b.json step="--prompts 4 --group 8 --prompt-tokens 100 --new-tokens 230 --micro-batch-tokens 2048" ;;
*) echo "the shape is 10m, 0.5b or 0.5b-gsm8k, not $shape" >&2; exit 2 ;;
esac
case $peer-$shape in
trl-0.5b-gsm8k) echo "0.5b-gsm8k is a shape of torch and torch-compiled only" >&2; exit 2 ;;
esac
case $peer in
trl) script=trl_step.py ;;
torch) script=torch_step.py ;;
torch-compiled) script="torch_step.py --compile" ;;
*) echo "the peer is trl, torch or torch-compiled, not $peer" >&2; exit 2 ;;
esac
python=${PEER_PYTHON:-python3}
exec python3 "$here/race.py" --times "$times" --measure rollout_tokens_per_s,train_tokens_per_s --lower step_s,peak_rss_mib \
  --ours "$grpo4j bench step --device cpu --random $here/../shapes/$config --dtype $dtype --threads $THREADS $step --repeat ${REPEAT:-3} --json" \
  --peer "$python $here/${script%% *} ${script#"${script%% *}"} --shape $shape --dtype $dtype --repeat ${REPEAT:-3}"
