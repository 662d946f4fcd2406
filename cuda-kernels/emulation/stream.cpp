#include "stream.h"

#include <set>

#include "emulation.h"

namespace g4::emulation {

namespace {

std::set<cudaStream_t>& streams() {
  static std::set<cudaStream_t> all;
  return all;
}

bool known(cudaStream_t stream) { return streams().count(stream) != 0; }

// Runs the stream only as far as the recording, if it is still to come there.
void run_to(const g4_emulated_recording& recording) {
  g4_emulated_stream* stream = recording.stream;
  while (!recording.reached && known(stream) && stream->done < stream->queue.size()) {
    const Work work = std::move(stream->queue[stream->done++]);
    work();
  }
}

cudaError_t result() { return error().empty() ? cudaSuccess : cudaErrorLaunchFailure; }

using Lock = std::lock_guard<std::recursive_mutex>;

}  // namespace

std::recursive_mutex& device_lock() {
  static std::recursive_mutex mutex;
  return mutex;
}

void enqueue(cudaStream_t stream, Work work) {
  const Lock lock(device_lock());
  if (stream == nullptr) {
    run_all();
    work();
  } else if (stream->capture != nullptr) {
    stream->capture->nodes.push_back(std::move(work));
  } else {
    stream->queue.push_back(std::move(work));
  }
}

void run(cudaStream_t stream) {
  const Lock lock(device_lock());
  while (stream->done < stream->queue.size()) {
    const Work work = std::move(stream->queue[stream->done++]);
    work();
  }
  stream->queue.clear();
  stream->done = 0;
}

void run_all() {
  const Lock lock(device_lock());
  for (cudaStream_t stream : streams()) run(stream);
}

bool is_capturing() {
  const Lock lock(device_lock());
  for (cudaStream_t stream : streams())
    if (stream->capture != nullptr) return true;
  return false;
}

}  // namespace g4::emulation

using namespace g4::emulation;

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned) {
  const Lock lock(device_lock());
  *stream = new g4_emulated_stream();
  streams().insert(*stream);
  return cudaSuccess;
}

cudaError_t cudaStreamDestroy(cudaStream_t stream) {
  const Lock lock(device_lock());
  if (!known(stream)) return cudaErrorInvalidResourceHandle;
  run(stream);
  streams().erase(stream);
  delete stream;
  return cudaSuccess;
}

cudaError_t cudaStreamSynchronize(cudaStream_t stream) {
  const Lock lock(device_lock());
  if (stream == nullptr) return cudaDeviceSynchronize();
  if (!known(stream)) return cudaErrorInvalidResourceHandle;
  if (stream->capture != nullptr) return cudaErrorStreamCaptureUnsupported;
  run(stream);
  return result();
}

cudaError_t cudaStreamQuery(cudaStream_t stream) {
  const Lock lock(device_lock());
  if (!known(stream)) return cudaErrorInvalidResourceHandle;
  return stream->done == stream->queue.size() ? result() : cudaErrorNotReady;
}

cudaError_t cudaDeviceSynchronize() {
  if (is_capturing()) return cudaErrorStreamCaptureUnsupported;
  run_all();
  return result();
}

cudaError_t cudaStreamBeginCapture(cudaStream_t stream, int) {
  const Lock lock(device_lock());
  if (!known(stream) || stream->capture != nullptr) return cudaErrorInvalidResourceHandle;
  stream->capture = std::make_unique<g4_emulated_graph>();
  return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t stream, cudaGraph_t* graph) {
  const Lock lock(device_lock());
  *graph = nullptr;
  if (!known(stream) || stream->capture == nullptr) return cudaErrorStreamCaptureInvalidated;
  *graph = stream->capture.release();
  return cudaSuccess;
}

cudaError_t cudaStreamIsCapturing(cudaStream_t stream, int* status) {
  const Lock lock(device_lock());
  *status = stream != nullptr && stream->capture != nullptr ? 1 : 0;
  return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t* exec, cudaGraph_t graph, unsigned long long) {
  *exec = new g4_emulated_graph_exec{std::make_shared<const std::vector<Work>>(graph->nodes)};
  return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t stream) {
  enqueue(stream, [nodes = exec->nodes] {
    for (const Work& node : *nodes) node();
  });
  return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec) {
  delete exec;
  return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph) {
  delete graph;
  return cudaSuccess;
}

cudaError_t cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
  *event = new g4_emulated_event();
  return cudaSuccess;
}

cudaError_t cudaEventDestroy(cudaEvent_t event) {
  const Lock lock(device_lock());
  delete event;
  return cudaSuccess;
}

cudaError_t cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
  const Lock lock(device_lock());
  if (stream != nullptr && !known(stream)) return cudaErrorInvalidResourceHandle;
  auto recording = std::make_shared<g4_emulated_recording>();
  recording->stream = stream;
  event->last = recording;
  enqueue(stream, [recording] {
    recording->reached = true;
    recording->time = std::chrono::steady_clock::now();
  });
  return cudaSuccess;
}

cudaError_t cudaStreamWaitEvent(cudaStream_t stream, cudaEvent_t event, unsigned) {
  const Lock lock(device_lock());
  if (event->last != nullptr && !event->last->reached && event->last->stream != stream) enqueue(stream, [recording = event->last] { run_to(*recording); });
  return cudaSuccess;
}

cudaError_t cudaEventSynchronize(cudaEvent_t event) {
  const Lock lock(device_lock());
  if (event->last != nullptr) run_to(*event->last);
  return result();
}

cudaError_t cudaEventQuery(cudaEvent_t event) { return event->last == nullptr || event->last->reached ? cudaSuccess : cudaErrorNotReady; }

cudaError_t cudaEventElapsedTime(float* milliseconds, cudaEvent_t start, cudaEvent_t end) {
  if (start->last == nullptr || end->last == nullptr) return cudaErrorInvalidResourceHandle;
  if (!start->last->reached || !end->last->reached) return cudaErrorNotReady;
  *milliseconds = std::chrono::duration<float, std::milli>(end->last->time - start->last->time).count();
  return cudaSuccess;
}
