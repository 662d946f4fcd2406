// Attention over packed segments on the emulation: values against a double reference in both numeric twins of the tensor
// cores, the same bits in every thread order, and every barrier, wait and guard missed when it is left out.
#include "attention_cases.h"
#include "mutations.h"

using namespace g4::test;
namespace emulation = g4::emulation;

namespace {

struct Prepared {
  AttentionCase c;
  AttentionReference expected;
  Prepared(const AttentionShape& shape, int dtype, int64_t pad) : c(shape, dtype, pad), expected(reference_of(c)) {}
};

// Runs the ops; empty and a sentence if a launch failed.
std::vector<Comparison> compute(const Prepared& p, std::string& failure) {
  const AttentionCase& c = p.c;
  const AttentionShape& s = c.shape;
  const Tensor cu(c.cu), parents(s.parents.empty() ? Ints{-1} : s.parents);
  const Tensor o(c.tokens * c.width(), c.dtype), lse(c.tokens * s.heads, G4_F32);
  const void* parents_or_null = s.parents.empty() ? nullptr : parents.data();
  int status = g4_attention(nullptr, o.data(), lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride, c.kv_stride, cu.data(), parents_or_null,
                            int64_t(s.lengths.size()), c.longest, s.heads, s.kv_heads, s.head_dim, c.dtype);
  // The workspace has a copy of the parent's rows for the parent and for each child.
  Ints workspace_rows(s.lengths.size(), -1);
  int32_t rows = 0;
  for (size_t b = 0; b < s.parents.size(); b++) {
    const bool parent = std::find(s.parents.begin(), s.parents.end(), int32_t(b)) != s.parents.end();
    if (!parent && s.parents[b] < 0) continue;
    workspace_rows[b] = rows;
    rows += s.lengths[parent ? b : size_t(s.parents[b])];
  }
  const Tensor where(workspace_rows), workspace(rows * 2 * s.kv_heads * s.head_dim, G4_F32);
  const Tensor dq(c.tokens * c.q_stride, c.dtype), dk(c.tokens * c.kv_stride, c.dtype), dv(c.tokens * c.kv_stride, c.dtype);
  if (status == G4_OK)
    status = g4_attention_backward(nullptr, dq.data(), dk.data(), dv.data(), c.d_o.data(), o.data(), lse.data(), c.q.data(), c.k.data(), c.v.data(), c.q_stride, c.kv_stride,
                                   cu.data(), parents_or_null, s.parents.empty() ? nullptr : workspace.data(), s.parents.empty() ? nullptr : where.data(),
                                   int64_t(s.lengths.size()), c.longest, s.heads, s.kv_heads, s.head_dim, c.dtype);
  failure = status == G4_OK ? emulation::error() : "status " + std::to_string(status) + ": " + emulation::error();
  emulation::clear_error();
  std::vector<Comparison> all;
  all.push_back({"o", o.get(), p.expected.o, allowed_forward(c.dtype), o.bits()});
  all.push_back({"lse", lse.get(), p.expected.lse, 2e-6, lse.bits()});
  const auto gradient = [&](const char* what, const Tensor& got, const Doubles& expected, int64_t stride, int64_t width) {
    all.push_back({what, columns(got.get(), stride, width), columns(expected, stride, width), allowed_backward(c.dtype), got.bits()});
  };
  gradient("dq", dq, p.expected.dq, c.q_stride, c.width());
  gradient("dk", dk, p.expected.dk, c.kv_stride, s.kv_heads * s.head_dim);
  gradient("dv", dv, p.expected.dv, c.kv_stride, s.kv_heads * s.head_dim);
  return all;
}

// A row has the same bits whether its sequence lies in one segment or in two.
void test_split_sequence(int dtype, int64_t head_dim) {
  const AttentionCase whole({4, 2, head_dim, {100}, {}}, dtype, 0);
  const Tensor one(Ints{0, 100}), two(Ints{0, 37, 100}), parents(Ints{-1, 0});
  const Tensor a(100 * whole.width(), dtype), b(100 * whole.width(), dtype);
  const auto run = [&](const Tensor& o, const Tensor& cu, const void* its_parents, int64_t segments) {
    return g4_attention(nullptr, o.data(), nullptr, whole.q.data(), whole.k.data(), whole.v.data(), whole.q_stride, whole.kv_stride, cu.data(), its_parents, segments, 100, 4, 2,
                        head_dim, dtype);
  };
  check(run(a, one, nullptr, 1) == G4_OK && run(b, two, parents.data(), 2) == G4_OK, "status");
  check(a.bits() == b.bits(), whole.name() + ": other bits when the sequence lies in two segments");
}

void test_values(const Prepared& p) {
  for (bool truncating : {false, true}) {
    if (truncating && emulation::kSanitized) break;
    emulation::options().truncating_tensor_cores = truncating;
    std::vector<Comparison> first;
    for (const Run& run : runs()) {
      if (truncating && !first.empty()) break;  // the order does not depend on the arithmetic
      use(run);
      std::string failure;
      const std::vector<Comparison> all = compute(p, failure);
      check(failure.empty(), p.c.name() + ": " + failure);
      if (first.empty()) first = all;
      for (size_t i = 0; i < all.size(); i++) check(all[i].bits == first[i].bits, p.c.name() + " " + all[i].what + ": other bits in another thread order");
    }
    const std::string wrong = fault(first);
    check(wrong.empty(), p.c.name() + (truncating ? " (truncating)" : "") + ": " + wrong);
  }
  emulation::options().truncating_tensor_cores = false;
}

bool some_fails(const std::vector<Prepared>& cases) {
  for (const Prepared& p : cases)
    for (const Run& run : runs()) {
      use(run);
      std::string failure;
      const std::vector<Comparison> all = compute(p, failure);
      if (!failure.empty() || !fault(all).empty()) return true;
    }
  return false;
}

}  // namespace

int main() {
  // Lengths around tiles of 64 keys and 128 rows, groups of 1, 2 and 7; head_dim of both tensor-core kernels and of the plain one.
  const std::vector<AttentionShape> shapes = {
      {7, 1, 64, {1, 17, 65}, {}},
      {2, 1, 64, {130, 3}, {}},
      {2, 2, 128, {64, 1, 66}, {}},
      {2, 1, 64, {40, 30, 5, 9}, {-1, 0, 0, -1}},
      {7, 1, 128, {70, 11, 1}, {-1, 0, 0}},
      {4, 2, 16, {7, 33, 1}, {}},
      {2, 1, 24, {20, 15, 40}, {-1, 0, 0}},
      {1, 1, 200, {33}, {}}};
  for (const AttentionShape& shape : shapes)
    for (int dtype : {G4_F32, G4_BF16, G4_F16}) {
      // A sanitizer gets each kernel once: on tensor cores bf16, else fp32.
      if (emulation::kSanitized && dtype != (shape.head_dim % 64 == 0 ? G4_BF16 : G4_F32)) continue;
      test_values(Prepared(shape, dtype, 8));
    }

  check(emulation::bank_conflicts() == 0, "no ldmatrix of the attention kernels reads two rows from the same banks");
  test_split_sequence(G4_BF16, 64);
  test_split_sequence(G4_F16, 128);
  test_split_sequence(G4_F32, 16);

  std::vector<Prepared> cases;
  cases.emplace_back(AttentionShape{7, 1, 64, {20, 12, 13}, {-1, 0, 0}}, G4_BF16, 0);
  cases.emplace_back(AttentionShape{2, 1, 64, {70}, {}}, G4_BF16, 0);
  cases.emplace_back(AttentionShape{2, 1, 24, {20, 15}, {-1, 0}}, G4_F32, 0);
  cases.emplace_back(AttentionShape{1, 1, 128, {65}, {}}, G4_F16, 0);
  drop_each_place("attention", [&] { return some_fails(cases); });
  if (!emulation::kSanitized) {
    const std::set<std::string> loads = emulation::transpose_sites().names();
    const int count = drop_each(emulation::transpose_sites(), loads, "the wrong transposition", "tile.cuh", [&] { return some_fails(cases); });
    check(count == 3, "three ways to load a fragment");
  }
  return finish("cuda attention_test");
}
