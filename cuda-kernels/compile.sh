#!/bin/sh
# Compiles one kernel file with nvcc, with warnings, register spills, local memory and double arithmetic as errors, and writes
# registers and static shared memory of each of its kernels into a table. Needs no GPU.
#
#   compile.sh NVCC HOST_COMPILER file.cu file.o table.txt
set -eu
nvcc=$1 host=$2 source=$3 object=$4 table=$5
here=$(cd "$(dirname "$0")" && pwd)
log=$(mktemp)
trap 'rm -f "$log"' EXIT
# -fmad=false: where a product and a sum are fused is written out, as in the CPU kernels.
if ! "$nvcc" -ccbin "$host" -std=c++17 -O3 -lineinfo -fmad=false \
  -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_90,code=compute_90 \
  -Werror all-warnings -Xptxas -v,-warn-spills,-warn-lmem-usage,-warn-double-usage,-Werror \
  -Xcompiler -fPIC,-fvisibility=hidden,-Wall -I"$here/src" -I"$here/../native/include" \
  -MD -MF "$object.d" -MT "$object" -c "$source" -o "$object" >"$log" 2>&1; then
  grep -vE 'ptxas info|bytes stack frame' "$log" >&2
  exit 1
fi
c++filt -p <"$log" | awk -v file="$(basename "$source")" '
  /Compiling entry function/ { split($0, part, "\047"); name = part[2]; arch = part[4] }
  /Used [0-9]+ registers/ {
    match($0, /Used [0-9]+/); registers = substr($0, RSTART + 5, RLENGTH - 5)
    shared = match($0, /[0-9]+ bytes smem/) ? substr($0, RSTART, RLENGTH - 11) : 0
    sub(/.*\(anonymous namespace\)::/, "", name); gsub(/g4::cuda::/, "", name)
    printf "%-7s %-17s %-62s %3d registers %5d bytes shared\n", arch, file, name, registers, shared
  }' | sort >"$table"
