#!/bin/sh
# Says in one sentence what the build of the kernels lacks, instead of leaving it to the first tool that fails.
missing=""
command -v "${CXX:-g++}" >/dev/null 2>&1 || missing="$missing g++"
command -v cmake >/dev/null 2>&1 || missing="$missing cmake"
command -v make >/dev/null 2>&1 || command -v ninja >/dev/null 2>&1 || missing="$missing make"
if [ -n "$missing" ]; then
  echo "grpo4j builds its CPU kernels with tools that are not installed:$missing. On Debian or Ubuntu: sudo apt-get install -y$missing" >&2
  exit 69
fi
