// The kernels that use vdpbf16ps, with a function of the same arithmetic in the instruction's place: what proves their
// layouts on a machine without it.
#pragma once

#include "kernel_table.h"

bool emulation_runs_here();
const g4::KernelTable& emulated_bf16_kernels();
