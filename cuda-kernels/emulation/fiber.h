// A fiber: a stack of its own and a place to go on. One CUDA thread is one fiber, because a thread that waits at a barrier
// must keep its place in the middle of plain C++ code.
#pragma once

#include <cstddef>

#include "sanitizer.h"

namespace g4::emulation {

class Fiber {
 public:
  static constexpr size_t kStackBytes = (kSanitized ? 256 : 64) * 1024;  // AddressSanitizer puts room around every local array

  explicit Fiber(unsigned identity);  // who it is to ThreadSanitizer (sanitizer.h)
  ~Fiber();
  Fiber(const Fiber&) = delete;
  Fiber& operator=(const Fiber&) = delete;

  // The next resume() starts `entry` from its beginning. What was on the stack is forgotten, without destructors.
  void restart(void (*entry)());
  // Runs the fiber until it calls leave(). Only the scheduler's own stack may call this.
  void resume();
  // Back to the scheduler, from inside the fiber.
  void leave();
  // What the fiber did, finished or not, comes before whatever acquires the key.
  void settle(void* key) { watched_.settle(key); }

 private:
  static void begin();
  char* stack() const;  // its lowest byte

  char* memory_;
  void (*entry_)() = nullptr;
  void* stack_pointer_ = nullptr;
  void* scheduler_ = nullptr;
  WatchedFiber watched_;
};

}  // namespace g4::emulation
