// cuDNN's graph interface as the Java back end uses it: it reads the graph that it is given and computes that (cudnn_run.cpp).
//
// Of the two ways to run a graph that it suggests, the first turns out not to work, as happens with NVIDIA's.
#include <cstdlib>
#include <cstring>

#include "cudnn_graph.h"
#include "device_memory.h"
#include "stream.h"

using namespace g4::emulation;
using namespace g4::emulation::cudnn;

struct cudnnContext {
  cudaStream_t stream = nullptr;
};

namespace {

constexpr int64_t kSuggestions = 2;
constexpr int kHeuristicsModeA = 3;

// The configuration that a plan is asked for; which of the suggestions it is stands where its knobs would.
constexpr int kSuggestion = 302;

int finish(Descriptor& descriptor) {
  if (descriptor.finished) return refuse(kBadParam, "a descriptor is finished twice");
  if (const int status = check_complete(descriptor); status != kSuccess) return status;
  switch (descriptor.kind) {
    case kTensor: return check_tensor(descriptor);
    case kMatmulOperation:
    case kPointwiseOperation:
    case kReductionOperation:
    case kReshapeOperation: return check_operation(descriptor);
    case kGraph: return build_graph(descriptor);
    case kHeuristics:
      if (descriptor.get<int>(kHeuristicsModeOf) != kHeuristicsModeA) return refuse(kNotSupported, "only mode A is known here");
      descriptor.graph = descriptor.descriptor(kHeuristicsGraph)->graph;
      return check_support(*descriptor.graph);
    case kPlan: {
      const Descriptor* configuration = descriptor.descriptor(kPlanConfig);
      if (configuration->get<int64_t>(kSuggestion) == 0) return refuse(kNotSupported, "the first suggestion does not work on this device");
      descriptor.graph = configuration->graph;
      return kSuccess;
    }
    case kVariantPack:
      if (descriptor.values.at(kPackIds).count != descriptor.values.at(kPackPointers).count) return refuse(kBadParam, "there are more addresses than ids, or fewer");
      return kSuccess;
    default: return kSuccess;
  }
}

int suggest(const Descriptor& heuristics, int64_t most, int64_t* count, void* values) {
  if (values == nullptr || most == 0) {
    *count = kSuggestions;
    return kSuccess;
  }
  *count = most < kSuggestions ? most : kSuggestions;
  for (int64_t i = 0; i < *count; i++) {
    Descriptor* configuration = static_cast<Descriptor**>(values)[i];
    if (configuration == nullptr || configuration->kind != kEngineConfig) return refuse(kBadParam, "suggestions go into engine configurations");
    const char* bytes = reinterpret_cast<const char*>(&i);
    configuration->values[kSuggestion] = {kInt64, 1, std::vector<char>(bytes, bytes + sizeof i)};
    configuration->graph = heuristics.graph;
    configuration->finished = true;
  }
  return kSuccess;
}

}  // namespace

extern "C" {

size_t cudnnGetVersion() {
  const char* version = std::getenv("GRPO4J_EMULATED_CUDNN");
  return version == nullptr ? 91901 : size_t(std::atol(version));
}

const char* cudnnGetErrorString(int status) {
  switch (status / 1000 * 1000) {
    case 0: return "CUDNN_STATUS_SUCCESS";
    case 2000: return "CUDNN_STATUS_BAD_PARAM";
    case 3000: return "CUDNN_STATUS_NOT_SUPPORTED";
    default: return "CUDNN_STATUS_INTERNAL_ERROR";
  }
}

void cudnnGetLastErrorString(char* message, size_t most) {
  if (most == 0) return;
  std::strncpy(message, last_refusal().c_str(), most - 1);
  message[most - 1] = '\0';
}

int cudnnCreate(cudnnContext** handle) {
  *handle = new cudnnContext();
  return kSuccess;
}

int cudnnDestroy(cudnnContext* handle) {
  delete handle;
  return kSuccess;
}

int cudnnSetStream(cudnnContext* handle, cudaStream_t stream) {
  handle->stream = stream;
  return kSuccess;
}

int cudnnBackendCreateDescriptor(int kind, void** descriptor) {
  if (!known_kind(kind)) return refuse(kUnexpectedValue, "descriptors of kind " + std::to_string(kind) + " are not known here");
  auto* created = new Descriptor();
  created->kind = kind;
  *descriptor = created;
  return kSuccess;
}

int cudnnBackendDestroyDescriptor(void* descriptor) {
  delete static_cast<Descriptor*>(descriptor);
  return kSuccess;
}

int cudnnBackendSetAttribute(void* descriptor, int attribute, int type, int64_t count, const void* values) {
  return set_attribute(static_cast<Descriptor*>(descriptor), attribute, type, count, values);
}

int cudnnBackendFinalize(void* descriptor) {
  Descriptor& all = *static_cast<Descriptor*>(descriptor);
  const int status = finish(all);
  if (status == kSuccess) all.finished = true;
  return status;
}

int cudnnBackendGetAttribute(void* descriptor, int attribute, int type, int64_t most, int64_t* count, void* values) {
  const Descriptor& all = *static_cast<const Descriptor*>(descriptor);
  if (!all.finished) return refuse(kNotFinalized, "a descriptor is read before it is finished");
  if (all.kind == kHeuristics && attribute == kHeuristicsResults && type == kDescriptor) return suggest(all, most, count, values);
  if (all.kind == kPlan && attribute == kPlanWorkspaceSize && type == kInt64 && most == 1) {
    *count = 1;
    *static_cast<int64_t*>(values) = all.graph->workspace_bytes();
    return kSuccess;
  }
  return refuse(kBadParam, "attribute " + std::to_string(attribute) + " cannot be read here");
}

int cudnnBackendExecute(cudnnContext* handle, void* plan_descriptor, void* pack_descriptor) {
  const Descriptor &plan = *static_cast<const Descriptor*>(plan_descriptor), &pack = *static_cast<const Descriptor*>(pack_descriptor);
  if (!plan.finished || !pack.finished || plan.kind != kPlan || pack.kind != kVariantPack) return refuse(kNotFinalized, "a plan or its addresses are not finished");
  const std::vector<int64_t> ids = pack.all<int64_t>(kPackIds);
  const std::vector<void*> pointers = pack.all<void*>(kPackPointers);
  Addresses addresses;
  for (size_t i = 0; i < ids.size(); i++)
    if (!addresses.insert({ids[i], pointers[i]}).second) return refuse(kBadParam, "tensor " + std::to_string(ids[i]) + " has two addresses");
  const std::shared_ptr<const Graph> graph = plan.graph;
  if (const int status = check_addresses(*graph, addresses); status != kSuccess) return status;
  void* workspace = pack.get<void*>(kPackWorkspace);
  if (!device_owns(workspace, size_t(graph->workspace_bytes()))) return refuse(kBadParam, "the workspace is too small");
  // Numbers given by value are read when the call is made, tensors when the stream gets there.
  std::map<int64_t, float> numbers;
  for (const auto& [id, tensor] : graph->tensors)
    if (tensor.by_value) std::memcpy(&numbers[id], addresses[id], sizeof(float));
  enqueue(handle->stream, [graph, addresses, numbers, workspace]() mutable {
    for (auto& [id, number] : numbers) addresses[id] = &number;
    run(*graph, addresses, workspace);
  });
  return kSuccess;
}

}  // extern "C"
