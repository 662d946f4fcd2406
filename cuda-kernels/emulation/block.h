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
//
// To ThreadSanitizer, __syncthreads orders the threads of a block and __syncwarp those of its mask, and nothing else does.
#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <unordered_map>
#include <utility>
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
  ~Block();

  void run(uint3 index);  // sets emulation::error() when something goes wrong

  // Called by the running thread, through simt.h.
  uint64_t meet(const Arrival& arrival);
  void* dynamic_shared() const;
  void* behind(void* end);  // of an array in dynamic shared memory: where the next one begins, after a gap
  void* static_shared(const void* key, size_t bytes);
  void note_read(const void* row);             // by ldmatrix, of the running thread's warp
  bool may_be_read(const void* address) const;  // by ldmatrix of a warp that the running thread has not met since
  bool slip_past();  // true every other time that the running thread asks
  AsyncCopies& copies();  // of the running thread
  std::string who() const { return who(running_); }
  static Block& current();

 private:
  static constexpr unsigned kLanes = 32;
  static constexpr size_t kGuardBytes = 256;  // a row of an attention tile; whole rounds of the 32 banks, so that conflicts stay as they are
  static constexpr size_t kMostGaps = 8;
  enum class State { kReady, kWaiting, kDone };
  struct Thread {
    explicit Thread(unsigned identity) : fiber(identity) {}
    Fiber fiber;
    State state = State::kReady;
    Arrival arrival{};
    AsyncCopies copies;
    uint3 index{};
    bool slipped = false;
  };

  static void thread_main();
  const std::vector<unsigned>& order(std::vector<unsigned>& all, unsigned count);
  void take_turn();
  void run_threads();
  void run_warp(unsigned warp);
  bool meet_lanes(unsigned warp);  // false: no lane waits for its warp
  void perform(unsigned warp, unsigned mask);
  void release_block();
  void poison();
  size_t dynamic_room() const { return dynamic_bytes_ + (kMostGaps + 1) * kGuardBytes; }
  size_t dynamic_end() const { return dynamic_bytes_ + gaps_.size() * kGuardBytes; }
  bool guards_intact() const;
  std::string who(unsigned thread) const;
  void fail_at(unsigned thread, const std::string& what) const;

  dim3 grid_, size_;
  unsigned count_;
  const std::function<void()>& kernel_;
  using Threads = std::vector<std::unique_ptr<Thread>>;
  Threads threads_;
  std::deque<Threads> resting_;  // while other blocks run (take_turn)
  unsigned running_ = 0;
  uint3 block_{};
  using Memory = std::unique_ptr<unsigned char, void (*)(void*)>;
  size_t dynamic_bytes_;
  Memory dynamic_;
  std::vector<size_t> gaps_;  // between its arrays
  struct StaticArray {
    size_t bytes;
    Memory memory;
  };
  std::map<const void*, StaticArray> static_;
  std::mt19937_64 random_;
  std::vector<unsigned> warp_order_, lane_order_;  // kept for their memory

  // What ThreadSanitizer's threads release and acquire: new ones for every block. Two by turns for each barrier, for the first
  // thread gets to the next barrier before the last one has left this.
  struct Key {
    char turns[2];
    unsigned meetings = 0;
    void* now() { return &turns[meetings % 2]; }
  };
  struct Keys {
    Key block;
    std::map<std::pair<unsigned, unsigned>, Key> warps;  // by warp and mask
  };
  std::unique_ptr<Keys> keys_;
  char launched_ = 0, done_ = 0;  // two more, of the whole launch

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
