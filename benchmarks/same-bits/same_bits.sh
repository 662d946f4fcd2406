#!/usr/bin/env bash
# Runs twelve steps of the built-in model in several configurations with two builds of grpo4j on this machine, and compares what they leave
# byte by byte: weights, samples, and every metric that is not a time or a memory. For moves of code that must change no bit; bits differ
# between instruction sets, so both builds run here and now.
#
#   benchmarks/same-bits/same_bits.sh OLD NEW [FOLDER]
#
# OLD and NEW are commits, which are built in worktrees, or grpo4j.jar files. FOLDER keeps the runs (a temporary one without it).
set -euo pipefail
root=$(cd "$(dirname "$0")/../.." && pwd)
if [ $# -lt 2 ]; then sed -n '2,9p' "$0" | sed 's/^# \{0,1\}//'; exit 2; fi
work=${3:-$(mktemp -d)}
mkdir -p "$work"
work=$(cd "$work" && pwd)

build() { # commit or jar -> path of a jar
  if [ -f "$1" ]; then echo "$1"; return; fi
  local tree="$work/source-$1"
  [ -d "$tree" ] || git -C "$root" worktree add --detach --quiet "$tree" "$1"
  (cd "$tree" && ./mvnw -B -ntp -q -DskipTests -Dcuda=off -pl java/cli -am package) >&2
  echo "$tree/java/cli/target/grpo4j.jar"
}

old=$(build "$1")
new=$(build "$2")

# The default run, in the flat keys that every version understands.
cat >"$work/config.yaml" <<'END'
model: {path: "builtin:tiny"}
data: {kind: synthetic, max_prompt_tokens: 96, eval_limit: 40}
prompt: {chat: false, system: "", user: "{question}\n", response_prefix: ""}
rollout: {questions_per_step: 32, answers_per_question: 8, max_new_tokens: 30}
reward: {kind: gsm8k}
optimizer: {learning_rate: 4.0e-4, betas: [0.9, 0.99], schedule: linear, warmup_steps: 5, min_lr_ratio: 0.1}
training: {max_steps: 12, eval_interval: 6, eval_samples: 2, checkpoint_interval: 0}
END

run() { # jar folder assignments...
  local jar=$1 folder=$2; shift 2
  java -Xmx2g -XX:+UseSerialGC -Dorg.bytedeco.javacpp.maxBytes=0 -Dorg.bytedeco.javacpp.maxPhysicalBytes=0 -jar "$jar" \
    train --config "$work/config.yaml" --json --run-dir "$folder" --resume never --set backend.device=cpu "$@" >"$folder.log" 2>&1 \
    || { tail -n 3 "$folder.log" >&2; return 1; }
}

configurations=(
  "f32"
  "bf16 --set model.dtype=bf16"
  "kl-k3 --set grpo.kl_coef=0.05 --set grpo.updates_per_rollout=2"
  "four-updates --set grpo.updates_per_rollout=4"
  "sequence-level --set grpo.importance_level=sequence --set grpo.updates_per_rollout=4 --set grpo.clip_low=0.02 --set grpo.clip_high=0.02"
  "dual-clip --set grpo.dual_clip=1.5 --set grpo.updates_per_rollout=4 --set optimizer.learning_rate=2e-3"
)
status=0
for line in "${configurations[@]}"; do
  read -r -a words <<<"$line"
  name=${words[0]}
  run "$old" "$work/$name-old" "${words[@]:1}"
  run "$new" "$work/$name-new" "${words[@]:1}"
  python3 "$(dirname "$0")/compare_runs.py" "$name" "$work/$name-old" "$work/$name-new" || status=1
done
exit $status
