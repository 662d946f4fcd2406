#include "cudnn_graph.h"

#include <set>

#include "device_memory.h"

namespace g4::emulation::cudnn {

namespace {

int64_t bytes_of(int element) { return element == kI64 ? 8 : element == kF32 || element == kI32 ? 4 : element == kBool ? 1 : 2; }

bool is_half(const Tensor& tensor) { return tensor.element == kBf16 || tensor.element == kF16; }

Shape shape_of(const Descriptor& descriptor, int attribute) {
  const std::vector<int64_t> values = descriptor.all<int64_t>(attribute);
  return {values[0], values[1], values[2], values[3]};
}

Tensor tensor_of(const Descriptor& descriptor) {
  Tensor tensor;
  tensor.id = descriptor.get<int64_t>(kTensorId);
  tensor.element = descriptor.get<int>(kTensorType);
  tensor.shape = shape_of(descriptor, kTensorDimensions);
  tensor.strides = shape_of(descriptor, kTensorStrides);
  tensor.alignment = descriptor.get<int64_t>(kTensorAlignment);
  tensor.is_virtual = descriptor.get<bool>(kTensorVirtual);
  tensor.by_value = descriptor.get<bool>(kTensorByValue);
  if (const Descriptor* offsets = descriptor.descriptor(kTensorOffsets)) tensor.offsets = std::make_shared<Tensor>(tensor_of(*offsets));
  return tensor;
}

std::shared_ptr<const Tensor> operand(const Descriptor& operation, int attribute) {
  const Descriptor* descriptor = operation.descriptor(attribute);
  return descriptor == nullptr ? nullptr : std::make_shared<Tensor>(tensor_of(*descriptor));
}

std::string name(const Tensor& tensor) { return "tensor " + std::to_string(tensor.id); }

// Each dimension of `small` is that of `large`, or 1.
bool broadcasts(const Tensor& small, const Tensor& large) {
  for (int i = 0; i < 4; i++)
    if (small.shape[i] != large.shape[i] && small.shape[i] != 1) return false;
  return true;
}

int check_lengths(const std::shared_ptr<const Tensor>& lengths, const Tensor& c) {
  if (lengths == nullptr) return kSuccess;
  if (lengths->element != kI32 || lengths->shape != Shape{c.shape[0], 1, 1, 1}) return refuse(kNotSupported, "lengths of a product are not i32, one for each batch entry");
  return kSuccess;
}

int check_matmul(const Operation& op) {
  const Tensor &a = op.x, &b = *op.b, &c = op.y;
  if (a.shape[3] != b.shape[2] || a.shape[2] != c.shape[2] || b.shape[3] != c.shape[3]) return refuse(kBadParam, "the sizes of a product do not fit");
  for (int i = 0; i < 2; i++)
    if (b.shape[i] == 0 || a.shape[i] % b.shape[i] != 0 || c.shape[i] != a.shape[i]) return refuse(kBadParam, "the batches or heads of a product do not fit");
  for (const auto& lengths : {op.rows, op.columns, op.depth})
    if (const int status = check_lengths(lengths, c); status != kSuccess) return status;
  return kSuccess;
}

int check_pointwise(const Operation& op, int precision) {
  int operands = 2, wanted = kF32, result = -1;
  switch (op.mode) {
    case kAdd: case kSub: case kMul: case kDiv: break;
    case kExp: case kLog: operands = 1; break;
    case kGreaterOrEqual: case kLess: case kAnd: wanted = kBool, result = kBool; break;
    case kIndex: operands = 1, wanted = precision == kI32 ? kI32 : kF32, result = kI32; break;
    case kSelect: operands = 3; break;
    default: return refuse(kNotSupported, "pointwise mode " + std::to_string(op.mode) + " is not known here");
  }
  if (1 + (op.b != nullptr) + (op.t != nullptr) != operands) return refuse(kBadParam, "pointwise mode " + std::to_string(op.mode) + " has the wrong operands");
  if (precision != wanted) return refuse(kNotSupportedType, "pointwise mode " + std::to_string(op.mode) + " is not computed in type " + std::to_string(precision));
  if (result >= 0 && op.y.element != result) return refuse(kNotSupportedType, "the result of pointwise mode " + std::to_string(op.mode) + " is of type " + std::to_string(op.y.element));
  if (op.mode == kAnd && (op.x.element != kBool || op.b->element != kBool)) return refuse(kNotSupportedType, "a logical operand is no boolean");
  if (op.mode == kSelect && op.t->element != kBool) return refuse(kNotSupportedType, "a condition is no boolean");
  if (op.mode == kIndex && (op.axis < 0 || op.axis > 3)) return refuse(kBadParam, "an index is asked for along dimension " + std::to_string(op.axis));
  for (const Tensor* tensor : {&op.x, op.b.get(), op.t.get()})
    if (tensor != nullptr && !broadcasts(*tensor, op.y)) return refuse(kShapeMismatch, name(*tensor) + " does not fit its result");
  return kSuccess;
}

int check_reduction(const Operation& op) {
  if (op.mode != kSum && op.mode != kMax) return refuse(kNotSupported, "reduction " + std::to_string(op.mode) + " is not known here");
  for (int i = 0; i < 4; i++)
    if (op.x.shape[i] % op.y.shape[i] != 0) return refuse(kBadParam, "the result of a reduction does not divide its operand");
  return kSuccess;
}

Operation operation_of(const Descriptor& descriptor) {
  Operation op;
  op.kind = descriptor.kind;
  switch (descriptor.kind) {
    case kMatmulOperation:
      op.x = *operand(descriptor, kMatmulA), op.b = operand(descriptor, kMatmulB), op.y = *operand(descriptor, kMatmulC);
      op.rows = operand(descriptor, kMatmulRows), op.columns = operand(descriptor, kMatmulColumns), op.depth = operand(descriptor, kMatmulDepth);
      break;
    case kPointwiseOperation:
      op.x = *operand(descriptor, kPointwiseX), op.b = operand(descriptor, kPointwiseB), op.t = operand(descriptor, kPointwiseT), op.y = *operand(descriptor, kPointwiseY);
      op.mode = descriptor.descriptor(kPointwiseOf)->get<int>(kPointwiseModeOf);
      op.axis = descriptor.descriptor(kPointwiseOf)->get<int64_t>(kPointwiseAxis, -1);
      break;
    case kReductionOperation:
      op.x = *operand(descriptor, kReductionX), op.y = *operand(descriptor, kReductionY);
      op.mode = descriptor.descriptor(kReductionOf)->get<int>(kReductionOperatorOf);
      break;
    default: op.x = *operand(descriptor, kReshapeX), op.y = *operand(descriptor, kReshapeY);
  }
  return op;
}

// Operands before the result, with what those need.
std::vector<const Tensor*> operands_of(const Operation& op) {
  std::vector<const Tensor*> all;
  for (const Tensor* tensor : {&op.x, op.b.get(), op.t.get(), op.rows.get(), op.columns.get(), op.depth.get()})
    if (tensor != nullptr) all.push_back(tensor);
  return all;
}

bool same(const Tensor& a, const Tensor& b) {
  return a.element == b.element && a.shape == b.shape && a.strides == b.strides && a.is_virtual == b.is_virtual && a.by_value == b.by_value &&
         (a.offsets == nullptr ? b.offsets == nullptr : b.offsets != nullptr && a.offsets->id == b.offsets->id);
}

int add_tensor(Graph& graph, const Tensor& tensor) {
  const auto [at, added] = graph.tensors.insert({tensor.id, tensor});
  if (!added && !same(at->second, tensor)) return refuse(kBadParam, "two tensors have the id " + std::to_string(tensor.id));
  return tensor.offsets == nullptr ? kSuccess : add_tensor(graph, *tensor.offsets);
}

}  // namespace

int Tensor::ragged_dimension() const {
  int widest = 1;
  for (int i = 2; i < 4; i++)
    if (shape[i] > 1 && (shape[widest] == 1 || strides[i] > strides[widest])) widest = i;
  return widest;
}

int check_tensor(const Descriptor& descriptor) {
  if (descriptor.values.at(kTensorDimensions).count != descriptor.values.at(kTensorStrides).count) return refuse(kBadParam, "a tensor has more dimensions than strides, or fewer");
  if (descriptor.values.at(kTensorDimensions).count != 4) return refuse(kNotSupported, "a tensor has no four dimensions");
  const Tensor tensor = tensor_of(descriptor);
  const std::set<int> known = {kF32, kF16, kI32, kBf16, kI64, kBool};
  if (known.count(tensor.element) == 0) return refuse(kNotSupported, "element type " + std::to_string(tensor.element) + " is not known here");
  for (int i = 0; i < 4; i++)
    if (tensor.shape[i] < 1 || tensor.strides[i] < 1) return refuse(kBadParam, name(tensor) + " has a dimension or a stride below 1");
  if (tensor.alignment <= 0 || tensor.alignment % bytes_of(tensor.element) != 0) return refuse(kBadParam, name(tensor) + " has an alignment of " + std::to_string(tensor.alignment));
  if (tensor.by_value && (tensor.is_virtual || tensor.size() != 1)) return refuse(kBadParam, name(tensor) + " is given by value and is virtual or no single number");
  if (tensor.offsets != nullptr) {
    if (tensor.offsets->element != kI32 && tensor.offsets->element != kI64) return refuse(kBadParam, "offsets are not i32 or i64");
    if (tensor.offsets->shape != Shape{tensor.shape[0] + 1, 1, 1, 1}) return refuse(kBadParam, "offsets are not one more than the batch");
  }
  return kSuccess;
}

int check_operation(const Descriptor& descriptor) {
  const Operation op = operation_of(descriptor);
  switch (descriptor.kind) {
    case kMatmulOperation: return check_matmul(op);
    case kPointwiseOperation: return check_pointwise(op, descriptor.descriptor(kPointwiseOf)->get<int>(kPointwisePrecision));
    case kReductionOperation: return check_reduction(op);
    default: return op.x.size() == op.y.size() ? int(kSuccess) : refuse(kBadParam, "a tensor is reshaped to another size");
  }
}

int build_graph(Descriptor& descriptor) {
  auto graph = std::make_shared<Graph>();
  std::set<int64_t> written;
  for (const Descriptor* each : descriptor.all<const Descriptor*>(kGraphOperations)) {
    Operation op = operation_of(*each);
    for (const Tensor* tensor : operands_of(op)) {
      if (const int status = add_tensor(*graph, *tensor); status != kSuccess) return status;
      if (tensor->is_virtual && written.count(tensor->id) == 0) return refuse(kBadParam, "virtual " + name(*tensor) + " is read before it is written");
    }
    if (const int status = add_tensor(*graph, op.y); status != kSuccess) return status;
    if (op.y.by_value || !written.insert(op.y.id).second) return refuse(kBadParam, name(op.y) + " is written twice, or given by value");
    graph->operations.push_back(std::move(op));
  }
  descriptor.graph = graph;
  return kSuccess;
}

// Of the support surface in cudnn-frontend (node/sdpa_support_surface.h, 1.19) and NVIDIA's page on attention.
int check_support(const Graph& graph) {
  int products = 0;
  for (const Operation& op : graph.operations) {
    if (op.kind != kMatmulOperation) continue;
    products++;
    for (const Tensor* tensor : {&op.x, op.b.get(), &op.y}) {
      if (tensor->is_virtual) continue;
      if (!is_half(*tensor)) return refuse(kNotSupportedType, name(*tensor) + " of a product lies in memory and is neither fp16 nor bf16");
      if (tensor->offsets != nullptr && (op.rows == nullptr || (op.columns == nullptr && op.depth == nullptr)))
        return refuse(kNotSupportedPattern, name(*tensor) + " has offsets, and the product has no lengths");
      const int64_t head = tensor->ragged_dimension() == 3 ? tensor->shape[2] : tensor->shape[3];
      if (head % 8 != 0 || head > 256) return refuse(kNotSupportedShape, "heads of " + std::to_string(head) + " columns");
    }
  }
  return products >= 2 ? int(kSuccess) : refuse(kNotSupportedPattern, "no attention: " + std::to_string(products) + " products");
}

int check_addresses(const Graph& graph, const Addresses& addresses) {
  for (const auto& [id, tensor] : graph.tensors) {
    if (tensor.is_virtual) continue;
    const auto found = addresses.find(id);
    if (found == addresses.end()) return refuse(kBadParam, name(tensor) + " has no address");
    if (reinterpret_cast<uintptr_t>(found->second) % uintptr_t(tensor.by_value ? 4 : tensor.alignment) != 0) return refuse(kMisalignedPointer, name(tensor) + " is not aligned");
    if (tensor.by_value == is_device_address(found->second)) return refuse(kBadParam, name(tensor) + " lies in the wrong memory");
  }
  return kSuccess;
}

}  // namespace g4::emulation::cudnn
