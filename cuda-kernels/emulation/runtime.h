// The few types and calls of the CUDA runtime that the launchers and the tests use.
//
// Device memory is host memory with two habits of its own: it is filled with 0xFF when it is allocated (a NaN in fp32, fp16
// and bf16, so that reading what nobody wrote shows), and it lies between guard bytes that cudaFree checks.
#pragma once

#include <cstddef>

struct dim3 {
  unsigned x, y, z;
  constexpr dim3(unsigned x_ = 1, unsigned y_ = 1, unsigned z_ = 1) : x(x_), y(y_), z(z_) {}
};

enum cudaError_t { cudaSuccess = 0, cudaErrorInvalidValue = 1, cudaErrorMemoryAllocation = 2, cudaErrorInvalidConfiguration = 9, cudaErrorLaunchFailure = 719 };

typedef struct g4_emulated_stream* cudaStream_t;  // launches run at once, in program order, so a stream has no state

cudaError_t cudaMalloc(void** address, size_t bytes);
cudaError_t cudaFree(void* address);
cudaError_t cudaMallocAsync(void** address, size_t bytes, cudaStream_t stream);
cudaError_t cudaFreeAsync(void* address, cudaStream_t stream);
// Copies and fills happen at once, in program order, as launches do.
enum cudaMemcpyKind { cudaMemcpyHostToHost = 0, cudaMemcpyHostToDevice = 1, cudaMemcpyDeviceToHost = 2, cudaMemcpyDeviceToDevice = 3, cudaMemcpyDefault = 4 };
cudaError_t cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind, cudaStream_t stream);
cudaError_t cudaMemsetAsync(void* address, int byte, size_t bytes, cudaStream_t stream);
cudaError_t cudaGetLastError();
