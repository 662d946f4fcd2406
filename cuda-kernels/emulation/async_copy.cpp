#include "async_copy.h"

#include <cstdint>
#include <cstring>
#include <string>

#include "block.h"
#include "emulation.h"
#include "sanitizer.h"

namespace g4::emulation {

void AsyncCopies::issue(void* to, const void* from, int bytes, int valid, Site site) {
  const auto complain = [&](const std::string& what) { fail(Block::current().who() + ", in cp.async at " + site.name() + ", " + what); };
  if (bytes != 4 && bytes != 8 && bytes != 16) return complain("copies " + std::to_string(bytes) + " bytes; 4, 8 and 16 exist");
  if (reinterpret_cast<uintptr_t>(to) % size_t(bytes) != 0 || (valid > 0 && reinterpret_cast<uintptr_t>(from) % size_t(bytes) != 0))
    return complain("has an address that is no multiple of its " + std::to_string(bytes) + " bytes");
  if (valid > 0 && !inside_allocation(from, size_t(valid))) return complain("reads outside every device allocation");
  if (Block::current().may_be_read(to)) return complain("writes what ldmatrix read and no barrier has released since");
  report_write(to, size_t(bytes));
  report_read(from, size_t(valid));
  const Unwatched unwatched;
  std::memset(to, 0xFF, size_t(bytes));
  open_.push_back({static_cast<unsigned char*>(to), static_cast<const unsigned char*>(from), bytes, valid});
}

void AsyncCopies::commit() {
  const Unwatched unwatched;
  groups_.push_back(std::move(open_));
  open_.clear();
}

void AsyncCopies::wait(size_t groups_left, Site site) {
  const Unwatched unwatched;
  if (wait_sites().dropped(site)) return;
  while (groups_.size() > groups_left) {
    waited_for_.insert(waited_for_.end(), groups_.front().begin(), groups_.front().end());
    groups_.pop_front();
  }
}

void AsyncCopies::land() {
  for (const Copy& copy : waited_for_) {
    report_write(copy.to, size_t(copy.bytes));
    report_read(copy.from, size_t(copy.valid));
    const Unwatched unwatched;
    if (copy.valid > 0) std::memcpy(copy.to, copy.from, size_t(copy.valid));
    std::memset(copy.to + copy.valid, 0, size_t(copy.bytes - copy.valid));
  }
  const Unwatched unwatched;
  waited_for_.clear();
}

bool AsyncCopies::empty() const {
  for (const auto& group : groups_)
    if (!group.empty()) return false;
  return open_.empty();
}

void AsyncCopies::clear() {
  open_.clear();
  groups_.clear();
  waited_for_.clear();
}

}  // namespace g4::emulation
