# libgrpo4j_cuda.so, where there is an nvcc: machine code for sm_80 and sm_90a, and PTX for what comes later. The CUDA runtime
# is linked statically, so the library loads on a machine without CUDA, too.
#
# The language support of CMake is not used: it insists on a whole toolkit, where the compiler's Python wheels do, and it keeps
# ptxas' report of registers and spills to itself, which compile.sh turns into errors and table.py into a table.
set(GRPO4J_CUDA auto CACHE STRING "CUDA kernels: on, off, or auto (on where a working nvcc is found)")
set_property(CACHE GRPO4J_CUDA PROPERTY STRINGS auto on off)

# The first of CUDA_HOME, PATH, the usual place, and the Python wheels of an environment or of python3 itself.
function(grpo4j_find_nvcc result)
  set(_candidates)
  foreach(_home $ENV{CUDA_HOME} $ENV{CUDA_PATH})
    list(APPEND _candidates ${_home}/bin/nvcc)
  endforeach()
  unset(_on_path)
  find_program(_on_path nvcc NO_CACHE)
  if(_on_path)
    list(APPEND _candidates ${_on_path})
  endif()
  list(APPEND _candidates /usr/local/cuda/bin/nvcc)
  execute_process(COMMAND python3 -c "import nvidia; print(*nvidia.__path__, sep=';')" OUTPUT_VARIABLE _wheels ERROR_QUIET OUTPUT_STRIP_TRAILING_WHITESPACE)
  foreach(_site ${_wheels} $ENV{VIRTUAL_ENV}/lib/python3*/site-packages/nvidia $ENV{HOME}/.cache/cuda-13.1/lib/python3*/site-packages/nvidia)
    file(GLOB _found ${_site}/cu13/bin/nvcc)
    list(APPEND _candidates ${_found})
  endforeach()
  foreach(_candidate ${_candidates})
    if(EXISTS ${_candidate})
      set(${result} ${_candidate} PARENT_SCOPE)
      return()
    endif()
  endforeach()
  set(${result} "" PARENT_SCOPE)
endfunction()

# Whether it compiles for the GPUs that we mean; asked once for each compiler.
function(grpo4j_nvcc_works nvcc result)
  file(TIMESTAMP ${nvcc} _time)
  set(_identity "${nvcc} ${_time}")
  if(NOT GRPO4J_NVCC_TRIED STREQUAL _identity)
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/probe.cu "__global__ void probe() {}\n")
    execute_process(COMMAND ${nvcc} -ccbin ${CMAKE_CXX_COMPILER} -std=c++17 -gencode arch=compute_90a,code=sm_90a -c probe.cu -o probe.o
      WORKING_DIRECTORY ${CMAKE_CURRENT_BINARY_DIR} RESULT_VARIABLE _failed OUTPUT_VARIABLE _log ERROR_VARIABLE _log)
    if(_failed)
      message(STATUS "${nvcc} does not work:\n${_log}")
    endif()
    set(GRPO4J_NVCC_TRIED "${_identity}" CACHE INTERNAL "")
    set(GRPO4J_NVCC_FAILED "${_failed}" CACHE INTERNAL "")
  endif()
  if(GRPO4J_NVCC_FAILED)
    set(${result} OFF PARENT_SCOPE)
  else()
    set(${result} ON PARENT_SCOPE)
  endif()
endfunction()

set(_nvcc)
set(_cuda OFF)
if(NOT GRPO4J_CUDA STREQUAL "off" AND NOT GRPO4J_SANITIZE)
  grpo4j_find_nvcc(_nvcc)
  if(_nvcc)
    grpo4j_nvcc_works(${_nvcc} _cuda)
  endif()
  if(GRPO4J_CUDA STREQUAL "on" AND NOT _cuda)
    message(FATAL_ERROR "GRPO4J_CUDA is on, but there is no nvcc that works at CUDA_HOME, on PATH, in /usr/local/cuda or among the Python "
      "packages; cuda-kernels/README.md tells how to get one without an installer")
  endif()
endif()

if(_cuda)
  message(STATUS "CUDA kernels: compiled by ${_nvcc}")
  get_filename_component(_toolkit ${_nvcc}/../.. REALPATH)
  find_library(_cudart libcudart_static.a PATHS ${_toolkit} PATH_SUFFIXES lib64 lib targets/x86_64-linux/lib NO_DEFAULT_PATH NO_CACHE REQUIRED)
  set(_objects)
  set(_reports)
  foreach(_kernel ${_kernels})
    set(_object ${CMAKE_CURRENT_BINARY_DIR}/${_kernel}.o)
    set(_report ${CMAKE_CURRENT_BINARY_DIR}/${_kernel}.report)
    add_custom_command(OUTPUT ${_object}
      COMMAND ${CMAKE_CURRENT_SOURCE_DIR}/compile.sh ${_nvcc} ${CMAKE_CXX_COMPILER} ${CMAKE_CURRENT_SOURCE_DIR}/src/${_kernel}.cu ${_object} ${_report}
      DEPENDS ${CMAKE_CURRENT_SOURCE_DIR}/src/${_kernel}.cu ${CMAKE_CURRENT_SOURCE_DIR}/compile.sh
      DEPFILE ${CMAKE_CURRENT_BINARY_DIR}/${_kernel}.o.d
      COMMENT "nvcc ${_kernel}.cu" VERBATIM)
    list(APPEND _objects ${_object})
    list(APPEND _reports ${_report})
  endforeach()
  # One target makes the files, so that two that need them do not both do so.
  add_custom_target(cuda_objects DEPENDS ${_objects})
  set_source_files_properties(${_objects} PROPERTIES EXTERNAL_OBJECT TRUE GENERATED TRUE)
  add_library(grpo4j_cuda SHARED ${_objects})
  set_target_properties(grpo4j_cuda PROPERTIES LINKER_LANGUAGE CXX)
  add_dependencies(grpo4j_cuda cuda_objects)
  target_link_libraries(grpo4j_cuda PRIVATE ${_cudart} dl rt pthread)
  target_link_options(grpo4j_cuda PRIVATE -Wl,--no-undefined -static-libstdc++ -static-libgcc -Wl,--exclude-libs,ALL)
  # What every kernel takes of a multiprocessor, and its instructions where there is an nvdisasm beside nvcc or on PATH.
  find_program(_python python3 NO_CACHE)
  find_program(_nvdisasm nvdisasm HINTS ${_toolkit}/bin NO_CACHE)
  if(_python AND CMAKE_SYSTEM_PROCESSOR MATCHES "x86_64|AMD64")
    set(_table ${CMAKE_BINARY_DIR}/cuda-kernels.txt)
    set(_with)
    if(_nvdisasm)
      set(_with --nvdisasm ${_nvdisasm})
    endif()
    add_executable(cuda_dynamic_shared dynamic_shared.cpp)
    target_include_directories(cuda_dynamic_shared PRIVATE emulation src ${PROJECT_SOURCE_DIR}/native/include)
    target_compile_options(cuda_dynamic_shared PRIVATE -O1 -Wno-unknown-pragmas)
    add_custom_command(OUTPUT ${_table}
      COMMAND cuda_dynamic_shared > dynamic_shared.txt
      COMMAND ${_python} ${CMAKE_CURRENT_SOURCE_DIR}/table.py ${_with} --dynamic dynamic_shared.txt ${_reports} > ${_table}.new
      COMMAND ${CMAKE_COMMAND} -E rename ${_table}.new ${_table}
      COMMAND ${CMAKE_COMMAND} -E cat ${_table}
      DEPENDS ${_objects} cuda_dynamic_shared ${CMAKE_CURRENT_SOURCE_DIR}/table.py
      COMMENT "What the CUDA kernels take of a multiprocessor" VERBATIM)
    add_custom_target(cuda_kernel_table ALL DEPENDS ${_table})
    add_dependencies(cuda_kernel_table cuda_objects)
  else()
    message(STATUS "CUDA kernels: no table of what they take of a multiprocessor, which needs python3")
  endif()
else()
  message(STATUS "CUDA kernels: not compiled (GRPO4J_CUDA=${GRPO4J_CUDA})")
  # A library of an earlier build would go into the jar.
  file(REMOVE ${CMAKE_LIBRARY_OUTPUT_DIRECTORY}/libgrpo4j_cuda.so)
endif()
