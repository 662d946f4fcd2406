#include "cute_layouts.h"

#include <cute/atom/copy_traits_sm75.hpp>
#include <cute/atom/mma_traits_sm80.hpp>

namespace g4::test::cute_layouts {

using Mma = cute::MMA_Traits<cute::SM80_16x8x16_F32BF16BF16F32_TN>;
using HalfMma = cute::MMA_Traits<cute::SM80_16x8x16_F32F16F16F32_TN>;
static_assert(cute::is_same<Mma::ALayout, HalfMma::ALayout>::value && cute::is_same<Mma::BLayout, HalfMma::BLayout>::value &&
              cute::is_same<Mma::CLayout, HalfMma::CLayout>::value, "fp16 lies as bf16 does");

int mma_a(int lane, int v) { return int(Mma::ALayout{}(lane, v)); }
int mma_b(int lane, int v) { return int(Mma::BLayout{}(lane, v)); }
int mma_c(int lane, int v) { return int(Mma::CLayout{}(lane, v)); }
int ldmatrix(int lane, int bit) { return int(cute::Copy_Traits<cute::SM75_U32x4_LDSM_N>::DstLayout{}(lane, bit)); }
int ldmatrix_transposed(int lane, int bit) { return int(cute::Copy_Traits<cute::SM75_U16x8_LDSM_T>::DstLayout{}(lane, bit)); }

}  // namespace g4::test::cute_layouts
