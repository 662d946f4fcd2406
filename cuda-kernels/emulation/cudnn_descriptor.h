// Descriptors of cuDNN's backend interface: bags of attributes that are filled, finished, and then fixed.
//
// Codes are those of cudnn_graph.h, cuDNN 9.19. What NVIDIA's library refuses was asked of it (cudnn_test.cpp has the list and
// can ask again); in some places this one is stricter, where that library finds out only when it looks for a kernel.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

namespace g4::emulation::cudnn {

enum Status {
  kSuccess = 0,
  kBadParam = 2000,
  kNullPointer = 2002,
  kMisalignedPointer = 2003,
  kNotFinalized = 2004,
  kShapeMismatch = 2008,
  kAttributeType = 2010,
  kNotSupported = 3000,
  kNotSupportedPattern = 3001,
  kNotSupportedShape = 3002,
  kNotSupportedType = 3003,
  kUnexpectedValue = 4003
};

enum Kind {
  kPointwise = 0,
  kEngineConfig = 3,
  kHeuristics = 4,
  kPlan = 5,
  kPointwiseOperation = 13,
  kGraph = 15,
  kVariantPack = 16,
  kTensor = 17,
  kMatmul = 18,
  kMatmulOperation = 19,
  kReduction = 21,
  kReductionOperation = 22,
  kReshapeOperation = 31
};

enum Type { kHandleType = 0, kDataType = 1, kBoolean = 2, kInt64 = 3, kFloat = 4, kPointer = 6, kHeuristicsMode = 8, kPointwiseMode = 14, kDescriptor = 15, kReductionOperator = 18 };

enum Attribute {
  kPointwiseModeOf = 0,
  kPointwisePrecision = 1,
  kPointwiseAxis = 9,
  kHeuristicsModeOf = 200,
  kHeuristicsGraph = 201,
  kHeuristicsResults = 202,
  kPlanHandle = 400,
  kPlanConfig = 401,
  kPlanWorkspaceSize = 402,
  kPointwiseOf = 750,
  kPointwiseX = 751,
  kPointwiseB = 752,
  kPointwiseY = 753,
  kPointwiseT = 758,
  kGraphHandle = 800,
  kGraphOperations = 801,
  kTensorAlignment = 900,
  kTensorType = 901,
  kTensorDimensions = 902,
  kTensorStrides = 903,
  kTensorId = 906,
  kTensorVirtual = 907,
  kTensorByValue = 908,
  kTensorOffsets = 913,
  kPackIds = 1000,
  kPackPointers = 1001,
  kPackWorkspace = 1003,
  kMatmulPrecision = 1500,
  kMatmulA = 1520,
  kMatmulB = 1521,
  kMatmulC = 1522,
  kMatmulOf = 1523,
  kMatmulRows = 1525,
  kMatmulColumns = 1526,
  kMatmulDepth = 1527,
  kReductionOperatorOf = 1600,
  kReductionPrecision = 1601,
  kReductionX = 1610,
  kReductionY = 1611,
  kReductionOf = 1612,
  kReshapeX = 2200,
  kReshapeY = 2201
};

struct Graph;

struct Value {
  int type = 0;
  int64_t count = 0;
  std::vector<char> bytes;
};

struct Descriptor {
  int kind = 0;
  bool finished = false;
  std::map<int, Value> values;
  std::shared_ptr<const Graph> graph;  // of a graph, and of what was derived from it

  bool has(int attribute) const { return values.count(attribute) != 0; }
  template <class T>
  std::vector<T> all(int attribute) const {
    const Value& value = values.at(attribute);
    const T* begin = reinterpret_cast<const T*>(value.bytes.data());
    return std::vector<T>(begin, begin + value.count);
  }
  template <class T>
  T get(int attribute, T otherwise = T()) const {
    return has(attribute) ? all<T>(attribute)[0] : otherwise;
  }
  const Descriptor* descriptor(int attribute) const { return get<const Descriptor*>(attribute, nullptr); }
};

// Records why, as cudnnGetLastErrorString tells it, and returns the status.
int refuse(int status, const std::string& why);
const std::string& last_refusal();

int set_attribute(Descriptor* descriptor, int attribute, int type, int64_t count, const void* values);
// Whether all attributes are there that its kind needs, and those that are descriptors are finished.
int check_complete(const Descriptor& descriptor);
bool known_kind(int kind);

}  // namespace g4::emulation::cudnn
