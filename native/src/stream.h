// A stream of the CPU back end: a pool of blocking worker threads and their scratch memory.
//
// parallel_for hands out the indices 0 .. count - 1 one at a time, in order, to whichever thread is free, so a slow core
// takes fewer of them. Which thread runs an index never changes a result: kernels give each index its own output, or its
// own slot of partial sums that is reduced in index order afterwards.
//
// A waiting thread spins for 200 us, then blocks on a condition variable. Loops follow each other within microseconds while a
// model decodes, their last index may take tens of microseconds, and to be woken takes as long (more on a virtual machine): a look of
// 20 us lost a quarter of a product of 32 rows. A much longer one would take a core that somebody else needs.
#pragma once

#include <atomic>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <mutex>
#include <thread>
#include <type_traits>
#include <vector>

namespace g4 {

struct KernelTable;

class Stream {
 public:
  // Scratch of one thread: packing buffers, attention tiles. Pages are touched only when used.
  static constexpr size_t kScratchBytes = size_t(8) << 20;
  // Scratch of the whole stream, for partial results that every thread writes a slot of.
  static constexpr size_t kSharedScratchBytes = size_t(64) << 20;

  Stream(int threads, int isa, const KernelTable& kernels);
  ~Stream();
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;

  int threads() const { return threads_; }
  int isa() const { return isa_; }
  const KernelTable& kernels() const { return kernels_; }
  char* scratch(int thread) const { return scratch_[thread]; }
  char* shared_scratch() const { return shared_scratch_; }

  // body(int64_t index, int thread) for every index in [0, count); returns when all are done.
  template <class Body>
  void parallel_for(int64_t count, Body&& body) {
    if (count <= 0) return;
    if (threads_ == 1 || count == 1) {
      for (int64_t i = 0; i < count; i++) body(i, 0);
      return;
    }
    using Plain = std::remove_reference_t<Body>;
    run(count, [](void* context, int64_t index, int thread) { (*static_cast<Plain*>(context))(index, thread); },
        const_cast<void*>(static_cast<const void*>(&body)));
  }

 private:
  using Task = void (*)(void* context, int64_t index, int thread);

  void run(int64_t count, Task task, void* context);
  void work(int thread);
  void take(int thread);

  const int threads_;
  const int isa_;
  const KernelTable& kernels_;
  std::vector<char*> scratch_;
  char* shared_scratch_ = nullptr;

  std::mutex mutex_;
  std::condition_variable wake_;
  std::condition_variable done_;
  std::atomic<uint64_t> generation_{0};
  bool open_ = false;  // a worker that wakes up after the caller has closed the loop goes back to sleep
  std::atomic<int> active_{0};  // workers inside the current loop
  bool stop_ = false;
  std::atomic<int64_t> next_{0};
  int64_t count_ = 0;
  Task task_ = nullptr;
  void* context_ = nullptr;
  std::vector<std::thread> workers_;
};

inline Stream& stream_of(void* handle) { return *static_cast<Stream*>(handle); }

}  // namespace g4
