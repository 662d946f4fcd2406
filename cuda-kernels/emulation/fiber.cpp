#include "fiber.h"

#include <sys/mman.h>

#include <cstdint>
#include <new>
#include <vector>

#if !defined(__x86_64__)
#error "The SIMT emulation switches stacks with x86-64 instructions; build it on such a machine."
#endif

// Saves the six registers that a callee must preserve (System V ABI), stores the stack pointer in *from and goes on at `to`.
// About 20 ns; swapcontext costs ten times that, for it also saves the signal mask with a system call. Leaves by a jump: a `ret`
// goes where the processor does not expect it, which costs 10 ns more.
extern "C" void g4_fiber_switch(void** from, void* to);
asm(R"(
.text
.p2align 4
.globl g4_fiber_switch
.hidden g4_fiber_switch
.type g4_fiber_switch, @function
g4_fiber_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  popq %rcx
  jmpq *%rcx
.size g4_fiber_switch, .-g4_fiber_switch
)");

namespace g4::emulation {

namespace {

constexpr size_t kGuardBytes = 4096;  // below the stack: an overflow faults instead of writing over a neighbour

// Stacks that nobody uses. A launch wants up to a thousand, and mapping them anew each time costs more than the launch.
std::vector<char*>& free_stacks() {
  static std::vector<char*> all;
  return all;
}

char* map_stack() {
  void* memory = mmap(nullptr, kGuardBytes + Fiber::kStackBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED || mprotect(memory, kGuardBytes, PROT_NONE) != 0) throw std::bad_alloc();
  return static_cast<char*>(memory);
}

Fiber* g_starting = nullptr;

}  // namespace

Fiber::Fiber(unsigned identity) : watched_(identity) {
  if (free_stacks().empty()) free_stacks().push_back(map_stack());
  memory_ = free_stacks().back();
  free_stacks().pop_back();
}

Fiber::~Fiber() { free_stacks().push_back(memory_); }

char* Fiber::stack() const { return memory_ + kGuardBytes; }

void Fiber::restart(void (*entry)()) {
  watched_.restart(stack(), kStackBytes);
  entry_ = entry;
  // As g4_fiber_switch leaves a stack: six registers, the address to return to; then a slot that aligns the entry.
  void** top = reinterpret_cast<void**>(stack() + kStackBytes);
  void** frame = top - 8;
  for (int i = 0; i < 8; i++) frame[i] = nullptr;
  frame[6] = reinterpret_cast<void*>(begin);
  stack_pointer_ = frame;
}

void Fiber::begin() {
  Fiber& self = *g_starting;
  self.watched_.at_start();
  self.entry_();
}

void Fiber::resume() {
  g_starting = this;
  watched_.before_resume();
  g4_fiber_switch(&scheduler_, stack_pointer_);
  watched_.after_resume();
}

void Fiber::leave() {
  watched_.before_leave();
  g4_fiber_switch(&stack_pointer_, scheduler_);
  watched_.after_leave();
}

}  // namespace g4::emulation
