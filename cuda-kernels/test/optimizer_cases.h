// AdamW in its placements, and the gradient's norm.
#pragma once

#include "case_test.h"
#include "cpu_library.h"
#include "offload.h"

namespace g4::test {

inline g4_adamw_settings adamw_settings(float grad_scale) {
  return {0.9, 0.999, 3e-4f, 1e-8f, 0.1f, float(1 - std::pow(0.9, 3)), float(1 - std::pow(0.999, 3)), grad_scale};
}

// States as after some steps; a few gradients are 0 or far from the others.
struct AdamWState {
  Doubles master, m, v, grad;

  explicit AdamWState(int64_t count) : master(normal(count)), m(normal(count, 0.01)), v(normal(count, 0.01)), grad(normal(count, 0.02)) {
    for (double& e : v) e *= e;
    for (int64_t i = 0; i < count; i += 7) m[i] = v[i] = grad[i] = 0;
    for (int64_t i = 3; i < count; i += 11) grad[i] *= 1e6;
  }
};

struct AdamWReference {
  Doubles master, m, v;
};

inline AdamWReference adamw_in_double(const AdamWState& in, const g4_adamw_settings& s) {
  AdamWReference out{in.master, in.m, in.v};
  for (size_t i = 0; i < in.master.size(); i++) {
    const double g = double(float(in.grad[i])) * s.grad_scale;
    out.m[i] = s.beta1 * double(float(in.m[i])) + (1 - s.beta1) * g;
    out.v[i] = s.beta2 * double(float(in.v[i])) + (1 - s.beta2) * g * g;
    const double denominator = std::sqrt(out.v[i] / s.bias_correction2) + s.epsilon;
    out.master[i] = double(float(in.master[i])) * (1 - double(s.learning_rate) * s.weight_decay) - s.learning_rate * (out.m[i] / s.bias_correction1) / denominator;
  }
  return out;
}

// The bits that the CPU kernel writes, as values.
struct AdamWOnCpu {
  std::vector<float> master, m, v;
  Doubles weight;

  AdamWOnCpu(const AdamWState& in, int dtype, const g4_adamw_settings& s)
      : master(in.master.begin(), in.master.end()), m(in.m.begin(), in.m.end()), v(in.v.begin(), in.v.end()) {
    const std::vector<float> grad(in.grad.begin(), in.grad.end());
    const int64_t count = int64_t(grad.size());
    const Tensor weights(Doubles(size_t(count), 0.0), dtype);
    const int status = cpu().adamw(cpu().stream, weights.host(), dtype, 0, master.data(), m.data(), v.data(), grad.data(), count, &s);
    check(status == G4_OK, "the CPU's AdamW");
    weight = weights.get();
  }
};

inline Doubles doubles(const std::vector<float>& x) { return Doubles(x.begin(), x.end()); }

// States in pinned memory that go through the device in buckets, on two lanes by turns, the first `fetched` of them before all
// else. Without masters of their own, the weights start as `master` and are it.
inline Outputs adamw_streamed(const Tensor& master, const Tensor& m, const Tensor& v, const Tensor& grad, int dtype, bool own_master,
                              int64_t bucket, int fetched, const g4_adamw_settings& s) {
  Outputs out;
  const int64_t count = grad.bytes() / int64_t(sizeof(float));
  float* host[3];
  const Tensor* states[3] = {&master, &m, &v};
  for (int i = 0; i < 3; i++) {
    void* pinned = nullptr;
    if (cudaMallocHost(&pinned, size_t(count) * sizeof(float)) != cudaSuccess) out.status = G4_OUT_OF_MEMORY;
    host[i] = static_cast<float*>(pinned);
    std::memcpy(host[i], states[i]->host(), size_t(count) * sizeof(float));
  }
  const Tensor w = own_master ? Tensor(count, dtype) : Tensor(master);
  const Tensor staging0(g4_offload_staging(bucket)), staging1(g4_offload_staging(bucket));
  void* const staging[2] = {staging0.data(), staging1.data()};
  cudaStream_t lanes[2];
  for (cudaStream_t& lane : lanes) cudaStreamCreateWithFlags(&lane, 1);
  const auto part = [&](int i, int64_t begin) { return i == 0 && !own_master ? nullptr : host[i] + begin; };
  const auto length = [&](int64_t begin) { return std::min(bucket, count - begin); };
  const auto fetch = [&](int64_t index) {
    const int64_t at = index * bucket;
    if (at < count && out.status == G4_OK) out.status = g4_offload_fetch(lanes[index % 2], staging[index % 2], part(0, at), part(1, at), part(2, at), length(at));
  };
  for (int64_t index = 0; index < fetched; index++) fetch(index);
  const int64_t element = dtype == G4_F32 ? 4 : 2;
  for (int64_t index = 0; index * bucket < count && out.status == G4_OK; index++) {
    const int64_t at = index * bucket;
    if (index >= fetched) fetch(index);
    if (out.status == G4_OK)
      out.status = g4_offload_update(lanes[index % 2], staging[index % 2], static_cast<char*>(w.data()) + at * element, dtype, part(0, at), part(1, at), part(2, at),
                                     static_cast<const float*>(grad.data()) + at, length(at), &s);
  }
  for (cudaStream_t lane : {lanes[1], lanes[0]}) {
    cudaStreamSynchronize(lane);
    cudaStreamDestroy(lane);
  }
  out.add("m", Tensor(Doubles(host[1], host[1] + count), G4_F32)), out.add("v", Tensor(Doubles(host[2], host[2] + count), G4_F32));
  out.add("weight", w);
  if (own_master) out.add("master", Tensor(Doubles(host[0], host[0] + count), G4_F32));
  for (float* memory : host) cudaFreeHost(memory);
  return out;
}

inline void adamw_cases(std::vector<Case>& cases, int64_t count, int dtype) {
  const AdamWState in(count);
  const g4_adamw_settings s = adamw_settings(0.37f);
  const Tensor master(in.master, G4_F32), m(in.m, G4_F32), v(in.v, G4_F32), grad(in.grad, G4_F32);
  const AdamWReference reference = adamw_in_double(in, s);
  const AdamWOnCpu same(in, dtype, s);
  const std::string title = "adamw " + std::to_string(count) + name_of(dtype);
  const auto on_device = [=] {
    Outputs out;
    const Tensor p(master), m1(m), v1(v), w(count, dtype);
    out.status = g4_adamw(nullptr, w.data(), dtype, 1, p.data(), m1.data(), v1.data(), grad.data(), count, &s);
    out.add("master", p), out.add("m", m1), out.add("v", v1), out.add("weight", w);
    return out;
  };
  const Doubles stored = Tensor(reference.master, dtype).get();
  const double weight_tolerance = dtype == G4_F32 ? 1e-6 : dtype == G4_BF16 ? 1e-4 : 1e-5;  // roundings may fall to either side
  cases.push_back({title, on_device, {{reference.master, 1e-6}, {reference.m, 1e-6}, {reference.v, 1e-6}, {stored, weight_tolerance}}});
  const std::vector<Expected> bits = {{doubles(same.master), 0}, {doubles(same.m), 0}, {doubles(same.v), 0}, {same.weight, 0}};
  if (cpu().fuses()) cases.push_back({title + ", the CPU's bits", on_device, bits});
  if (dtype == G4_F32) {
    cases.push_back({title + ", master is the weight", [=] {
      Outputs out;
      const Tensor p(master), m1(m), v1(v);
      out.status = g4_adamw(nullptr, p.data(), dtype, 0, p.data(), m1.data(), v1.data(), grad.data(), count, &s);
      out.add("master", p);
      return out;
    }, {{reference.master, 1e-6}}});
  }

  // The streamed placement: the same bits, whatever the buckets, with or without a head start.
  for (const auto& [bucket, fetched] : {std::pair<int64_t, int>{64, 0}, {128, 1}, {128, 2}, {1 << 20, 1}}) {
    const auto streamed = [=, bucket = bucket, fetched = fetched](bool own_master) {
      return [=] { return adamw_streamed(master, m, v, grad, dtype, own_master, bucket, fetched, s); };
    };
    const std::string how = title + ", streamed in buckets of " + std::to_string(bucket) + ", " + std::to_string(fetched) + " fetched";
    const std::vector<Expected> close = {{reference.m, 1e-6}, {reference.v, 1e-6}, {stored, weight_tolerance}, {reference.master, 1e-6}};
    const std::vector<Expected> same_bits = {bits[1], bits[2], bits[3], bits[0]};
    cases.push_back({how, streamed(true), cpu().fuses() ? same_bits : close});
    if (dtype == G4_F32) cases.push_back({how + ", master is the weight", streamed(false), {close[0], close[1], close[2]}});
  }
}

// out is added to: [1e-3, 2] before.
inline void sum_squares_case(std::vector<Case>& cases, const std::string& name, const Doubles& x, int bad) {
  const int64_t count = int64_t(x.size());
  const Tensor grad(x, G4_F32);
  double sum = 1e-3;
  for (double e : grad.get()) sum += e * e;
  const Doubles expected = bad > 0 ? Doubles{INFINITY} : Doubles{sum};
  cases.push_back({"sum_squares " + std::to_string(count) + " " + name, [=] {
    Outputs out;
    const double before[2] = {1e-3, 2};
    const Tensor memory(int64_t(sizeof before)), workspace(g4_sum_squares_workspace(count));
    std::memcpy(memory.host(), before, sizeof before);
    out.status = g4_sum_squares(nullptr, memory.data(), grad.data(), workspace.data(), count);
    double after[2];
    std::memcpy(after, memory.host(), sizeof after);
    out.all.push_back({"sum", memory.bits(), {after[0] == INFINITY ? INFINITY : after[0]}});
    out.all.push_back({"bad", "", {after[1]}});
    return out;
  }, {{expected, bad > 0 ? 0 : 1e-6 * sum, true}, {{2.0 + bad}, 0, true}}});
}

inline void sum_squares_cases(std::vector<Case>& cases) {
  for (int64_t count : {1, 5, 255, 4096, 9003}) sum_squares_case(cases, "normal", normal(count), 0);
  for (double scale : {1e-30, 1e-22, 1e20, 1e37}) sum_squares_case(cases, "times " + std::to_string(std::log10(scale)), normal(5000, scale), 0);
  Doubles mixed = normal(6001);
  mixed[17] = 1e25, mixed[18] = 1e-40, mixed[5999] = -3e25;
  sum_squares_case(cases, "mixed", mixed, 0);
  sum_squares_case(cases, "zeros", Doubles(3000, 0.0), 0);
  Doubles bad = normal(4099);
  bad[4] = NAN, bad[4098] = INFINITY, bad[2000] = -INFINITY;
  sum_squares_case(cases, "not finite", bad, 3);
}

inline std::vector<Case> optimizer_cases() {
  std::vector<Case> cases;
  for (int dtype : {G4_F32, G4_BF16, G4_F16})
    for (int64_t count : {1, 259, 1030}) adamw_cases(cases, count, dtype);
  sum_squares_cases(cases);
  return cases;
}

}  // namespace g4::test
