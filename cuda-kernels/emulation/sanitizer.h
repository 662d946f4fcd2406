// What AddressSanitizer and ThreadSanitizer must be told to see a kernel as a GPU would run it. Without them all of this is
// nothing.
//
// AddressSanitizer: stacks change; what lies between allocations and between shared arrays is forbidden.
//
// ThreadSanitizer: every CUDA thread is a thread of its own (fiber.cpp) and nothing but a barrier orders it after others.
// The emulation itself is not instrumented: it runs one fiber at a time, and its own bookkeeping is no business of the kernel.
// What it reads and writes for a thread (cp.async, ldmatrix) it therefore reports by hand.
#pragma once

#include <cstddef>
#include <vector>

#if defined(GRPO4J_SANITIZE_ADDRESS)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(GRPO4J_SANITIZE_THREAD)
#include <sanitizer/tsan_interface.h>
extern "C" {  // of libtsan, in no header of GCC 12
void AnnotateIgnoreReadsBegin(const char* file, int line);
void AnnotateIgnoreReadsEnd(const char* file, int line);
void AnnotateIgnoreWritesBegin(const char* file, int line);
void AnnotateIgnoreWritesEnd(const char* file, int line);
void __tsan_read_range(void* address, unsigned long bytes);
void __tsan_write_range(void* address, unsigned long bytes);
}
#endif

namespace g4::emulation {

#if defined(GRPO4J_SANITIZE_ADDRESS)
constexpr bool kAddressSanitizer = true;
inline void forbid(const void* begin, size_t bytes) { ASAN_POISON_MEMORY_REGION(begin, bytes); }
inline void allow(const void* begin, size_t bytes) { ASAN_UNPOISON_MEMORY_REGION(begin, bytes); }
#else
constexpr bool kAddressSanitizer = false;
inline void forbid(const void*, size_t) {}
inline void allow(const void*, size_t) {}
#endif

#if defined(GRPO4J_SANITIZE_THREAD)
constexpr bool kThreadSanitizer = true;

// While one lives, nothing that this thread reads, writes, allocates or frees counts.
class Unwatched {
 public:
  Unwatched() {
    AnnotateIgnoreReadsBegin(__FILE__, __LINE__);
    AnnotateIgnoreWritesBegin(__FILE__, __LINE__);
  }
  ~Unwatched() {
    AnnotateIgnoreWritesEnd(__FILE__, __LINE__);
    AnnotateIgnoreReadsEnd(__FILE__, __LINE__);
  }
  Unwatched(const Unwatched&) = delete;
  Unwatched& operator=(const Unwatched&) = delete;
};

// Whoever acquires a key comes after all who released it before.
inline void release(void* key) { __tsan_release(key); }
inline void acquire(void* key) { __tsan_acquire(key); }

inline void report_read(const void* address, size_t bytes) { __tsan_read_range(const_cast<void*>(address), bytes); }
inline void report_write(void* address, size_t bytes) { __tsan_write_range(address, bytes); }
#else
constexpr bool kThreadSanitizer = false;
class Unwatched {
 public:
  Unwatched() {}
};
inline void release(void*) {}
inline void acquire(void*) {}
inline void report_read(const void*, size_t) {}
inline void report_write(void*, size_t) {}
#endif

constexpr bool kSanitized = kAddressSanitizer || kThreadSanitizer;

// A fiber as the sanitizers know it. Each call stands right beside the switch of stacks that it tells of. Fibers with the same
// identity, one after the other, are one thread to ThreadSanitizer.
class WatchedFiber {
 public:
#if defined(GRPO4J_SANITIZE_ADDRESS)
  explicit WatchedFiber(unsigned) {}
  ~WatchedFiber() { allow(stack_, bytes_); }  // for whoever gets the memory next
  void restart(const void* stack, size_t bytes) {
    stack_ = stack, bytes_ = bytes;
    allow(stack, bytes);  // the frames that are forgotten
  }
  void before_resume() { __sanitizer_start_switch_fiber(&scheduler_frames_, stack_, bytes_); }
  void after_resume() { __sanitizer_finish_switch_fiber(scheduler_frames_, nullptr, nullptr); }
  void at_start() { __sanitizer_finish_switch_fiber(nullptr, &scheduler_stack_, &scheduler_bytes_); }
  void before_leave() { __sanitizer_start_switch_fiber(&own_frames_, scheduler_stack_, scheduler_bytes_); }
  void after_leave() { __sanitizer_finish_switch_fiber(own_frames_, &scheduler_stack_, &scheduler_bytes_); }
  void settle(void*) {}

 private:
  const void* stack_ = nullptr;
  const void* scheduler_stack_ = nullptr;
  size_t bytes_ = 0, scheduler_bytes_ = 0;
  void* own_frames_ = nullptr;
  void* scheduler_frames_ = nullptr;
#elif defined(GRPO4J_SANITIZE_THREAD)
  explicit WatchedFiber(unsigned identity) : thread_(thread_of(identity)) {}
  void restart(const void*, size_t) {}
  // The thread, wherever it stopped, releases the key.
  void settle(void* key) {
    before_resume();
    release(key);
    before_leave();
  }
  void before_resume() {
    scheduler_ = __tsan_get_current_fiber();
    __tsan_switch_to_fiber(thread_, __tsan_switch_to_fiber_no_sync);
  }
  void after_resume() {}
  void at_start() {}
  void before_leave() { __tsan_switch_to_fiber(scheduler_, __tsan_switch_to_fiber_no_sync); }
  void after_leave() {}

 private:
  // Threads last as long as the process: making one takes most of a millisecond.
  static void* thread_of(unsigned identity) {
    static std::vector<void*> all;
    while (all.size() <= identity) all.push_back(__tsan_create_fiber(0));
    return all[identity];
  }
  void* thread_;
  void* scheduler_ = nullptr;
#else
  explicit WatchedFiber(unsigned) {}
  void restart(const void*, size_t) {}
  void settle(void*) {}
  void before_resume() {}
  void after_resume() {}
  void at_start() {}
  void before_leave() {}
  void after_leave() {}
#endif
};

}  // namespace g4::emulation
