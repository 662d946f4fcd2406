// Places in a kernel that a mutation test leaves out in turn: barriers, waits for copies, guards and more. No source is changed:
// the place that the test names does nothing, or not what it should.
#pragma once

#include <cstring>
#include <set>
#include <string>
#include <utility>

namespace g4::emulation {

struct Site {
  const char* file;
  int line;
  bool operator==(const Site& other) const { return line == other.line && (file == other.file || std::strcmp(file, other.file) == 0); }
  std::string name() const {  // "rmsnorm.cu:41"
    const char* slash = std::strrchr(file, '/');
    return std::string(slash != nullptr ? slash + 1 : file) + ":" + std::to_string(line);
  }
};

// The sites of one kind.
class Sites {
 public:
  // Notes that the kernel came by; true if this site is to do nothing.
  bool dropped(Site site) {
    auto& last = last_[unsigned(site.line) % kLast];
    if (last.first != site.file || last.second != site.line) {
      last = {site.file, site.line};
      names_.insert(site.name());
    }
    return chosen(site);
  }

  // Whether it is this one, where another list has the names.
  bool chosen(Site site) const { return !drop_.empty() && site.line == drop_line_ && site.name() == drop_; }

  const std::set<std::string>& names() const { return names_; }  // of every "file:line" that was reached

  void drop(const std::string& name) {  // "": none
    drop_ = name;
    drop_line_ = name.empty() ? 0 : std::stoi(name.substr(name.rfind(':') + 1));
  }

 private:
  static constexpr unsigned kLast = 256;  // the sites seen last, by line: guards come by millions of times
  std::pair<const char*, int> last_[kLast] = {};
  std::set<std::string> names_;
  std::string drop_;
  int drop_line_ = 0;
};

Sites& barrier_sites();    // __syncthreads and __syncwarp
Sites& wait_sites();       // cp_async_wait
Sites& guard_sites();      // G4_GUARD(condition): a dropped one is true every other time that it should be false
Sites& exchange_sites();   // shuffles and ballots: every lane keeps what it has
Sites& mask_sites();       // of those and of __syncwarp: the mask lacks the last lane. It keeps no names
Sites& transpose_sites();  // ldmatrix: transposed where it should not be, and the other way round

}  // namespace g4::emulation
