// cp.async: copies from device to shared memory that arrive late.
//
// A GPU may perform them at any time between issue and wait. Here the destination is NaN from the issue on, and the bytes
// come when the issuing thread waits for their group: as late as CUDA allows, so reading without the wait shows, and since
// other threads need a barrier as well, so does a missing barrier.
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
  void wait(size_t groups_left);  // performs all groups but the newest groups_left
  bool empty() const;             // nothing issued that was not waited for
  void clear();

 private:
  struct Copy {
    unsigned char* to;
    const unsigned char* from;
    int bytes, valid;
  };
  std::vector<Copy> open_;
  std::deque<std::vector<Copy>> groups_;
};

}  // namespace g4::emulation
