// Speed of the matrix products beside what this machine can do: fused products a second and bytes read a second.
//
//   gemm_bench [threads] [isa] [m]   m: only shapes of so many rows; isa: 0 baseline, 1 AVX2, 2 AVX-512, 3 AVX-512 with bf16; default: the fastest
//
// Times are CPU time of the process divided by the threads, the best of many short measurements, so that neighbours on the
// same cores disturb least. Every measurement is paired with one of the peak right before it, and the share of the peak is
// the median over the pairs: a neighbour on the other half of a core slows both.
#include <immintrin.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <vector>

#include "grpo4j/ops.h"
#include "stream.h"

namespace {

double now() {
  timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return double(time.tv_sec) + 1e-9 * double(time.tv_nsec);
}

__attribute__((target("avx512f"), noinline)) float fused_512(int64_t steps) {
  __m512 sums[16];
  for (auto& s : sums) s = _mm512_set1_ps(1.0f);
  const __m512 a = _mm512_set1_ps(1.0000001f), b = _mm512_set1_ps(1e-9f);
  for (int64_t i = 0; i < steps; i++)
#pragma GCC unroll 16
    for (auto& s : sums) s = _mm512_fmadd_ps(s, a, b);
  for (int i = 1; i < 16; i++) sums[0] = _mm512_add_ps(sums[0], sums[i]);
  return _mm512_cvtss_f32(sums[0]);
}

__attribute__((target("avx2,fma"), noinline)) float fused_256(int64_t steps) {
  __m256 sums[12];
  for (auto& s : sums) s = _mm256_set1_ps(1.0f);
  const __m256 a = _mm256_set1_ps(1.0000001f), b = _mm256_set1_ps(1e-9f);
  for (int64_t i = 0; i < steps; i++)
#pragma GCC unroll 12
    for (auto& s : sums) s = _mm256_fmadd_ps(s, a, b);
  for (int i = 1; i < 12; i++) sums[0] = _mm256_add_ps(sums[0], sums[i]);
  return _mm256_cvtss_f32(sums[0]);
}

volatile float g_sink;

// About half a millisecond of fused products on every thread; returns their number.
double fused_products(g4::Stream& stream) {
  constexpr int64_t kSteps = 20000;
  const bool wide = stream.isa() >= G4_ISA_AVX512;
  stream.parallel_for(stream.threads(), [&](int64_t, int) { g_sink = wide ? fused_512(kSteps) : fused_256(kSteps); });
  return double(stream.threads() * kSteps) * (wide ? 16 * 16 : 12 * 8);
}

template <class F>
double cpu_seconds(const F& f) {
  const double start = now();
  f();
  return now() - start;
}

struct Timing {
  double seconds;  // of one call, per thread
  double peak;     // share of the machine's fused products that `products` a call make
};

template <class F>
Timing measure(g4::Stream& stream, double products, const F& f) {
  f();
  const double once = std::max(cpu_seconds(f), 1e-7);
  const int calls = int(std::max(1.0, 5e-4 / once));
  const int repeats = int(std::min(200.0, std::max(7.0, 0.3 / (once * calls))));
  double best = 1e30;
  std::vector<double> shares;
  for (int repeat = 0; repeat < repeats; repeat++) {
    double peak_products = 0;
    const double peak_time = cpu_seconds([&] { peak_products = fused_products(stream); });
    const double time = cpu_seconds([&] { for (int i = 0; i < calls; i++) f(); }) / calls;
    best = std::min(best, time);
    shares.push_back((products / time) / (peak_products / peak_time));
  }
  std::sort(shares.begin(), shares.end());
  return {best / stream.threads(), shares[shares.size() / 2]};
}

double read_seconds(g4::Stream& stream, const char* data, int64_t bytes) {
  constexpr int64_t kPiece = 1 << 20;
  return measure(stream, 0, [&] {
           stream.parallel_for(bytes / kPiece, [&](int64_t index, int) {
             const uint64_t* p = reinterpret_cast<const uint64_t*>(data + index * kPiece);
             uint64_t sum = 0;
             for (int64_t i = 0; i < kPiece / 8; i++) sum ^= p[i];
             g_sink = float(sum);
           });
         }).seconds;
}

struct Shape {
  int64_t m, k, n;
};

}  // namespace

int main(int argc, char** argv) {
  const long only_m = argc > 3 ? std::atol(argv[3]) : 0;
  const int threads = argc > 1 ? std::atoi(argv[1]) : 2;
  g4_stream stream = nullptr;
  if (g4_stream_create(threads, argc > 2 ? std::atoi(argv[2]) : G4_ISA_BEST, &stream) != G4_OK) return 1;
  const char* names[] = {"baseline", "AVX2", "AVX-512", "AVX-512 bf16"};
  g4::Stream& s = g4::stream_of(stream);
  constexpr int64_t kBig = int64_t(1) << 29;
  char* big = static_cast<char*>(g4_alloc(kBig));
  for (int64_t i = 0; i < kBig; i += 4096) big[i] = 1;
  double products = 0;
  const double peak_seconds = measure(s, 0, [&] { products = fused_products(s); }).seconds;
  const double wake = measure(s, 0, [&] { s.parallel_for(threads, [](int64_t, int) {}); }).seconds;
  std::printf("%s, %d threads: peak %.1f GFLOP/s, reads %.1f GB/s, empty loop %.1f us\n", names[s.isa()], threads, 2e-9 * products / peak_seconds,
              1e-9 * double(kBig) / read_seconds(s, big, kBig), wake * 1e6);
  g4_free(big, kBig);
  std::printf("%-8s %-5s %6s %6s %7s %10s %9s %6s %9s\n", "product", "type", "m", "k", "n", "us", "GFLOP/s", "peak", "GB/s of w");
  const Shape shapes[] = {{512, 896, 4864}, {512, 4864, 896}, {64, 896, 4864}, {32, 896, 4864}, {12, 896, 4864}, {8, 896, 4864}, {4, 896, 4864},
                          {1, 896, 4864},   {32, 896, 151936}, {8, 896, 151936}, {1, 896, 151936}, {8, 96, 192},  {8, 96, 512},
                          {256, 96, 192},   {256, 96, 512},   {2000, 96, 512}, {2000, 512, 96}};
  for (int dtype : {G4_F32, G4_BF16}) {
    const int64_t size = dtype == G4_F32 ? 4 : 2;
    for (const Shape& p : shapes) {
      if (only_m != 0 && p.m != only_m) continue;
      const int64_t weight = (p.n + 31) / 32 * 32 * p.k;
      g4_ptr x = g4_alloc(p.m * p.k * 4), w = g4_alloc(weight * size), y = g4_alloc(p.m * p.n * 4), dw = g4_alloc(weight * 4);
      for (int64_t i = 0; i < weight * size / 2; i++) static_cast<uint16_t*>(w)[i] = uint16_t(0x3c00 + i % 251);
      for (int64_t i = 0; i < p.m * p.k * size / 2; i++) static_cast<uint16_t*>(x)[i] = uint16_t(0x3c00 + i % 241);
      const double work = double(p.m) * double(p.k) * double(p.n);
      const auto line = [&](const char* name, const auto& call) {
        const Timing t = measure(s, work, call);
        std::printf("%-8s %-5s %6ld %6ld %7ld %10.1f %9.1f %5.1f%% %9.1f\n", name, dtype == G4_F32 ? "f32" : "bf16", long(p.m), long(p.k), long(p.n),
                    t.seconds * 1e6, 2e-9 * work / t.seconds, 100 * t.peak, 1e-9 * double(weight * size) / t.seconds);
        std::fflush(stdout);
      };
      line("forward", [&] { g4_linear(stream, y, dtype, x, w, nullptr, p.m, p.n, p.k, 0, dtype); });
      if (p.m >= 256) {
        line("dx", [&] { g4_linear_backward_input(stream, x, y, dtype, w, p.m, p.n, p.k, 0, dtype); });
        line("dw", [&] { g4_linear_backward_weight(stream, dw, nullptr, y, dtype, x, p.m, p.n, p.k, dtype); });
      }
      g4_free(x, p.m * p.k * 4);
      g4_free(w, weight * size);
      g4_free(y, p.m * p.n * 4);
      g4_free(dw, weight * 4);
    }
  }
  g4_stream_destroy(stream);
  return 0;
}
