// What table.py cannot know from the machine code: the dynamic shared memory of launches, by kernel and head_dim.
#include <cstdio>

#include "attention_backward.cuh"
#include "attention_paged.cuh"

using namespace g4::cuda;

int main() {
  for (int head_dim : {64, 128}) {
    const auto print = [&](const char* kernel, size_t bytes) { std::printf("%s %d %zu\n", kernel, head_dim, bytes); };
    print("attention_kernel", forward_shared_bytes(head_dim));
    print("attention_dq_kernel", backward_shared_bytes(head_dim));
    print("attention_dkdv_kernel", backward_shared_bytes(head_dim));
    print("attention_shared_tiles_kernel", shared_tiles_bytes(head_dim));
    print("attention_decode_kernel", decode_shared_bytes(head_dim));
  }
  std::printf("rmsnorm_backward_kernel 0 %zu\n", 896 * sizeof(float));  // a row of 896
}
