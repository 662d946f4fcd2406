// All kernels of one instruction set, gathered in the table that dispatch.cpp calls through.
#pragma once

#include "kernel_table.h"
#include "stream.h"

namespace g4::G4_ISA {

inline KernelTable make_table() {
  KernelTable t;
  return t;
}

}  // namespace g4::G4_ISA
