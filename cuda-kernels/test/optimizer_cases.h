// AdamW in its placements, and the gradient's norm.
#pragma once

#include "case_test.h"
#include "cpu_library.h"
#include "grpo4j/offload.h"

namespace g4::test {

inline g4_adamw_settings adamw_settings(float grad_scale) {
  return {0.9, 0.999, 3e-4f, 1e-8f, 0.1f, float(1 - std::pow(0.9, 3)), float(1 - std::pow(0.999, 3)), grad_scale};
}

// States as after some steps; a few gradients are 0 or far from the others.
struct AdamWStates {
  Doubles master, m, v, grad;

  explicit AdamWStates(int64_t count) : master(normal(count)), m(normal(count, 0.01)), v(normal(count, 0.01)), grad(normal(count, 0.02)) {
    for (double& e : v) e *= e;
    for (int64_t i = 0; i < count; i += 7) m[i] = v[i] = grad[i] = 0;
    for (int64_t i = 3; i < count; i += 11) grad[i] *= 1e6;
  }
};

struct AdamWReference {
  Doubles master, m, v;
};

inline AdamWReference adamw_in_double(const AdamWStates& in, const g4_adamw_settings& s) {
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

  AdamWOnCpu(const AdamWStates& in, int dtype, const g4_adamw_settings& s)
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

inline void adamw_cases(std::vector<Case>& cases, int64_t count, int dtype) {
  const AdamWStates in(count);
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
    cases.push_back({title + ", streamed in buckets of " + std::to_string(bucket) + ", " + std::to_string(fetched) + " fetched", [=, bucket = bucket, fetched = fetched] {
      Outputs out;
      float* host[3];
      const Tensor* states[3] = {&master, &m, &v};
      for (int i = 0; i < 3; i++) {
        void* pinned = nullptr;
        if (cudaMallocHost(&pinned, size_t(count) * sizeof(float)) != cudaSuccess) out.status = G4_OUT_OF_MEMORY;
        host[i] = static_cast<float*>(pinned);
        std::memcpy(host[i], states[i]->host(), size_t(count) * sizeof(float));
      }
      const g4_host_states all{host[0], host[1], host[2], count};
      const Tensor w(count, dtype), staging0(g4_offload_staging(bucket)), staging1(g4_offload_staging(bucket));
      cudaStream_t streams[2];
      for (cudaStream_t& stream : streams) cudaStreamCreateWithFlags(&stream, 1);
      const g4_offload_lane lanes[2] = {{streams[0], staging0.data()}, {streams[1], staging1.data()}};
      for (int i = 0; i < fetched && out.status == G4_OK; i++) {
        const int64_t begin = i * bucket, left = count - begin;
        if (left <= 0) break;
        const g4_host_states part{host[0] + begin, host[1] + begin, host[2] + begin, left < bucket ? left : bucket};
        out.status = g4_offload_fetch(&lanes[i], &part);
      }
      if (out.status == G4_OK) out.status = g4_adamw_offloaded(lanes, &all, w.data(), dtype, grad.data(), bucket, fetched, &s);
      for (cudaStream_t stream : {streams[1], streams[0]}) {
        cudaStreamSynchronize(stream);
        cudaStreamDestroy(stream);
      }
      const char* names[3] = {"master", "m", "v"};
      for (int i = 0; i < 3; i++) {
        out.add(names[i], Tensor(Doubles(host[i], host[i] + count), G4_F32));
        cudaFreeHost(host[i]);
      }
      out.add("weight", w);
      return out;
    }, cpu().fuses() ? bits : std::vector<Expected>{{reference.master, 1e-6}, {reference.m, 1e-6}, {reference.v, 1e-6}, {stored, weight_tolerance}}});
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
