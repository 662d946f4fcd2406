#!/usr/bin/env bash
# llama.cpp as the peer for generation on a CPU: the strongest there is.
#
#   llama_cpp.sh build                           fetches its sources and builds them for this machine (10 minutes on 2 cores)
#   llama_cpp.sh convert MODEL_DIR f32|bf16      writes the GGUF of a Hugging Face model directory; prints its path
#   llama_cpp.sh bench GGUF PROMPT NEW ANSWERS THREADS
#                                                one JSON line for each number of sequences in ANSWERS (say 1,8,32)
#   llama_cpp.sh race MODEL_DIR f32|bf16 [TIMES] ours and llama.cpp in turn, TIMES times (5); prints JSON, see race.py
#
# GRPO4J_PEERS says where things are kept (~/.cache/grpo4j-peers). `convert` needs torch and transformers: it takes the
# Python that PEER_PYTHON names, or makes an environment of its own. The sources are those inside the package
# llama-cpp-python; nothing of the Python binding is built.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
grpo4j=$here/../../grpo4j
[ -x "$grpo4j" ] || grpo4j=$here/../../bin/grpo4j # in an unpacked archive
peers=${GRPO4J_PEERS:-$HOME/.cache/grpo4j-peers}
dir=$peers/llama.cpp
package=llama-cpp-python
version=0.3.36
shape_prompt=128
shape_new=64
shape_answers=1,8,32
threads=${THREADS:-2}

build() {
  [ -x "$dir/build/bin/llama-batched-bench" ] && return
  if [ ! -f "$dir/CMakeLists.txt" ]; then
    local work=$peers/fetch
    mkdir -p "$work"
    python3 -m pip download -q --no-deps --no-binary "$package" -d "$work" "$package==$version" >&2
    tar -xzf "$work"/*.tar.gz -C "$work"
    mv "$work"/llama_cpp_python-*/vendor/llama.cpp "$dir"
    rm -rf "$work"
  fi
  cmake -S "$dir" -B "$dir/build" -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF -DLLAMA_BUILD_TESTS=OFF >&2
  cmake --build "$dir/build" -j"${JOBS:-$(nproc)}" --target llama-batched-bench >&2
}

python_with_torch() {
  if [ -n "${PEER_PYTHON:-}" ]; then
    echo "$PEER_PYTHON"
    return
  fi
  if [ ! -x "$peers/venv/bin/python" ]; then
    python3 -m venv "$peers/venv"
    "$peers/venv/bin/pip" install -q torch transformers sentencepiece safetensors numpy >&2
  fi
  echo "$peers/venv/bin/python"
}

convert() {
  local model=$1 type=$2 out
  out=$peers/$(basename "$model")-$type.gguf
  if [ ! -f "$out" ]; then
    PYTHONPATH=$dir/gguf-py "$(python_with_torch)" "$dir/convert_hf_to_gguf.py" "$model" --outtype "$type" --outfile "$out.part" >&2
    mv "$out.part" "$out"
  fi
  echo "$out"
}

# Every sequence has its own prompt; all are decoded together afterwards. Without sampling.
bench() {
  local gguf=$1 prompt=$2 new=$3 answers=$4 with_threads=$5
  local most
  most=$(tr , '\n' <<<"$answers" | sort -n | tail -n 1)
  "$dir/build/bin/llama-batched-bench" -m "$gguf" -c $((most * (prompt + new) + 256)) -b 2048 -ub 512 -npp "$prompt" -ntg "$new" \
    -npl "$answers" -t "$with_threads" 2>/dev/null |
    awk -F'|' '$4 + 0 > 0 { printf "{\"answers\": %d, \"prompt_tokens_per_s\": %.2f, \"decode_tokens_per_s\": %.2f}\n", $4, $7, $9 }'
}

command=${1:-help}
[ $# -gt 0 ] && shift
case $command in
build) build; echo "$dir" ;;
convert) convert "$@" ;;
bench) bench "$@" ;;
race)
  build
  model=$1 type=$2
  gguf=$(convert "$model" "$type")
  python3 "$here/race.py" --times "${3:-5}" --key answers --measure prompt_tokens_per_s,decode_tokens_per_s \
    --ours "$grpo4j bench rollout --device cpu --model $model --dtype $type --threads $threads --prompt-tokens $shape_prompt --new-tokens $shape_new --answers $shape_answers --repeat 1 --json" \
    --peer "$here/llama_cpp.sh bench $gguf $shape_prompt $shape_new $shape_answers $threads" ;;
*) sed -n '2,13s/^# \{0,1\}//p' "$0"; exit 2 ;;
esac
