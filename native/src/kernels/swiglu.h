// SwiGLU (Shazeer 2020): the gated activation between the two products of a transformer's feed-forward part.
//
//   y = silu(gate) up,  silu(g) = g s,  s = 1 / (1 + e^-g)
//   d gate = dy up s (1 + g (1 - s)),  d up = dy silu(gate)
//
// gate_up [rows, 2 width] = (gate | up) as one product wrote it. Forward reads 2 and writes 1 element per output, backward
// reads 3 and writes 3, y among them; the exponential is cheap beside the memory traffic.
#pragma once

#include "kernels/launch.h"

namespace g4::G4_ISA {

inline int swiglu(g4_stream handle, g4_ptr y, g4_cptr gate_up, int64_t rows, int64_t width, int dtype) {
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(stream_of(handle), rows, double(width) * 0.5 + 10, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++) {
        const T* gate = static_cast<const T*>(gate_up) + i * 2 * width;
        const T* up = gate + width;
        T* out = static_cast<T*>(y) + i * width;
        for_vectors(width, [&](int64_t j, auto lanes) {
          const V g = load(gate + j, lanes);
          store(g * sigmoid(g) * load(up + j, lanes), out + j, lanes);
        });
      }
    });
    return G4_OK;
  });
}

inline int swiglu_backward(g4_stream handle, g4_ptr d_gate_up, g4_ptr y, g4_cptr dy, g4_cptr gate_up, int64_t rows, int64_t width, int dtype) {
  const V one = V::set(1.0f);
  return with_type(dtype, [&](auto type) {
    using T = decltype(type);
    for_rows(stream_of(handle), rows, double(width) * 0.9 + 10, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; i++) {
        const T* gate = static_cast<const T*>(gate_up) + i * 2 * width;
        const T* up = gate + width;
        const T* grad = static_cast<const T*>(dy) + i * width;
        T* out = static_cast<T*>(y) + i * width;
        T* d_gate = static_cast<T*>(d_gate_up) + i * 2 * width;
        T* d_up = d_gate + width;
        for_vectors(width, [&](int64_t j, auto lanes) {
          const V g = load(gate + j, lanes);
          const V u = load(up + j, lanes);
          const V d = load(grad + j, lanes);
          const V s = sigmoid(g);
          store(d * u * s * (one + g * (one - s)), d_gate + j, lanes);
          store(d * g * s, d_up + j, lanes);
          store(g * s * u, out + j, lanes);
        });
      }
    });
    return G4_OK;
  });
}

}  // namespace g4::G4_ISA
