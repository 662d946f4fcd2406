# The emulated GPU: shared libraries with the names of NVIDIA's, so that what was built for those runs against these (the Java
# presets' own JNI code among it), and libgrpo4j_cuda.so with the kernels as the host compiler understands them.
if(NOT CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
  message(STATUS "The CUDA kernels are not tested here: their emulation switches stacks with x86-64 instructions")
  return()
endif()

set(_emulated ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/emulated)

# A vector load from an address that is no multiple of its size is a fault on a GPU and none on x86-64.
include(CheckCXXSourceCompiles)
set(CMAKE_REQUIRED_FLAGS "-fsanitize=alignment,bounds -fno-sanitize-recover=all")
check_cxx_source_compiles("int main() { return 0; }" GRPO4J_HAS_UBSAN)
unset(CMAKE_REQUIRED_FLAGS)

function(grpo4j_emulated_library target name)
  add_library(${target} SHARED ${ARGN})
  set_target_properties(${target} PROPERTIES PREFIX "" SUFFIX "" OUTPUT_NAME ${name} LIBRARY_OUTPUT_DIRECTORY ${_emulated} CXX_VISIBILITY_PRESET default)
  target_include_directories(${target} PUBLIC emulation src ${PROJECT_SOURCE_DIR}/native/include)
  target_compile_options(${target} PUBLIC -Wall -Wextra -Werror -Wno-unknown-pragmas -g1 -ffp-contract=off -fno-strict-aliasing)
  target_link_options(${target} PRIVATE -Wl,--no-undefined)
endfunction()

# The names carry versions, as in NVIDIA's libraries: libjnicudart.so asks for cudaMalloc@libcudart.so.13.
function(grpo4j_versioned target name)
  file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${name}.map "${name} { global: *; };\n")
  target_link_options(${target} PRIVATE -Wl,--version-script=${CMAKE_CURRENT_BINARY_DIR}/${name}.map)
endfunction()

grpo4j_emulated_library(emulated_cudart libcudart.so.13
  emulation/async_copy.cpp emulation/block.cpp emulation/cudart.cpp emulation/device_memory.cpp emulation/fiber.cpp emulation/launch.cpp
  emulation/stream.cpp emulation/tensor.cpp)
target_compile_options(emulated_cudart PRIVATE -O2)
grpo4j_versioned(emulated_cudart libcudart.so.13)

grpo4j_emulated_library(emulated_cublaslt libcublasLt.so.13 emulation/cublaslt.cpp)
target_compile_options(emulated_cublaslt PRIVATE -O3)
target_link_libraries(emulated_cublaslt PUBLIC emulated_cudart)
grpo4j_versioned(emulated_cublaslt libcublasLt.so.13)

# The presets want these two beside them; nothing in them is called.
file(CONFIGURE OUTPUT ${CMAKE_CURRENT_BINARY_DIR}/nothing.cpp CONTENT "")
grpo4j_emulated_library(emulated_cublas libcublas.so.13 ${CMAKE_CURRENT_BINARY_DIR}/nothing.cpp)
grpo4j_versioned(emulated_cublas libcublas.so.13)
grpo4j_emulated_library(emulated_driver libcuda.so.1 ${CMAKE_CURRENT_BINARY_DIR}/nothing.cpp)

list(TRANSFORM _kernels PREPEND src/ OUTPUT_VARIABLE _sources)
list(TRANSFORM _sources APPEND .cu)
set_source_files_properties(${_sources} PROPERTIES LANGUAGE CXX COMPILE_OPTIONS "-x;c++")
grpo4j_emulated_library(grpo4j_cuda_emulated libgrpo4j_cuda.so ${_sources})
# GCC does not see that what is set under a condition is used under the same one; fresh memory is poisoned here anyway.
target_compile_options(grpo4j_cuda_emulated PRIVATE -O2 -Wno-maybe-uninitialized)
target_link_libraries(grpo4j_cuda_emulated PUBLIC emulated_cudart)
if(GRPO4J_HAS_UBSAN)
  target_compile_options(grpo4j_cuda_emulated PUBLIC -fsanitize=alignment,bounds -fno-sanitize-recover=all)
  target_link_options(grpo4j_cuda_emulated PUBLIC -fsanitize=alignment,bounds)
endif()

if(GRPO4J_NATIVE_TESTS)
  # NVIDIA's own fragment layouts, where their headers are given: include folders of CUTLASS and of a CUDA toolkit (README.md).
  set(GRPO4J_CUTE_INCLUDES "" CACHE STRING "Include folders of CUTLASS and of a CUDA toolkit; empty: the check against CuTe's layouts is left out")
  set(_cute_test)
  if(GRPO4J_CUTE_INCLUDES)
    set(_cute_test cute_layout_test)
  endif()
  foreach(_test emulation_test tensor_test rows_test attention_test attention_paged_test logits_test sampling_test optimizer_test runtime_test matmul_test ${_cute_test})
    add_executable(cuda_${_test} test/${_test}.cpp)
    target_compile_options(cuda_${_test} PRIVATE -O2)
    target_link_libraries(cuda_${_test} PRIVATE grpo4j_cuda_emulated emulated_cublaslt)
    set_target_properties(cuda_${_test} PROPERTIES BUILD_WITH_INSTALL_RPATH OFF)
    target_compile_definitions(cuda_${_test} PRIVATE GRPO4J_CPU_LIBRARY="$<TARGET_FILE:grpo4j>")
    add_dependencies(cuda_${_test} grpo4j)
    target_link_libraries(cuda_${_test} PRIVATE ${CMAKE_DL_LIBS})
    add_test(NAME cuda_${_test} COMMAND cuda_${_test})
    set_tests_properties(cuda_${_test} PROPERTIES TIMEOUT 900)
  endforeach()
  if(GRPO4J_CUTE_INCLUDES)
    target_sources(cuda_cute_layout_test PRIVATE test/cute_layouts.cpp)
    set_source_files_properties(test/cute_layouts.cpp PROPERTIES COMPILE_OPTIONS "-w" INCLUDE_DIRECTORIES "${GRPO4J_CUTE_INCLUDES}")
  endif()
endif()
