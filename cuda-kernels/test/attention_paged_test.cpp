// The paged cache on the emulation. Whatever the pieces that sequences arrive in, whatever they share and however the work is
// split, a row has the bits that g4_attention gives it; and every barrier, wait and guard is missed when it is left out.
#include <set>

#include "attention_cases.h"
#include "cuda_ops.h"
#include "mutations.h"

using namespace g4::test;
namespace emulation = g4::emulation;

namespace {

constexpr int32_t kBlock = 32;

// `answers` sequences that begin with the same `prompt` positions, then go on for `own` each (their own tokens).
struct Group {
  int32_t prompt;
  Ints own;
};

// Sequences over a cache whose blocks were used before (they hold NaN). A prompt's full blocks are shared by its group; its
// last part, if it does not fill a block, is each sequence's own, as after a copy on write.
class PagedCase {
 public:
  PagedCase(const std::vector<Group>& groups, int64_t heads, int64_t kv_heads, int64_t head_dim, int dtype)
      : heads_(heads), kv_heads_(kv_heads), dim_(head_dim), dtype_(dtype) {
    Ints lengths, parents;
    for (const Group& group : groups) {
      const int32_t parent = int32_t(lengths.size());
      lengths.push_back(group.prompt);
      parents.push_back(-1);
      for (int32_t own : group.own) {
        lengths.push_back(own);
        parents.push_back(parent);
      }
    }
    packed_ = std::make_unique<AttentionCase>(AttentionShape{heads, kv_heads, head_dim, lengths, parents}, dtype, 0);
    expected_ = std::make_unique<Tensor>(packed_->tokens * packed_->width(), dtype);
    const Tensor cu(packed_->cu), parent(parents);
    check(g4_attention(nullptr, expected_->data(), nullptr, packed_->q.data(), packed_->k.data(), packed_->v.data(), packed_->q_stride, packed_->kv_stride, cu.data(),
                       parent.data(), int64_t(lengths.size()), packed_->longest, heads, kv_heads, head_dim, dtype) == G4_OK, "packed");
    reference_ = reference_of(*packed_).o;
    max_blocks_ = (packed_->longest + kBlock - 1) / kBlock + 1;
    int32_t next = 3;  // the first blocks belong to nobody
    for (size_t b = 0; b < lengths.size(); b++) {
      if (parents[b] < 0) {
        prompt_rows_.clear();
        for (int32_t i = 0; i < lengths[b]; i++) prompt_rows_.push_back(packed_->cu[b] + i);
        shared_blocks_.clear();
        for (int32_t i = 0; i + kBlock <= lengths[b]; i += kBlock) shared_blocks_.push_back(next++);
        continue;
      }
      Ints rows = prompt_rows_;
      for (int32_t i = 0; i < lengths[b]; i++) rows.push_back(packed_->cu[b] + i);
      Ints blocks = shared_blocks_;
      while (int64_t(blocks.size()) * kBlock < int64_t(rows.size())) blocks.push_back(next++);
      rows_.push_back(rows);
      blocks.resize(size_t(max_blocks_), -1000000);  // an entry that nobody may follow
      table_.insert(table_.end(), blocks.begin(), blocks.end());
    }
    blocks_ = next;
  }

  int64_t sequences() const { return int64_t(rows_.size()); }

  struct Result {
    std::string failure;
    bool same_bits = true;
    double error = 0;  // of the rows asked for
  };

  // Appends every position and asks for the last `last` rows of each sequence.
  Result run(int32_t last, int64_t tokens_hint, int64_t workspace_tiles) const {
    const int64_t element = dtype_ == G4_F32 ? 4 : 2, row_bytes = dim_ * element, q_bytes = packed_->q_stride * element, kv_bytes = packed_->kv_stride * element;
    const Tensor k_cache(blocks_ * kv_heads_ * kBlock * dim_, dtype_), v_cache(blocks_ * kv_heads_ * kBlock * dim_, dtype_);
    Ints slots, source, cu_q{0}, kv_lens, asked;
    std::set<int32_t> taken;  // what sequences share is written once
    for (int64_t b = 0; b < sequences(); b++) {
      const int32_t length = int32_t(rows_[size_t(b)].size());
      const auto append = [&](int32_t i, bool skip) {
        const int32_t slot = table_[size_t(b * max_blocks_ + i / kBlock)] * kBlock + i % kBlock;
        source.push_back(rows_[size_t(b)][size_t(i)]);
        slots.push_back(!skip && taken.insert(slot).second ? slot : -1);
      };
      for (int32_t i = 0; i < length; i++) append(i, i % 5 == 4);
      for (int32_t i = 4; i < length; i += 5) append(i, false);  // what was skipped comes later
      const int32_t queries = std::min(last, length);
      for (int32_t i = length - queries; i < length; i++) asked.push_back(rows_[size_t(b)][size_t(i)]);
      cu_q.push_back(int32_t(asked.size()));
      kv_lens.push_back(length);
    }
    const auto gather = [&](const Tensor& from, const Ints& rows, int64_t bytes) {
      Tensor to(int64_t(rows.size()) * bytes / element, dtype_);
      for (size_t i = 0; i < rows.size(); i++)
        std::memcpy(static_cast<char*>(to.host()) + int64_t(i) * bytes, static_cast<const char*>(from.host()) + rows[i] * bytes, size_t(bytes));
      return to;
    };
    const Tensor q = gather(packed_->q, asked, q_bytes), k = gather(packed_->k, source, kv_bytes), v = gather(packed_->v, source, kv_bytes);
    const Tensor slot(slots), table(table_), cu(cu_q), lens(kv_lens), o(int64_t(asked.size()) * packed_->width(), dtype_);
    const int64_t tokens = int64_t(asked.size());
    const Tensor workspace(std::max<int64_t>(1, workspace_tiles * tokens * heads_ * (dim_ + 8)), G4_F32);
    int status = g4_kv_append(nullptr, k_cache.data(), v_cache.data(), k.data(), v.data(), packed_->kv_stride, slot.data(), int64_t(slots.size()), kv_heads_, dim_, dtype_);
    if (status == G4_OK && tokens_hint < 0) {
      status = g4_attention_paged(nullptr, o.data(), q.data(), packed_->q_stride, k_cache.data(), v_cache.data(), table.data(), max_blocks_, cu.data(), lens.data(), sequences(), heads_,
                                  kv_heads_, dim_, dtype_);
    } else if (status == G4_OK) {
      status = g4_cuda_attention_paged(nullptr, o.data(), q.data(), packed_->q_stride, k_cache.data(), v_cache.data(), table.data(), max_blocks_, cu.data(), lens.data(), sequences(),
                                       tokens, heads_, kv_heads_, dim_, dtype_, workspace.data(), workspace_tiles == 0 ? 0 : workspace.bytes());
    }
    Result result;
    result.failure = status == G4_OK ? emulation::error() : "status " + std::to_string(status) + ": " + emulation::error();
    emulation::clear_error();
    Doubles got = o.get(), expected;
    for (size_t i = 0; i < asked.size(); i++) {
      const auto at = reference_.begin() + asked[i] * packed_->width();
      expected.insert(expected.end(), at, at + packed_->width());
      result.same_bits = result.same_bits && std::memcmp(static_cast<char*>(o.host()) + int64_t(i) * heads_ * row_bytes,
                                                         static_cast<char*>(expected_->host()) + asked[i] * heads_ * row_bytes, size_t(heads_ * row_bytes)) == 0;
    }
    result.error = relative(got, expected);
    return result;
  }

  std::string fault(int32_t last, int64_t tokens_hint, int64_t workspace_tiles) const {
    const Result result = run(last, tokens_hint, workspace_tiles);
    if (!result.failure.empty()) return result.failure;
    if (!(result.error <= allowed_forward(dtype_))) return "off by " + std::to_string(result.error);
    return result.same_bits ? "" : "other bits than g4_attention";
  }

 private:
  int64_t heads_, kv_heads_, dim_;
  int dtype_;
  std::unique_ptr<AttentionCase> packed_;
  std::unique_ptr<Tensor> expected_;
  Doubles reference_;
  int64_t max_blocks_ = 0, blocks_ = 0;
  Ints prompt_rows_, shared_blocks_, table_;
  std::vector<Ints> rows_;
};

void test(const std::string& name, const PagedCase& c, int32_t last) {
  for (const Run& run : runs()) {
    use(run);
    // Without hints; with tokens alone; with room for one tile and for all of them.
    for (const auto& [tokens_hint, tiles] : {std::pair<int, int>{-1, 0}, {0, 0}, {0, 1}, {0, 100}}) {
      const std::string fault = c.fault(last, tokens_hint, tiles);
      check(fault.empty(), name + ", last " + std::to_string(last) + " rows, room for " + std::to_string(tiles) + " tiles: " + fault);
    }
  }
}

}  // namespace

int main() {
  const bool brief = emulation::kSanitized;  // then each kernel in one type, and the fewest rows that reach all of it
  const std::vector<Group> groups = {{130, {1, 17, 40}}, {64, {5, 64}}, {3, {1}}, {96, {1, 1}}};
  for (int dtype : brief ? Ints{G4_BF16} : Ints{G4_BF16, G4_F16}) {
    const char* type = dtype == G4_BF16 ? " bf16" : " fp16";
    const PagedCase small(groups, 7, 1, 64, dtype), wide({{70, {60, 9}}, {200, {1, 2}}}, 4, 2, 128, dtype);
    for (int32_t last : brief ? Ints{5} : Ints{1, 5, 70}) test(std::string("paged d64") + type, small, last);
    for (int32_t last : brief ? Ints{1} : Ints{1, 9}) test(std::string("paged d128") + type, wide, last);
  }
  // Enough sequences that only shared tiles are done apart.
  const PagedCase many({{192, Ints(70, 1)}, {70, Ints(6, 2)}, {10, Ints(60, 1)}}, 2, 2, 64, G4_BF16);
  use(runs().back());
  for (int tiles : brief ? Ints{100} : Ints{0, 1, 100}) {
    const std::string fault = many.fault(1, 0, tiles);
    check(fault.empty(), "paged, many: " + fault);
  }
  for (int dtype : brief ? Ints{G4_F32} : Ints{G4_F32, G4_BF16}) test("paged, plain path", PagedCase({{40, {3, 30}}, {1, {1}}}, 4, 2, 24, dtype), 2);

  const PagedCase few({{65, {1, 2, 1}}, {2, {3}}, {64, {1, 2}}}, 7, 1, 64, G4_BF16), pair({{65, {1, 2, 1}}, {64, {1, 2}}}, 7, 1, 64, G4_BF16), wide({{130, {30}}}, 1, 1, 128, G4_BF16);
  const PagedCase plain({{33, {1, 2}}}, 2, 1, 24, G4_F32);
  const auto fails = [&] {
    for (const Run& run : runs()) {
      use(run);
      if (!few.fault(1, 0, 100).empty() || !pair.fault(1, 0, 1).empty() || !few.fault(1, 0, 0).empty() || !few.fault(7, 0, 0).empty() || !few.fault(3, -1, 0).empty() || !wide.fault(1, 0, 0).empty() ||
          !plain.fault(1, 0, 0).empty())
        return true;
    }
    return !many.fault(1, 0, 100).empty();
  };
  drop_each_place("attention_paged", fails);
  return finish("cuda attention_paged_test");
}
