// cp.async: copies from device to shared memory that arrive late.
//
// A GPU may perform them at any time between issue and wait. Here the destination is NaN from the issue on, and the bytes
// come at the first __syncthreads or __syncwarp after the issuing thread waited for their group: as late as other threads may
// rely on them, so a missing wait shows, and a missing barrier. (CUDA lets the issuing thread itself read its bytes right after
// the wait; no kernel here does.) A copy to where ldmatrix read before, with no barrier between, is an error.
#pragma once

#include <cstddef>
#include <deque>
#include <vector>

#include "sites.h"

namespace g4::emulation {

class AsyncCopies {
 public:
  // bytes: 4, 8 or 16. Of these, `valid` are copied and the rest is zero.
  void issue(void* to, const void* from, int bytes, int valid, Site site);
  void commit();
  void wait(size_t groups_left, Site site);  // for all groups but the newest groups_left
  void land();                               // at a barrier: performs what was waited for
  bool empty() const;                        // nothing issued that was not waited for
  void clear();

 private:
  struct Copy {
    unsigned char* to;
    const unsigned char* from;
    int bytes, valid;
  };
  std::vector<Copy> open_;
  std::deque<std::vector<Copy>> groups_;
  std::vector<Copy> waited_for_;
};

}  // namespace g4::emulation
