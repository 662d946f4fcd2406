// Mutations: a place in the kernels is left out (sites.h), and the cases must notice. A mutant may run wild in the host's memory
// and never end, so each runs in a process of its own; a crash counts as noticed, as it would on a GPU.
#pragma once

#include <sys/wait.h>
#include <unistd.h>

#include <functional>

#include "device_tensor.h"

namespace g4::test {

// True if `fails` returns true in a child process, or the child dies.
inline bool noticed_in_child(const std::function<bool()>& fails) {
  std::fflush(stdout);
  const pid_t child = fork();
  if (child == 0) {
    if (std::freopen("/dev/null", "w", stderr) == nullptr) _exit(2);
    alarm(120);
    _exit(fails() ? 1 : 0);
  }
  int state = 0;
  while (waitpid(child, &state, 0) < 0) {}
  return !WIFEXITED(state) || WEXITSTATUS(state) != 0;
}

inline int drop_each(emulation::Sites& sites, const std::set<std::string>& names, const char* what, const std::string& file, const std::function<bool()>& fails) {
  int count = 0;
  for (const std::string& name : names) {
    if (name.find(file) == std::string::npos) continue;
    count++;
    sites.drop(name);
    check(noticed_in_child(fails), "nobody noticed " + std::string(what) + " at " + name);
  }
  sites.drop("");
  return count;
}

// Every place that the cases have reached so far, in files whose name contains `file`. Under a sanitizer there are no mutants:
// it is there for the kernels as they are.
inline void drop_each_place(const std::string& file, const std::function<bool()>& fails) {
  if (emulation::kSanitized) return;
  check(!noticed_in_child(fails), "the cases of the mutations are right without one");
  const auto drop = [&](emulation::Sites& sites, const std::set<std::string>& names, const char* what) { return drop_each(sites, names, what, file, fails); };
  const std::set<std::string> barriers = emulation::barrier_sites().names(), exchanges = emulation::exchange_sites().names();
  const int dropped = drop(emulation::barrier_sites(), barriers, "the missing barrier");
  const int waits = drop(emulation::wait_sites(), emulation::wait_sites().names(), "the missing wait");
  const int guards = drop(emulation::guard_sites(), emulation::guard_sites().names(), "the missing guard");
  const int kept = drop(emulation::exchange_sites(), exchanges, "the missing exchange");
  drop(emulation::mask_sites(), exchanges, "the lane missing from the mask");
  std::printf("left out in turn: %d barriers, %d waits, %d guards, %d exchanges and their masks\n", dropped, waits, guards, kept);
}

}  // namespace g4::test
