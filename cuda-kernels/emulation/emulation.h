// The switchboard of the emulation: in which order threads run, what to leave out, and what went wrong.
//
// Errors do not hang and do not abort: the launch stops, its launcher returns an error status as after a fault on a GPU,
// and error() is a sentence with kernel position, block and thread.
#pragma once

#include <cstdint>
#include <set>
#include <string>

#include "runtime.h"

namespace g4::emulation {

// The order of blocks, of warps in a block, and of lanes in a warp. A correct kernel gives the same bits in all of them.
enum class Order { kAscending, kDescending, kSeeded };

struct Options {
  Order order = Order::kAscending;
  uint64_t seed = 0;
  // A mutation: the __syncthreads at this "file:line" does nothing. The tests drop each barrier in turn, and must notice.
  std::string dropped_barrier;
};

Options& options();

// Every "file:line" of a __syncthreads that was reached.
std::set<std::string>& barrier_sites();

// Every "file:line" of a G4_GUARD that was reached, and the mutation that lets threads slip past the one at `site` (none: "").
std::set<std::string> guard_sites();
void drop_guard(const std::string& site);

void fail(const std::string& sentence);  // the first sentence is kept
const std::string& error();              // empty: nothing went wrong since clear_error()
void clear_error();
cudaError_t take_launch_error();         // and resets it, as cudaGetLastError does

}  // namespace g4::emulation
