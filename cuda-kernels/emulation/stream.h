// Streams, events and graphs of the emulated device, as lists of work.
//
// Work on a stream is not done when it is queued but when the host waits: for the stream, for an event behind it, or for the
// device. So a host that reads a result too early, or reuses memory that a copy still needs, gets wrong values every time, not
// once in a thousand runs. The null stream works at once, after all others, as CUDA's legacy default stream does.
//
// A stream that captures keeps its work for the graph; launching the graph queues that work again.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <memory>
#include <mutex>
#include <vector>

#include "runtime.h"

namespace g4::emulation {

using Work = std::function<void()>;

std::recursive_mutex& device_lock();  // held by every call of the runtime: the device runs one thing at a time

// Queues work, or records it if the stream captures. Null: does it at once.
void enqueue(cudaStream_t stream, Work work);
void run(cudaStream_t stream);  // until nothing is queued
void run_all();
bool is_capturing();            // some stream captures

}  // namespace g4::emulation

struct g4_emulated_graph {
  std::vector<g4::emulation::Work> nodes;
};

struct g4_emulated_graph_exec {
  std::shared_ptr<const std::vector<g4::emulation::Work>> nodes;
};

struct g4_emulated_stream {
  std::vector<g4::emulation::Work> queue;
  size_t done = 0;  // of the queue
  std::unique_ptr<g4_emulated_graph> capture;
};

// One recording of an event. Whoever waits for an event waits for the recording that is the last one then; a later one is another.
struct g4_emulated_recording {
  cudaStream_t stream = nullptr;
  bool reached = false;
  std::chrono::steady_clock::time_point time{};
};

struct g4_emulated_event {
  std::shared_ptr<g4_emulated_recording> last;  // null: never recorded
};
