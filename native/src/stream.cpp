#include "stream.h"

#include <chrono>
#include <cstdlib>
#include <new>
#ifdef G4_X86
#include <immintrin.h>
#endif

namespace g4 {

namespace {

char* allocate_scratch(size_t bytes) {
  void* address = std::aligned_alloc(64, bytes);
  if (address == nullptr) throw std::bad_alloc();
  return static_cast<char*>(address);
}

// Looks until done() or for about kLookTime.
template <class Done>
void look(const Done& done) {
  constexpr auto kLookTime = std::chrono::microseconds(200);
  constexpr int kLooks = 32;  // between two readings of the clock
  const auto start = std::chrono::steady_clock::now();
  do {
    for (int i = 0; i < kLooks; i++) {
      if (done()) return;
#ifdef G4_X86
      _mm_pause();
#else
      std::this_thread::yield();
#endif
    }
  } while (std::chrono::steady_clock::now() - start < kLookTime);
}

}  // namespace

Stream::Stream(int threads, int isa, const KernelTable& kernels) : threads_(threads), isa_(isa), kernels_(kernels) {
  for (int i = 0; i < threads; i++) scratch_.push_back(allocate_scratch(kScratchBytes));
  shared_scratch_ = allocate_scratch(kSharedScratchBytes);
  for (int i = 1; i < threads; i++) workers_.emplace_back([this, i] { work(i); });
}

Stream::~Stream() {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    stop_ = true;
  }
  wake_.notify_all();
  for (auto& worker : workers_) worker.join();
  for (char* scratch : scratch_) std::free(scratch);
  std::free(shared_scratch_);
}

void Stream::run(int64_t count, Task task, void* context) {
  {
    std::lock_guard<std::mutex> lock(mutex_);
    task_ = task;
    context_ = context;
    count_ = count;
    next_.store(0, std::memory_order_relaxed);
    open_ = true;
    generation_.fetch_add(1, std::memory_order_release);
  }
  wake_.notify_all();
  take(0);
  // Nothing is left to hand out. Only workers that took something are waited for; one that the scheduler has not even
  // woken yet must not hold the loop up.
  {
    std::lock_guard<std::mutex> lock(mutex_);
    open_ = false;
  }
  look([this] { return active_ == 0; });
  std::unique_lock<std::mutex> lock(mutex_);
  done_.wait(lock, [this] { return active_ == 0; });
}

void Stream::take(int thread) {
  for (;;) {
    const int64_t index = next_.fetch_add(1, std::memory_order_relaxed);
    if (index >= count_) return;
    task_(context_, index, thread);
  }
}

void Stream::work(int thread) {
  uint64_t seen = 0;
  for (;;) {
    look([&] { return generation_.load(std::memory_order_acquire) != seen; });
    {
      std::unique_lock<std::mutex> lock(mutex_);
      wake_.wait(lock, [&] { return stop_ || generation_ != seen; });
      if (stop_) return;
      seen = generation_;
      if (!open_) continue;
      active_++;
    }
    take(thread);
    {
      std::lock_guard<std::mutex> lock(mutex_);
      if (--active_ == 0) done_.notify_one();
    }
  }
}

}  // namespace g4
