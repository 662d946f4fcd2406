// What cuDNN attention rests on beside cuDNN: the kernel that tells where sequences lie, and the emulated cuDNN itself, which must
// refuse what NVIDIA's refuses. With the path of NVIDIA's libcudnn_graph.so.9 (9.19), the same list is put to that instead. That needs
// no GPU, but a driver, which may be the emulated one, and NVIDIA's cuBLASLt:
//
//   LD_PRELOAD="$SITE/nvidia/cu13/lib/libcublasLt.so.13 lib/emulated/libcuda.so.1" cuda_cudnn_test $SITE/nvidia/cudnn/lib/libcudnn_graph.so.9
#include <dlfcn.h>

#include "case_test.h"
#include "cuda_ops.h"
#include "cudnn_graph.h"

using namespace g4::test;
namespace emulation = g4::emulation;
using namespace g4::emulation::cudnn;

namespace {

// ---- the kernel ----

Case sequence_slots(const Ints& cu, int64_t slots, int64_t stride, std::vector<int64_t> columns) {
  const int64_t sequences = int64_t(cu.size()) - 1;
  Doubles lengths(size_t(slots), 0.0), words(size_t(6 * stride), -1.0);  // what nobody writes stays poison, all bits set
  for (int64_t i = 0; i < sequences; i++) lengths[size_t(i)] = cu[size_t(i + 1)] - cu[size_t(i)];
  for (int64_t t = 0; t < 3; t++)
    for (int64_t i = 0; i <= slots; i++) {
      const uint64_t offset = uint64_t(cu[size_t(std::min(i, sequences))]) * uint64_t(columns[size_t(t)]);
      words[size_t(2 * (t * stride + i))] = double(int32_t(offset));
      words[size_t(2 * (t * stride + i) + 1)] = double(int32_t(offset >> 32));
    }
  const g4::test::Tensor starts(cu);
  return {"slots of " + std::to_string(sequences) + " in " + std::to_string(slots), [=] {
    Outputs out;
    const g4::test::Tensor l(slots, G4_I32), o(6 * stride, G4_I32);
    out.status = g4_cuda_sequence_slots(nullptr, l.data(), o.data(), stride, starts.data(), sequences, slots, columns[0], columns[1], columns[2]);
    out.add("lengths", l);
    out.add("offsets", o);
    return out;
  }, {{lengths, 0}, {words, 0}}};
}

std::vector<Case> slot_cases() {
  Ints many(201);
  for (int i = 0; i <= 200; i++) many[size_t(i)] = 7 * i;
  return {sequence_slots({0, 5}, 1, 2, {3, 5, 7}), sequence_slots({0, 1, 1, 6}, 4, 6, {4608, 896, 14}), sequence_slots(many, 256, 257, {1 << 24, 2, 1})};
}

// ---- what is refused ----

struct Library {
  void* handle;
  int (*create)(int, void**);
  int (*set)(void*, int, int, int64_t, const void*);
  int (*finalize)(void*);
};

Library library;

template <class F>
void bind(F& function, const char* name) {
  function = reinterpret_cast<F>(dlsym(library.handle, name));
}

// A descriptor that is filled by a chain of calls; the worst status of them is kept.
struct Filled {
  void* descriptor = nullptr;
  int status = 0;

  explicit Filled(int kind) { status = library.create(kind, &descriptor); }
  Filled& set(int attribute, int type, int64_t count, const void* values) {
    const int result = library.set(descriptor, attribute, type, count, values);
    if (status == 0) status = result;
    return *this;
  }
  Filled& longs(int attribute, const std::vector<int64_t>& values) { return set(attribute, kInt64, int64_t(values.size()), values.data()); }
  Filled& code(int attribute, int type, int value) { return set(attribute, type, 1, &value); }
  Filled& flag(int attribute, bool value) { return set(attribute, kBoolean, 1, &value); }
  Filled& child(int attribute, const Filled& other) { return set(attribute, kDescriptor, 1, &other.descriptor); }
  Filled& end() {
    const int result = library.finalize(descriptor);
    if (status == 0) status = result;
    return *this;
  }
};

using Sizes = std::vector<int64_t>;

Filled bare(int element, const Sizes& shape, const Sizes& strides, int64_t id) {
  return Filled(kTensor).code(kTensorType, kDataType, element).longs(kTensorDimensions, shape).longs(kTensorStrides, strides).longs(kTensorId, {id}).longs(kTensorAlignment, {16});
}

const Sizes kOnes = {1, 1, 1, 1};

Filled tensor(int element, const Sizes& shape, const Sizes& strides, int64_t id) { return bare(element, shape, strides, id).end(); }
Filled virtual_tensor(int element, const Sizes& shape, const Sizes& strides, int64_t id) { return bare(element, shape, strides, id).flag(kTensorVirtual, true).end(); }

Filled product(const Filled& a, const Filled& b, const Filled& c, const Filled* rows = nullptr) {
  Filled op = Filled(kMatmulOperation).child(kMatmulA, a).child(kMatmulB, b).child(kMatmulC, c).child(kMatmulOf, Filled(kMatmul).code(kMatmulPrecision, kDataType, kF32).end());
  if (rows != nullptr) op.child(kMatmulRows, *rows);
  return op.end();
}

Filled mode(int value, int precision, int64_t axis = -1) {
  Filled mode = Filled(kPointwise).code(kPointwiseModeOf, kPointwiseMode, value).code(kPointwisePrecision, kDataType, precision);
  if (axis >= 0) mode.longs(kPointwiseAxis, {axis});
  return mode.end();
}

Filled pointwise(const Filled& mode, const Filled& y, const Filled& x, const Filled* b = nullptr, const Filled* t = nullptr) {
  Filled op = Filled(kPointwiseOperation).child(kPointwiseOf, mode).child(kPointwiseX, x).child(kPointwiseY, y);
  if (b != nullptr) op.child(kPointwiseB, *b);
  if (t != nullptr) op.child(kPointwiseT, *t);
  return op.end();
}

Filled reduction(const Filled& y, const Filled& x) {
  return Filled(kReductionOperation)
      .child(kReductionOf, Filled(kReduction).code(kReductionOperatorOf, kReductionOperator, kSum).code(kReductionPrecision, kDataType, kF32).end())
      .child(kReductionX, x).child(kReductionY, y).end();
}

Filled graph(const std::vector<Filled>& operations) {
  std::vector<void*> all;
  for (const Filled& operation : operations) all.push_back(operation.descriptor);
  return Filled(kGraph).set(kGraphOperations, kDescriptor, int64_t(all.size()), all.data());
}

void taken(const Filled& filled, const char* what) { check(filled.status == 0, std::string(what) + " is refused with " + std::to_string(filled.status)); }
void refused(const Filled& filled, const char* what) { check(filled.status != 0, std::string(what) + " is taken"); }

void test_tensors() {
  const Sizes shape = {2, 3, 4, 8}, strides = {96, 32, 8, 1};
  taken(tensor(kBf16, shape, strides, 1), "a tensor");
  refused(Filled(999), "a descriptor of no kind");
  refused(Filled(kTensor).end(), "a tensor of nothing");
  refused(bare(kBf16, shape, {96, 32, 8}, 1).end(), "a tensor with too few strides");
  refused(Filled(kTensor).set(kMatmulA, kDescriptor, 1, &library), "an attribute of other descriptors");
  refused(Filled(kTensor).set(kTensorType, kInt64, 1, &shape[0]), "a value of another type");
  refused(Filled(kTensor).set(kTensorType, kDataType, 2, shape.data()), "two values for one");
  refused(bare(kBf16, shape, strides, 1).longs(kTensorAlignment, {3}).end(), "an alignment that is none");
  refused(bare(kF32, shape, strides, 1).flag(kTensorByValue, true).end(), "many numbers by value");
  refused(tensor(kBf16, shape, strides, 1).longs(kTensorId, {2}), "a change to what is finished");
  refused(tensor(kBf16, shape, strides, 1).end(), "what is finished already");
  taken(bare(kBf16, shape, strides, 1).child(kTensorOffsets, tensor(kI32, {3, 1, 1, 1}, kOnes, 2)).end(), "i32 offsets");
  taken(bare(kBf16, shape, strides, 1).child(kTensorOffsets, tensor(kI64, {3, 1, 1, 1}, kOnes, 2)).end(), "i64 offsets");
  refused(bare(kBf16, shape, strides, 1).child(kTensorOffsets, tensor(kI64, {2, 1, 1, 1}, kOnes, 2)).end(), "an offset too few");
  refused(bare(kBf16, shape, strides, 1).child(kTensorOffsets, tensor(kF32, {3, 1, 1, 1}, kOnes, 2)).end(), "offsets that are no whole numbers");
}

void test_operations() {
  const Sizes scores = {2, 4, 4, 4}, scores_strides = {64, 16, 4, 1};
  const Filled q = tensor(kBf16, {2, 4, 4, 8}, {128, 32, 8, 1}, 1), k = tensor(kBf16, {2, 2, 8, 4}, {64, 32, 1, 8}, 2);
  const Filled s = virtual_tensor(kF32, scores, scores_strides, 3), p = virtual_tensor(kF32, scores, scores_strides, 4);
  const Filled lengths = tensor(kI32, {2, 1, 1, 1}, kOnes, 5), three = tensor(kI32, {3, 1, 1, 1}, kOnes, 6);
  taken(product(q, k, s), "a product with shared heads");
  taken(product(q, k, s, &lengths), "a product with lengths");
  refused(product(q, k, s, &three), "a length too many");
  refused(product(q, tensor(kBf16, {2, 3, 8, 4}, {96, 32, 1, 8}, 7), s), "heads that do not divide");
  refused(product(q, tensor(kBf16, {2, 2, 7, 4}, {64, 32, 1, 8}, 7), s), "depths that differ");
  refused(product(q, k, q), "a result of another size");
  refused(Filled(kMatmulOperation).child(kMatmulA, q).end(), "half a product");

  const Filled column = virtual_tensor(kF32, {2, 4, 4, 1}, {16, 4, 1, 1}, 8), index = virtual_tensor(kI32, scores, scores_strides, 9), flag = virtual_tensor(kBool, scores, scores_strides, 10);
  taken(pointwise(mode(kMul, kF32), p, s, &column), "a product with a column");
  refused(pointwise(mode(kMul, kF32), p, s), "a product of one");
  taken(pointwise(mode(kExp, kF32), p, s), "an exponential");
  taken(pointwise(mode(kIndex, kI32, 2), index, s), "an index");
  refused(pointwise(mode(kIndex, kI32), index, s), "an index along nothing");
  refused(pointwise(mode(kIndex, kI32, 7), index, s), "an index along a dimension that is not there");
  taken(pointwise(mode(kLess, kBool), flag, index, &lengths), "a comparison with lengths");
  taken(pointwise(mode(kSelect, kF32), p, s, &column, &flag), "a choice");
  refused(pointwise(mode(kSelect, kF32), p, s, &column), "a choice without a condition");

  taken(reduction(column, s), "a sum over columns");
  taken(reduction(virtual_tensor(kF32, {2, 2, 4, 4}, {32, 16, 4, 1}, 11), s), "a sum over groups of heads");
  refused(reduction(virtual_tensor(kF32, {2, 3, 4, 4}, {48, 16, 4, 1}, 11), s), "a sum over groups that do not divide");
  refused(reduction(s, column), "a sum that grows");
  taken(Filled(kReshapeOperation).child(kReshapeX, s).child(kReshapeY, p).end(), "another shape");
  refused(Filled(kReshapeOperation).child(kReshapeX, s).child(kReshapeY, column).end(), "another size");

  const Filled scored = product(q, k, s);
  refused(graph({scored, scored}).end(), "a tensor that is written twice");
  const Filled twin = virtual_tensor(kF32, {2, 4, 4, 1}, {16, 4, 1, 1}, 3);
  refused(graph({scored, pointwise(mode(kSub, kF32), p, s, &twin)}).end(), "two tensors with one id");
  refused(graph({Filled(kMatmulOperation)}), "an operation that is not finished");
  refused(Filled(kHeuristics).end(), "advice on nothing");
  refused(Filled(kPlan).end(), "a plan of nothing");
  int64_t ids[] = {1, 2};
  void* pointers[] = {ids, ids};
  refused(Filled(kVariantPack).set(kPackIds, kInt64, 2, ids).set(kPackPointers, kPointer, 1, pointers).set(kPackWorkspace, kPointer, 1, pointers).end(), "an address too few");
}

}  // namespace

int main(int count, char** arguments) {
  const bool given = count > 1;
  library.handle = dlopen(given ? arguments[1] : GRPO4J_EMULATED_CUDNN_LIBRARY, RTLD_NOW | RTLD_LOCAL);
  if (library.handle == nullptr) {
    std::printf("%s\n", dlerror());
    return 1;
  }
  bind(library.create, "cudnnBackendCreateDescriptor");
  bind(library.set, "cudnnBackendSetAttribute");
  bind(library.finalize, "cudnnBackendFinalize");
  test_tensors();
  test_operations();
  if (!given) {
    const std::vector<Case> cases = slot_cases();
    test_values(cases);
    test_mutations(cases);
  }
  return finish("cuda cudnn_test");
}
