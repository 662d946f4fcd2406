// Elementary functions on vectors, written once over the operations that each instruction set's header provides.
#pragma once

#include <cmath>
#include <limits>

namespace g4::G4_ISA {

// e^x, relative error below 2 ulp. x = n ln 2 + r, |r| <= ln 2 / 2 (Cody & Waite reduction), then the Taylor-like minimax
// polynomial of Cephes expf (Moshier). Below -87.3 the result is 0, above 88.7 it is +infinity; NaN stays NaN.
inline V exp(V x) {
  const V hi = V::set(88.72283935546875f);
  const V lo = V::set(-87.33654022216797f);
  const V n = round(x * V::set(1.44269504088896341f));
  V r = fma(n, V::set(-0.693359375f), x);
  r = fma(n, V::set(2.12194440e-4f), r);
  V p = V::set(1.9875691500e-4f);
  p = fma(p, r, V::set(1.3981999507e-3f));
  p = fma(p, r, V::set(8.3334519073e-3f));
  p = fma(p, r, V::set(4.1665795894e-2f));
  p = fma(p, r, V::set(1.6666665459e-1f));
  p = fma(p, r, V::set(5.0000001201e-1f));
  const V y = scale_by_power_of_two(fma(p, r * r, r) + V::set(1.0f), n);
  const V capped = select(less(hi, x), V::set(std::numeric_limits<float>::infinity()), y);
  return select(less(x, lo), V::zero(), capped);
}

// The same function for one number: lane 0 of the vector one, so that a scalar tail has the bits of a full vector.
inline float exp1(float x) { return first(exp(V::set(x))); }

// 1 / (1 + e^-x). e^-x overflows to +infinity for very negative x and the quotient is then exactly 0.
inline V sigmoid(V x) { return V::set(1.0f) / (V::set(1.0f) + exp(V::zero() - x)); }

}  // namespace g4::G4_ISA
