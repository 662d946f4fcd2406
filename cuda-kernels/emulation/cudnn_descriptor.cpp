#include "cudnn_descriptor.h"

#include <cstring>

namespace g4::emulation::cudnn {

namespace {

struct Rule {
  int attribute, type;
  int64_t most;    // values
  bool required;   // before it can be finished
};

constexpr int64_t kMany = 1024;

const std::map<int, std::vector<Rule>>& rules() {
  static const std::map<int, std::vector<Rule>> all = {
      {kPointwise, {{kPointwiseModeOf, kPointwiseMode, 1, true}, {kPointwisePrecision, kDataType, 1, true}, {kPointwiseAxis, kInt64, 1, false}}},
      {kEngineConfig, {}},
      {kHeuristics, {{kHeuristicsGraph, kDescriptor, 1, true}, {kHeuristicsModeOf, kHeuristicsMode, 1, true}}},
      {kPlan, {{kPlanConfig, kDescriptor, 1, true}, {kPlanHandle, kHandleType, 1, true}}},
      {kPointwiseOperation,
       {{kPointwiseOf, kDescriptor, 1, true}, {kPointwiseX, kDescriptor, 1, true}, {kPointwiseY, kDescriptor, 1, true}, {kPointwiseB, kDescriptor, 1, false}, {kPointwiseT, kDescriptor, 1, false}}},
      {kGraph, {{kGraphOperations, kDescriptor, kMany, true}, {kGraphHandle, kHandleType, 1, true}}},
      {kVariantPack, {{kPackIds, kInt64, kMany, true}, {kPackPointers, kPointer, kMany, true}, {kPackWorkspace, kPointer, 1, true}}},
      {kTensor,
       {{kTensorType, kDataType, 1, true}, {kTensorDimensions, kInt64, 8, true}, {kTensorStrides, kInt64, 8, true}, {kTensorId, kInt64, 1, true}, {kTensorAlignment, kInt64, 1, true},
        {kTensorVirtual, kBoolean, 1, false}, {kTensorByValue, kBoolean, 1, false}, {kTensorOffsets, kDescriptor, 1, false}}},
      {kMatmul, {{kMatmulPrecision, kDataType, 1, true}}},
      {kMatmulOperation,
       {{kMatmulA, kDescriptor, 1, true}, {kMatmulB, kDescriptor, 1, true}, {kMatmulC, kDescriptor, 1, true}, {kMatmulOf, kDescriptor, 1, true}, {kMatmulRows, kDescriptor, 1, false},
        {kMatmulColumns, kDescriptor, 1, false}, {kMatmulDepth, kDescriptor, 1, false}}},
      {kReduction, {{kReductionOperatorOf, kReductionOperator, 1, true}, {kReductionPrecision, kDataType, 1, true}}},
      {kReductionOperation, {{kReductionOf, kDescriptor, 1, true}, {kReductionX, kDescriptor, 1, true}, {kReductionY, kDescriptor, 1, true}}},
      {kReshapeOperation, {{kReshapeX, kDescriptor, 1, true}, {kReshapeY, kDescriptor, 1, true}}}};
  return all;
}

size_t size_of(int type) {
  switch (type) {
    case kBoolean: return sizeof(bool);
    case kHandleType:
    case kInt64:
    case kPointer:
    case kDescriptor: return 8;
    default: return 4;  // enumerations and float
  }
}

std::string& refusal() {
  thread_local std::string last;
  return last;
}

}  // namespace

int refuse(int status, const std::string& why) {
  refusal() = why;
  return status;
}

const std::string& last_refusal() { return refusal(); }

bool known_kind(int kind) { return rules().count(kind) != 0; }

int set_attribute(Descriptor* descriptor, int attribute, int type, int64_t count, const void* values) {
  const std::string name = "attribute " + std::to_string(attribute);
  if (descriptor == nullptr || values == nullptr) return refuse(kBadParam, name + " is given no values");
  if (descriptor->finished) return refuse(kBadParam, name + " is set in a descriptor that is finished");
  for (const Rule& rule : rules().at(descriptor->kind)) {
    if (rule.attribute != attribute) continue;
    if (type != rule.type) return refuse(kAttributeType, name + " has values of type " + std::to_string(rule.type) + ", not " + std::to_string(type));
    if (count < 1 || count > rule.most) return refuse(kBadParam, name + " is given " + std::to_string(count) + " values");
    if (type == kDescriptor) {
      for (int64_t i = 0; i < count; i++) {
        const Descriptor* value = static_cast<const Descriptor* const*>(values)[i];
        if (value == nullptr || !value->finished) return refuse(kNotFinalized, name + " is given a descriptor that is not finished");
      }
    }
    const char* bytes = static_cast<const char*>(values);
    descriptor->values[attribute] = {type, count, std::vector<char>(bytes, bytes + size_t(count) * size_of(type))};
    return kSuccess;
  }
  return refuse(kBadParam, name + " is none of descriptors of kind " + std::to_string(descriptor->kind));
}

int check_complete(const Descriptor& descriptor) {
  for (const Rule& rule : rules().at(descriptor.kind))
    if (rule.required && !descriptor.has(rule.attribute)) return refuse(kBadParam, "attribute " + std::to_string(rule.attribute) + " is not set");
  return kSuccess;
}

}  // namespace g4::emulation::cudnn
