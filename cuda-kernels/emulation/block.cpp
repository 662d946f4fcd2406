#include "block.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>
#include <numeric>

#include "emulation.h"
#include "simt.h"

namespace g4::emulation {

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

namespace {

Block* g_current = nullptr;
constexpr unsigned char kGuard = 0xA5;

// ThreadSanitizer takes about a megabyte for each thread.
constexpr unsigned kMostThreads = 1024;

std::unique_ptr<unsigned char, void (*)(void*)> shared_array(size_t bytes) {
  void* memory = nullptr;
  if (posix_memalign(&memory, 256, bytes) != 0) throw std::bad_alloc();
  return {static_cast<unsigned char*>(memory), std::free};
}

// NaN in every storage type, so that a read before the first write shows in the result.
void fill_poison(unsigned char* memory, size_t bytes) {
  allow(memory, bytes);
  std::memset(memory, 0xFF, bytes);
}

// Nobody may touch these bytes: AddressSanitizer sees who does; without it, a changed value tells of a write.
void place_guard(unsigned char* memory, size_t bytes) {
  allow(memory, bytes);
  std::memset(memory, kGuard, bytes);
  forbid(memory, bytes);
}

bool guard_intact(const unsigned char* memory, size_t bytes) {
  return kAddressSanitizer || std::all_of(memory, memory + bytes, [](unsigned char c) { return c == kGuard; });
}

const char* name_of(Meeting meeting) {
  switch (meeting) {
    case Meeting::kBlockBarrier: return "__syncthreads";
    case Meeting::kWarpBarrier: return "__syncwarp";
    case Meeting::kBallot: return "__ballot_sync";
    case Meeting::kMatrix: return "a matrix operation";
    default: return "a shuffle";
  }
}

}  // namespace

Block& Block::current() { return *g_current; }

Block::Block(dim3 grid, dim3 threads, size_t dynamic_bytes, const std::function<void()>& kernel)
    : grid_(grid), size_(threads), count_(threads.x * threads.y * threads.z), kernel_(kernel), dynamic_bytes_(dynamic_bytes),
      dynamic_(shared_array(dynamic_room())), random_(options().seed) {
  release(&launched_);
}

Block::~Block() { acquire(&done_); }

void Block::thread_main() {
  Block& block = *g_current;
  Thread& self = *block.threads_[block.running_];
  acquire(&block.launched_);
  block.kernel_();
  if (!self.copies.empty()) fail(block.who(block.running_) + " returned before it waited for its cp.async copies");
  self.state = State::kDone;
  self.fiber.leave();
}

const std::vector<unsigned>& Block::order(std::vector<unsigned>& all, unsigned count) {
  all.resize(count);
  std::iota(all.begin(), all.end(), 0u);
  if (options().order == Order::kDescending) std::reverse(all.begin(), all.end());
  if (options().order == Order::kSeeded) std::shuffle(all.begin(), all.end(), random_);
  return all;
}

void Block::poison() {
  if (kThreadSanitizer) {  // new memory, for in what was used the threads of other blocks would meet
    dynamic_ = shared_array(dynamic_room());
    static_.clear();
  }
  gaps_.clear();
  fill_poison(dynamic_.get(), dynamic_bytes_);
  place_guard(dynamic_.get() + dynamic_bytes_, dynamic_room() - dynamic_bytes_);
  for (auto& [key, array] : static_) {
    fill_poison(array.memory.get(), array.bytes);
    place_guard(array.memory.get() + array.bytes, kGuardBytes);
  }
}

bool Block::guards_intact() const {
  bool intact = guard_intact(dynamic_.get() + dynamic_end(), dynamic_room() - dynamic_end());
  for (size_t gap : gaps_) intact = intact && guard_intact(dynamic_.get() + gap, kGuardBytes);
  for (auto& [key, array] : static_) intact = intact && guard_intact(array.memory.get() + array.bytes, kGuardBytes);
  return intact;
}

void Block::run(uint3 index) {
  g_current = this;
  block_ = index;
  poison();
  reads_.clear();
  keys_ = std::make_unique<Keys>();
  take_turn();
  warp_barriers_.assign((count_ + kLanes - 1) / kLanes, 0);
  for (auto& thread : threads_) {
    thread->state = State::kReady;
    thread->slipped = false;
    thread->copies.clear();
    thread->fiber.restart(thread_main);
  }
  run_threads();
  for (auto& thread : threads_) thread->fiber.settle(&done_);
  if (error().empty() && !guards_intact()) fail("block " + std::to_string(block_.x) + " wrote behind the end of its shared memory");
}

// All blocks run on the same fibers. But what one thread does is in order to ThreadSanitizer, so with it a block runs on other
// threads than the blocks just before it.
void Block::take_turn() {
  const size_t sets = kThreadSanitizer ? std::max(1u, kMostThreads / count_) : 1;
  if (!threads_.empty()) resting_.push_back(std::move(threads_));
  if (resting_.size() == sets) {
    threads_ = std::move(resting_.front());
    resting_.pop_front();
    return;
  }
  threads_.clear();
  for (unsigned i = 0; i < count_; i++) {
    threads_.push_back(std::make_unique<Thread>(unsigned(resting_.size()) * count_ + i));
    threads_[i]->index = {i % size_.x, i / size_.x % size_.y, i / (size_.x * size_.y)};
  }
}

void Block::run_threads() {
  while (true) {
    for (unsigned warp : order(warp_order_, (count_ + kLanes - 1) / kLanes)) {
      run_warp(warp);
      if (!error().empty()) return;
    }
    if (std::all_of(threads_.begin(), threads_.end(), [](const auto& t) { return t->state == State::kDone; })) return;
    release_block();
    if (!error().empty()) return;
  }
}

void Block::run_warp(unsigned warp) {
  const unsigned first = warp * kLanes;
  do {
    for (unsigned lane : order(lane_order_, std::min(kLanes, count_ - first))) {
      Thread& thread = *threads_[first + lane];
      if (thread.state != State::kReady) continue;
      running_ = first + lane;
      threadIdx = thread.index;
      blockIdx = block_;
      blockDim = size_;
      gridDim = grid_;
      thread.fiber.resume();
      if (!error().empty()) return;
    }
  } while (meet_lanes(warp) && error().empty());
}

bool Block::meet_lanes(unsigned warp) {
  const unsigned first = warp * kLanes;
  bool met = false;
  for (unsigned i = first; i < std::min(first + kLanes, count_); i++) {
    const Thread& caller = *threads_[i];
    if (caller.state != State::kWaiting || caller.arrival.meeting == Meeting::kBlockBarrier) continue;
    met = true;
    const unsigned mask = caller.arrival.mask;
    if ((mask >> (i - first) & 1) == 0) return fail_at(i, "is not in the mask of its own call"), false;
    for (unsigned lane = 0; lane < kLanes; lane++) {
      if ((mask >> lane & 1) == 0) continue;
      const unsigned other = first + lane;
      if (other >= count_ || threads_[other]->state == State::kDone)
        return fail_at(i, "waits for lane " + std::to_string(lane) + ", which has returned or never was"), false;
      const Arrival& its = threads_[other]->arrival;
      if (its.meeting != caller.arrival.meeting || !(its.site == caller.arrival.site) || its.mask != mask)
        return fail_at(i, "waits for lane " + std::to_string(lane) + ", which waits in " + name_of(its.meeting) + " at " + its.site.name()), false;
    }
    perform(warp, mask);
    if (!error().empty()) return false;
  }
  return met;
}

void Block::perform(unsigned warp, unsigned mask) {
  const unsigned first = warp * kLanes;
  if (threads_[first]->arrival.meeting == Meeting::kMatrix) {  // meet_lanes saw to it that all 32 lanes are here
    void* operands[kLanes];
    for (unsigned lane = 0; lane < kLanes; lane++) {
      operands[lane] = threads_[first + lane]->arrival.operands;
      threads_[first + lane]->state = State::kReady;
    }
    return threads_[first]->arrival.work(operands);
  }
  if (threads_[first + unsigned(__builtin_ctz(mask))]->arrival.meeting == Meeting::kWarpBarrier) {
    if (mask == ~0u) warp_barriers_[warp]++;
    keys_->warps[{warp, mask}].meetings++;
  }
  uint64_t before[kLanes] = {};
  unsigned ballot = 0;
  for (unsigned lane = 0; lane < kLanes; lane++) {
    if ((mask >> lane & 1) == 0) continue;
    before[lane] = threads_[first + lane]->arrival.value;
    if (before[lane] != 0) ballot |= 1u << lane;
  }
  for (unsigned lane = 0; lane < kLanes; lane++) {
    if ((mask >> lane & 1) == 0) continue;
    Arrival& arrival = threads_[first + lane]->arrival;
    int source = int(lane);
    if (arrival.meeting == Meeting::kShuffleXor) source = int(lane) ^ arrival.argument;
    if (arrival.meeting == Meeting::kShuffleDown) source = int(lane) + arrival.argument;
    if (arrival.meeting == Meeting::kShuffleIndex) source = arrival.argument & int(kLanes - 1);
    if (source >= int(kLanes)) source = int(lane);  // off the end: the lane keeps its value
    if (source < 0 || (mask >> source & 1) == 0) return fail_at(first + lane, "reads lane " + std::to_string(source) + ", which is not in the mask");
    arrival.value = arrival.meeting == Meeting::kBallot ? ballot : before[source];
    threads_[first + lane]->state = State::kReady;
  }
}

void Block::release_block() {
  const Thread* witness = nullptr;
  for (const auto& thread : threads_)
    if (thread->state == State::kWaiting) witness = thread.get();
  for (unsigned i = 0; i < count_; i++) {
    const Thread& thread = *threads_[i];
    if (thread.state == State::kDone)
      return fail(who(i) + " returned while other threads of its block wait in __syncthreads at " + witness->arrival.site.name());
    if (!(thread.arrival.site == witness->arrival.site)) return fail_at(i, "meets threads that wait at " + witness->arrival.site.name());
  }
  for (auto& thread : threads_) thread->state = State::kReady;
  block_barriers_++;
  keys_->block.meetings++;
  for (uint64_t& barriers : warp_barriers_) barriers++;
}

uint64_t Block::meet(const Arrival& arrival) {
  Thread& self = *threads_[running_];
  const bool of_block = arrival.meeting == Meeting::kBlockBarrier, is_barrier = of_block || arrival.meeting == Meeting::kWarpBarrier;
  void* key = nullptr;  // of a barrier
  {
    const Unwatched unwatched;
    if (is_barrier) {
      if (barrier_sites().dropped(arrival.site)) return 0;
      key = (of_block ? keys_->block : keys_->warps[{running_ / kLanes, arrival.mask}]).now();
    } else if (arrival.meeting != Meeting::kMatrix && exchange_sites().dropped(arrival.site)) {
      return arrival.meeting == Meeting::kBallot ? arrival.value << running_ % kLanes : arrival.value;
    }
    self.arrival = arrival;
    if (!of_block && mask_sites().chosen(arrival.site)) self.arrival.mask &= ~(1u << (kLanes - 1));
    self.state = State::kWaiting;
  }
  if (key != nullptr) {
    self.copies.land();
    release(key);
  }
  self.fiber.leave();
  if (key != nullptr) acquire(key);
  return self.arrival.value;
}

AsyncCopies& Block::copies() { return threads_[running_]->copies; }

void* Block::dynamic_shared() const { return dynamic_.get(); }

// All threads of a block ask in the same order, and the first one before it writes anything.
void* Block::behind(void* end) {
  const Unwatched unwatched;
  const size_t gap = size_t(static_cast<unsigned char*>(end) - dynamic_.get());
  if (std::find(gaps_.begin(), gaps_.end(), gap) == gaps_.end()) {
    if (gaps_.size() == kMostGaps) {
      fail(who() + " makes more than " + std::to_string(kMostGaps + 1) + " arrays of its dynamic shared memory");
      return end;
    }
    fill_poison(dynamic_.get() + dynamic_end(), kGuardBytes);  // the end moves on by the gap
    gaps_.push_back(gap);
    place_guard(dynamic_.get() + gap, kGuardBytes);
  }
  return static_cast<unsigned char*>(end) + kGuardBytes;
}

void Block::note_read(const void* row) {
  const Unwatched unwatched;
  const unsigned warp = running_ / kLanes;
  std::vector<Reads>& readers = reads_[reinterpret_cast<uintptr_t>(row)];
  for (Reads& its : readers)
    if (its.warp == warp) return void(its = {warp, warp_barriers_[warp], block_barriers_});
  readers.push_back({warp, warp_barriers_[warp], block_barriers_});
}

bool Block::may_be_read(const void* address) const {
  const Unwatched unwatched;
  const auto found = reads_.find(reinterpret_cast<uintptr_t>(address) / 16 * 16);
  if (found == reads_.end()) return false;
  const unsigned warp = running_ / kLanes;
  for (const Reads& its : found->second)
    if (its.warp == warp ? its.warp_barriers == warp_barriers_[warp] : its.block_barriers == block_barriers_) return true;
  return false;
}

bool guarded(bool condition, Site site) {
  bool dropped;
  {
    const Unwatched unwatched;
    dropped = guard_sites().dropped(site);
  }
  return condition || (dropped && Block::current().slip_past());
}

bool Block::slip_past() {
  const Unwatched unwatched;
  Thread& self = *threads_[running_];
  return self.slipped = !self.slipped;
}

void* Block::static_shared(const void* key, size_t bytes) {
  const Unwatched unwatched;
  auto found = static_.find(key);
  if (found == static_.end()) {
    found = static_.emplace(key, StaticArray{bytes, shared_array(bytes + kGuardBytes)}).first;
    fill_poison(found->second.memory.get(), bytes);
    place_guard(found->second.memory.get() + bytes, kGuardBytes);
  }
  return found->second.memory.get();
}

std::string Block::who(unsigned thread) const {
  const uint3 t = threads_[thread]->index;
  const auto triple = [](uint3 v) { return "(" + std::to_string(v.x) + ", " + std::to_string(v.y) + ", " + std::to_string(v.z) + ")"; };
  return "thread " + triple(t) + " of block " + triple(block_);
}

void Block::fail_at(unsigned thread, const std::string& what) const {
  const Arrival& arrival = threads_[thread]->arrival;
  fail(who(thread) + ", in " + name_of(arrival.meeting) + " at " + arrival.site.name() + ", " + what);
}

}  // namespace g4::emulation
