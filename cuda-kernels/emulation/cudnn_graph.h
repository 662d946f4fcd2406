// A graph of operations as cuDNN has it after all descriptors are finished, and its execution, operation by operation.
#pragma once

#include <array>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "cudnn_descriptor.h"

namespace g4::emulation::cudnn {

// cudnnDataType_t.
enum Element { kF32 = 0, kF16 = 2, kI32 = 4, kBf16 = 9, kI64 = 10, kBool = 11 };

using Shape = std::array<int64_t, 4>;  // batch, heads, rows, columns

struct Tensor {
  int64_t id = 0;
  int element = 0;
  Shape shape{}, strides{};
  int64_t alignment = 0;
  bool is_virtual = false, by_value = false;
  std::shared_ptr<const Tensor> offsets;  // where each batch entry begins, in elements; null: the stride says

  int64_t size() const { return shape[0] * shape[1] * shape[2] * shape[3]; }
  // The dimension that offsets cut to a length: the one with the largest stride beside the batch.
  int ragged_dimension() const;
};

// cudnnPointwiseMode_t, cudnnReduceTensorOp_t.
enum Mode { kAdd = 0, kMul = 1, kDiv = 6, kSub = 9, kExp = 13, kLog = 15, kGreaterOrEqual = 303, kLess = 304, kAnd = 400, kIndex = 501, kSelect = 601 };
enum Reduce { kSum = 0, kMax = 3 };

struct Operation {
  int kind = 0;  // kMatmulOperation, kPointwiseOperation, kReductionOperation, kReshapeOperation
  int mode = 0;  // of the two in the middle
  int64_t axis = 0;
  Tensor y, x;
  std::shared_ptr<const Tensor> b, t;                    // second and third operand
  std::shared_ptr<const Tensor> rows, columns, depth;    // of a product: lengths that take the place of its sizes
};

struct Graph {
  std::vector<Operation> operations;
  std::map<int64_t, Tensor> tensors;  // all that are named, by id
  int64_t workspace_bytes() const { return 4096; }
};

// Addresses by tensor id: of device memory, or of host memory for tensors given by value.
using Addresses = std::map<int64_t, void*>;

int check_tensor(const Descriptor& descriptor);
int check_operation(const Descriptor& descriptor);
int build_graph(Descriptor& descriptor);            // checks, and fills in descriptor.graph
int check_support(const Graph& graph);              // whether cuDNN has a kernel for attention like this
int check_addresses(const Graph& graph, const Addresses& addresses);
void run(const Graph& graph, const Addresses& addresses, void* workspace);  // what is in the workspace is lost, again and again

}  // namespace g4::emulation::cudnn
