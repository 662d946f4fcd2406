#!/bin/sh
# Compiles one kernel file with nvcc, with warnings, register spills, local memory and double arithmetic as errors. What table.py
# reads goes into a folder: ptxas' report of every kernel, its PTX and its machine code. Needs no GPU.
#
#   compile.sh NVCC HOST_COMPILER file.cu file.o report_folder
set -eu
nvcc=$1 host=$2 source=$3 object=$4 report=$5
here=$(cd "$(dirname "$0")" && pwd)
rm -rf "$report"
mkdir -p "$report"
log=$report/ptxas.log
# -fmad=false: where a product and a sum are fused is written out, as in the CPU kernels.
if ! "$nvcc" -ccbin "$host" -std=c++17 -O3 -lineinfo -fmad=false -keep -keep-dir "$report" \
  -gencode arch=compute_80,code=sm_80 -gencode arch=compute_90a,code=sm_90a -gencode arch=compute_90,code=compute_90 \
  -Werror all-warnings -Xptxas -v,-warn-spills,-warn-lmem-usage,-warn-double-usage,-Werror \
  -Xcompiler -fPIC,-fvisibility=hidden,-Wall -I"$here/src" -I"$here/../native/include" \
  -MD -MF "$object.d" -MT "$object" -c "$source" -o "$object" >"$log" 2>&1; then
  grep -vE 'ptxas info|bytes stack frame' "$log" >&2
  exit 1
fi
find "$report" -type f ! -name '*.log' ! -name '*.cubin' ! -name '*.ptx' -delete
