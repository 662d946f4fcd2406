#!/bin/sh
# Compiles every kernel with nvcc for the GPUs we mean, with warnings, register spills, local memory and double arithmetic as
# errors, and prints registers and static shared memory of each kernel. Needs no GPU.
#
#   cuda-kernels/check-compile.sh [sm_80 sm_90a ...]
#
# nvcc is that of CUDA_HOME, else the one on PATH, else that of /usr/local/cuda.
set -eu
cd "$(dirname "$0")"
nvcc=${CUDA_HOME:+$CUDA_HOME/bin/nvcc}
nvcc=${nvcc:-$(command -v nvcc || echo /usr/local/cuda/bin/nvcc)}
if [ ! -x "$nvcc" ]; then
  echo "No nvcc at $nvcc. Set CUDA_HOME, or install the compiler from the Python package index (README.md)." >&2
  exit 1
fi
[ $# -gt 0 ] || set -- sm_80 sm_90a
cubin=$(mktemp)
log=$(mktemp)
trap 'rm -f "$cubin" "$log"' EXIT
for arch in "$@"; do
  for file in src/*.cu; do
    # -fmad=false: where a product and a sum are fused is written out, as in the CPU kernels.
    "$nvcc" -std=c++17 -arch="$arch" -cubin -o "$cubin" -lineinfo -fmad=false -Werror all-warnings \
      -Xptxas -v,-warn-spills,-warn-lmem-usage,-warn-double-usage,-Werror -Isrc -Iinclude -I../native/include "$file" >"$log" 2>&1 || { cat "$log"; exit 1; }
    c++filt -p <"$log" | awk -v arch="$arch" -v file="$file" '
      /Compiling entry function/ { split($0, part, "\047"); name = part[2] }
      /Used [0-9]+ registers/ {
        match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
        shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH - 11) : 0
        sub(/.*\(anonymous namespace\)::/, "", name); gsub(/g4::cuda::/, "", name)
        printf "%-7s %-17s %-62s %3d registers %5d bytes shared\n", arch, file, name, registers, shared
      }'
  done
done
