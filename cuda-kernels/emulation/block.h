// One thread block: its fibers, its shared memory, and the meeting points where threads wait for each other.
//
// A warp runs until all its lanes wait at __syncthreads or are done; only then the next warp starts. So a warp runs as far
// ahead of the others as the barriers allow, which is what shows a missing one. Within a warp, lanes meet at shuffles,
// ballots and __syncwarp: each lane leaves its operands and stops; when every lane that may still run has stopped, the
// operation is done once for all lanes of its mask.
//
// What CUDA leaves undefined is an error here: a mask without the caller or with a lane that exited or waits elsewhere, a
// shuffle from a lane outside the mask, a __syncthreads that not every thread of the block reaches at the same line, a matrix
// operation of less than a whole warp (tensor.h), a thread that ends while its cp.async copies are not waited for.
// A thread that returned does not count as arrived, though Volta and newer would allow it: no kernel here needs that.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <vector>

#include "async_copy.h"
#include "fiber.h"
#include "runtime.h"
#include "sites.h"

namespace g4::emulation {

struct uint3 {
  unsigned x, y, z;
};

enum class Meeting { kBlockBarrier, kWarpBarrier, kShuffleXor, kShuffleDown, kShuffleIndex, kBallot, kMatrix };

// Does the work of a matrix operation, given the operands of the 32 lanes (tensor.h).
using MatrixWork = void (*)(void* const* lanes);

// What a thread left at its meeting point. `value` is the operand before and the result after.
struct Arrival {
  Meeting meeting;
  Site site;
  unsigned mask;
  int argument;
  uint64_t value;
  MatrixWork work = nullptr;
  void* operands = nullptr;
};

// Runs the blocks of one launch one after the other, on the same fibers.
class Block {
 public:
  Block(dim3 grid, dim3 threads, size_t dynamic_bytes, const std::function<void()>& kernel);

  void run(uint3 index);  // sets emulation::error() when something goes wrong

  // Called by the running thread, through simt.h.
  uint64_t meet(const Arrival& arrival);
  void* dynamic_shared() { return dynamic_.get(); }
  void* static_shared(const void* key, size_t bytes);
  void note_read(const void* row);             // by ldmatrix, of the running thread's warp
  bool may_be_read(const void* address) const;  // by ldmatrix of a warp that the running thread has not met since
  bool slip_past();  // true every other time that the running thread asks
  AsyncCopies& copies() { return threads_[running_]->copies; }  // of the running thread
  std::string who() const { return who(running_); }
  static Block& current();

 private:
  static constexpr unsigned kLanes = 32;
  enum class State { kReady, kWaiting, kDone };
  struct Thread {
    Fiber fiber;
    State state = State::kReady;
    Arrival arrival{};
    AsyncCopies copies;
    uint3 index{};
    bool slipped = false;
  };

  static void thread_main();
  const std::vector<unsigned>& order(std::vector<unsigned>& all, unsigned count);
  void run_warp(unsigned warp);
  bool meet_lanes(unsigned warp);  // false: no lane waits for its warp
  void perform(unsigned warp, unsigned mask);
  void release_block();
  void poison();
  std::string who(unsigned thread) const;
  void fail_at(unsigned thread, const std::string& what) const;

  dim3 grid_, size_;
  unsigned count_;
  const std::function<void()>& kernel_;
  std::vector<std::unique_ptr<Thread>> threads_;
  unsigned running_ = 0;
  uint3 block_{};
  size_t dynamic_bytes_;
  std::unique_ptr<unsigned char, void (*)(void*)> dynamic_;
  struct StaticArray {
    size_t bytes;
    std::unique_ptr<unsigned char, void (*)(void*)> memory;
  };
  std::map<const void*, StaticArray> static_;
  std::mt19937_64 random_;
  std::vector<unsigned> warp_order_, lane_order_;  // kept for their memory

  // Barriers so far, and who read the 16 bytes at an address after how many of them.
  struct Reads {
    unsigned warp;
    uint64_t warp_barriers, block_barriers;
  };
  std::vector<uint64_t> warp_barriers_;
  uint64_t block_barriers_ = 0;
  std::unordered_map<uintptr_t, std::vector<Reads>> reads_;
};

}  // namespace g4::emulation
