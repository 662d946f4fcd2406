// Mutations: a barrier, a wait or a guard of the kernels is left out, and the cases must notice. A mutant may run wild in the
// host's memory, so each runs in a process of its own; a crash counts as noticed, as it would on a GPU.
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
    alarm(120);
    _exit(fails() ? 1 : 0);
  }
  int state = 0;
  waitpid(child, &state, 0);
  return !WIFEXITED(state) || WEXITSTATUS(state) != 0;
}

// Drops each site in files whose name contains `file`; returns how many there were.
inline int drop_each(emulation::Sites& sites, const char* kind, const std::string& file, const std::function<bool()>& fails) {
  int count = 0;
  const std::set<std::string> names = sites.names();
  for (const std::string& name : names) {
    if (name.find(file) == std::string::npos) continue;
    count++;
    sites.drop(name);
    check(noticed_in_child(fails), "nobody noticed that the " + std::string(kind) + " at " + name + " is missing");
  }
  sites.drop("");
  return count;
}

}  // namespace g4::test
