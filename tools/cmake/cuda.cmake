# The CUDA compiler and its flags: the machine's nvcc 13 when there is one, else the wheels that
# tools/setup fetched. Only included when TIDEMARK_CUDA is on, so the CPU flavour needs none.
if(NOT CMAKE_CUDA_COMPILER)
  find_program(TIDEMARK_NVCC nvcc PATHS /usr/local/cuda/bin)
  if(TIDEMARK_NVCC)
    execute_process(COMMAND ${TIDEMARK_NVCC} --version OUTPUT_VARIABLE nvcc_version ERROR_QUIET)
  endif()
  if(nvcc_version MATCHES "release 13\\.")
    set(CMAKE_CUDA_COMPILER ${TIDEMARK_NVCC})
  elseif(EXISTS ${TIDEMARK_DEPS}/cuda/bin/nvcc)
    set(CMAKE_CUDA_COMPILER ${TIDEMARK_DEPS}/cuda/bin/nvcc)
  else()
    message(FATAL_ERROR "No nvcc 13 on PATH or in ${TIDEMARK_DEPS}/cuda: run tools/setup cuda")
  endif()
endif()

# Machine code for the two generations in use, and PTX for older and newer devices; that of sm_90
# too, for a runtime to test with runs PTX, and should run what the newest devices do.
set(CMAKE_CUDA_ARCHITECTURES 75-virtual 80-real 90 100-virtual CACHE STRING "GPU generations")
# Shared, so that one program runs under the driver's runtime and under a runtime to test with.
set(CMAKE_CUDA_RUNTIME_LIBRARY Shared)
enable_language(CUDA)
set(CMAKE_CUDA_STANDARD 20)
set(CMAKE_CUDA_STANDARD_REQUIRED ON)
set(CMAKE_CUDA_EXTENSIONS OFF)
# CMake 3.25 does not know that nvcc speaks C++20.
set(CMAKE_CUDA20_STANDARD_COMPILE_OPTION -std=c++20)
set(CMAKE_CUDA20_EXTENSION_COMPILE_OPTION -std=c++20)

# Multiplications and additions stay apart on the device as on the host: the same bits from both.
# Line numbers cost nothing at run time and let profilers and memory checkers name the source.
set(host_flags -Wall,-Wextra,-Wshadow,-Werror,-ffp-contract=off,-march=${TIDEMARK_ARCH})
target_compile_options(tidemark_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CUDA>:-fmad=false -lineinfo --expt-relaxed-constexpr>
  $<$<COMPILE_LANGUAGE:CUDA>:-Werror=all-warnings -Xcompiler=${host_flags}>)

# The runtime as a target of its own: FindCUDAToolkit of CMake 3.25 stops at a toolkit 13, which has
# no nvToolsExt. The toolkit's folder is an implicit one for the linker, so CMake leaves it out of
# the run path; as DT_RUNPATH, not DT_RPATH, it lets a folder in LD_LIBRARY_PATH go first.
find_library(TIDEMARK_CUDART cudart HINTS ${CMAKE_CUDA_IMPLICIT_LINK_DIRECTORIES} REQUIRED)
get_filename_component(TIDEMARK_CUDART_DIR ${TIDEMARK_CUDART} DIRECTORY)
add_library(tidemark_cudart INTERFACE)
target_include_directories(tidemark_cudart SYSTEM INTERFACE
  ${CMAKE_CUDA_TOOLKIT_INCLUDE_DIRECTORIES})
target_link_libraries(tidemark_cudart INTERFACE ${TIDEMARK_CUDART})
target_link_options(tidemark_cudart INTERFACE
  -Wl,--enable-new-dtags -Wl,-rpath,${TIDEMARK_CUDART_DIR})
