// The switchboard of the emulation: in which order threads run, what to leave out, and what went wrong.
//
// Errors do not hang and do not abort: the launch stops, its launcher returns an error status as after a fault on a GPU,
// and error() is a sentence with kernel position, block and thread.
#pragma once

#include <cstdint>
#include <string>

#include "runtime.h"
#include "sites.h"

namespace g4::emulation {

// The order of blocks, of warps in a block, and of lanes in a warp. A correct kernel gives the same bits in all of them.
enum class Order { kAscending, kDescending, kSeeded };

struct Options {
  Order order = Order::kAscending;
  uint64_t seed = 0;
  bool truncating_tensor_cores = false;  // the second twin of the numerics (tensor.h)
};

Options& options();

bool inside_allocation(const void* address, size_t bytes);  // of device memory, as a kernel sees it

void fail(const std::string& sentence);  // the first sentence is kept
const std::string& error();              // empty: nothing went wrong since clear_error()
void clear_error();
cudaError_t take_launch_error();         // and resets it, as cudaGetLastError does

}  // namespace g4::emulation
