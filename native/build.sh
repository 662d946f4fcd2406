#!/bin/sh
# Builds the configured native code in folder $1 with a compiler a core. (cmake's --parallel without a number lets make start all
# compilers at once; each instruction set's takes 300 MB, and nvcc starts several.)
exec cmake --build "$1" --parallel "$(getconf _NPROCESSORS_ONLN)"
