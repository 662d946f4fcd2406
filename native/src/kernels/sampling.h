// One token for each row of logits, with its log-prob and the row's entropy.
//
//   u = uniform(Philox(seed, counter of the row));  token = the first id, in order of id, whose cumulative weight exceeds u total
//
// logits f32 [rows, vocab]. The statistics are those of row_statistics.h over the whole vocabulary, before penalty and filters:
// the log-prob has the bits that training will compute. Without filters the draw needs no sort and no second pass: the chunk
// sums of the statistics lead to one chunk, whose 2048 weights are walked. With filters see sampling_filter.h.
//
// A row without a finite distribution (NaN, all -infinity) gives the lowest id of the largest number in it, or 0: the caller
// sees a log-prob that is not finite and decides.
#pragma once

#include "kernels/philox.h"
#include "kernels/sampling_filter.h"

namespace g4::G4_ISA {

struct SamplingOp {
  const g4_sampling& settings;
  int64_t vocab;
  const int32_t* history;
  const int32_t* history_start;

  bool greedy() const { return !(settings.temperature > 0.0f); }
  float inv_temperature() const { return greedy() ? 1.0f : 1.0f / settings.temperature; }
  int64_t used() const { return settings.vocab_used > 0 ? std::min<int64_t>(settings.vocab_used, vocab) : vocab; }
  bool penalised() const { return history != nullptr && settings.repetition_penalty != 1.0f; }

  // Scratch: the chunks of for_row_statistics, what the penalty changed, the penalty's bits, the filters.
  int64_t changed_bytes(int64_t rows) const {
    int64_t longest = 0;
    for (int64_t i = 0; penalised() && i < rows; i++) longest = std::max<int64_t>(longest, history_start[i + 1] - history_start[i]);
    return (std::min(longest, vocab) + 7) / 8 * 8 * int64_t(sizeof(PenalisedToken));
  }
  int64_t seen_bytes() const { return (vocab + 511) / 512 * 64; }
  int64_t scratch_bytes(int64_t changed) const { return scratch_after(vocab) + changed + seen_bytes() + FilterScratch::bytes(vocab); }

  int64_t penalise_row(float* x, int64_t row, char* seen, PenalisedToken* changed) const {
    if (!penalised()) return 0;
    const int64_t length = history_start[row + 1] - history_start[row];
    return penalise(x, used(), history + history_start[row], length, settings.repetition_penalty, reinterpret_cast<uint64_t*>(seen), changed);
  }

  // The draw from softmax over x [used], given its chunks. The buffer holds kChunk weights.
  int32_t draw_unfiltered(const float* x, const ChunkStatistics* chunks, double u, float* buffer) const {
    const int64_t count = chunks_of(used());
    const RowStatistics row = combine(chunks, count, inv_temperature());
    if (!(row.sum > 0 && row.sum <= std::numeric_limits<double>::max())) return argmax(x, used());
    const double target = u * row.sum;
    double reached = 0;
    int64_t last = -1;
    for (int64_t c = 0; c < count; c++) {
      const double scale = std::exp((double(chunks[c].max) - double(row.max)) * double(inv_temperature()));
      const double mass = scale * double(chunks[c].sum);
      if (!(mass > 0)) continue;
      if (reached + mass <= target) {
        reached += mass;
        last = c;
        continue;
      }
      return walk_chunk(x, c, chunks[c].max, scale, target - reached, buffer);
    }
    // Rounding put the target at the very end.
    return walk_chunk(x, last, chunks[last].max, 1.0, std::numeric_limits<double>::infinity(), buffer);
  }

  // The first id of chunk c whose cumulative weight exceeds `target`; the last one with a weight if rounding leaves none.
  int32_t walk_chunk(const float* x, int64_t c, float max, double scale, double target, float* buffer) const {
    const int64_t begin = c * kChunk, n = std::min(kChunk, used() - begin);
    weigh_columns(buffer, x + begin, n, max, inv_temperature());
    double sum = 0;
    int64_t token = 0;
    for (int64_t i = 0; i < n; i++) {
      if (!(buffer[i] > 0.0f)) continue;
      token = i;
      sum += scale * double(buffer[i]);
      if (sum > target) break;
    }
    return int32_t(begin + token);
  }

  int32_t draw_kept(const KeptTokens& kept, double u) const {
    const double target = u * kept.total;
    double sum = 0;
    int32_t token = kept.id[0];
    for (int64_t i = 0; i < kept.count; i++) {
      if (!(kept.weight[i] > 0.0f)) continue;
      token = kept.id[i];
      sum += double(kept.weight[i]);
      if (sum > target) break;
    }
    return token;
  }

  // memory: the bits of the penalty (free by now) and the scratch of the filters.
  int32_t draw(const float* x, ChunkStatistics* chunks, const uint32_t* counter, char* memory) const {
    if (greedy()) return argmax(x, used());
    const double u = uniform(counter, settings.seed);
    FilterScratch scratch(memory + seen_bytes(), vocab);
    if (filters_are_off(settings)) {
      // The statistics of the whole row serve the draw too, unless the draw is from another row.
      if (penalised() || used() < vocab) row_chunks(chunks, x, used(), inv_temperature());
      return draw_unfiltered(x, chunks, u, scratch.kept.weight);
    }
    const KeptTokens kept = filter_row(x, used(), inv_temperature(), settings, scratch);
    return kept.count > 0 ? draw_kept(kept, u) : argmax(x, used());
  }
};

inline int sample(g4_stream handle, g4_ptr token_i32, g4_ptr logprob, g4_ptr entropy, g4_ptr logits, g4_cptr counters_u32, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  Stream& stream = stream_of(handle);
  const SamplingOp op{*settings, vocab, static_cast<const int32_t*>(history_i32), static_cast<const int32_t*>(history_start_i32)};
  const int64_t changed_bytes = op.changed_bytes(rows);
  if (op.scratch_bytes(changed_bytes) > int64_t(Stream::kScratchBytes)) return G4_UNSUPPORTED;
  float* x = static_cast<float*>(logits);
  const float inv = op.inv_temperature();
  const double draw_ns = filters_are_off(*settings) ? 0.05 : 0.5;
  return for_row_statistics(stream, x, rows, vocab, inv, draw_ns, [&](int64_t i, ChunkStatistics* chunks, int thread) {
    const RowStatistics row = combine(chunks, chunks_of(vocab), inv);
    float* columns = x + i * vocab;
    PenalisedToken* changed = reinterpret_cast<PenalisedToken*>(stream.scratch(thread) + scratch_after(vocab));
    char* memory = reinterpret_cast<char*>(changed) + changed_bytes;
    const int64_t changes = op.penalise_row(columns, i, memory, changed);
    const int32_t token = op.draw(columns, chunks, static_cast<const uint32_t*>(counters_u32) + 4 * i, memory);
    // The log-prob is that of the row as it came.
    float chosen = columns[token];
    for (int64_t j = 0; j < changes; j++)
      if (changed[j].id == token) chosen = changed[j].x;
    static_cast<int32_t*>(token_i32)[i] = token;
    if (logprob != nullptr) static_cast<float*>(logprob)[i] = float(row.log_probability(chosen, inv));
    if (entropy != nullptr) static_cast<float*>(entropy)[i] = float(row.entropy);
  });
}

inline int filtered_probs(g4_stream handle, g4_ptr probs, g4_ptr logits, g4_cptr history_i32, g4_cptr history_start_i32, int64_t rows, int64_t vocab, const g4_sampling* settings) {
  Stream& stream = stream_of(handle);
  const SamplingOp op{*settings, vocab, static_cast<const int32_t*>(history_i32), static_cast<const int32_t*>(history_start_i32)};
  const int64_t changed_bytes = op.changed_bytes(rows);
  if (op.scratch_bytes(changed_bytes) > int64_t(Stream::kScratchBytes)) return G4_UNSUPPORTED;
  for_rows(stream, rows, double(vocab) * 2, [&](int64_t begin, int64_t end, int thread) {
    PenalisedToken* changed = reinterpret_cast<PenalisedToken*>(stream.scratch(thread));
    char* memory = stream.scratch(thread) + changed_bytes;
    for (int64_t i = begin; i < end; i++) {
      float* x = static_cast<float*>(logits) + i * vocab;
      float* out = static_cast<float*>(probs) + i * vocab;
      op.penalise_row(x, i, memory, changed);
      std::fill(out, out + vocab, 0.0f);
      FilterScratch scratch(memory + op.seen_bytes(), vocab);
      const KeptTokens kept = op.greedy() ? KeptTokens{} : filter_row(x, op.used(), op.inv_temperature(), *settings, scratch);
      if (kept.count == 0) out[argmax(x, op.used())] = 1.0f;
      for (int64_t j = 0; j < kept.count; j++) out[kept.id[j]] = float(double(kept.weight[j]) / kept.total);
    }
  });
  return G4_OK;
}

}  // namespace g4::G4_ISA
