# What a builder can choose, and the flags that every target gets.
option(TIDEMARK_CUDA "Build the CUDA drivers (needs nvcc 13)" OFF)
set(TIDEMARK_SANITIZE "" CACHE STRING "For -fsanitize= (address,undefined or thread)")
option(TIDEMARK_FUZZ "Build the fuzzers instead of the tests (needs clang)" OFF)
set(default_deps "$ENV{HOME}/.cache/tidemark")
if(DEFINED ENV{TIDEMARK_DEPS})
  set(default_deps "$ENV{TIDEMARK_DEPS}")
endif()
set(TIDEMARK_DEPS "${default_deps}" CACHE PATH "Where tools/setup put what apt does not have")
set(TIDEMARK_CUDART_TEST_DIR "" CACHE PATH
    "Folder with a libcudart.so.13 that the gpu tests load (a PTX runner where there is no device)")
set(TIDEMARK_ARCH "x86-64-v3" CACHE STRING
    "-march of the whole program; wider instructions are chosen at run time by Highway")

if(NOT CMAKE_BUILD_TYPE)
  set(CMAKE_BUILD_TYPE Release CACHE STRING "" FORCE)
endif()
set(CMAKE_CXX_STANDARD 20)
set(CMAKE_CXX_STANDARD_REQUIRED ON)
set(CMAKE_CXX_EXTENSIONS OFF)
set(CMAKE_POSITION_INDEPENDENT_CODE ON)
set(CMAKE_EXPORT_COMPILE_COMMANDS ON)
find_program(CCACHE_PROGRAM ccache)
if(CCACHE_PROGRAM)
  # Paths below the project are hashed relative to it: a second clone finds the first one's work.
  set(CCACHE_PROGRAM ${CMAKE_COMMAND} -E env CCACHE_BASEDIR=${PROJECT_SOURCE_DIR} CCACHE_NOHASHDIR=1
    ${CCACHE_PROGRAM})
  set(CMAKE_CXX_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
  set(CMAKE_CUDA_COMPILER_LAUNCHER ${CCACHE_PROGRAM})
endif()

# Contraction is off everywhere: a fused multiply-add would give the host other bits than the
# device.
add_library(tidemark_flags INTERFACE)
target_include_directories(tidemark_flags INTERFACE ${PROJECT_SOURCE_DIR})
# g++ 12 warns of impossible overlaps inside std::string where a literal meets operator+ (GCC bug
# 105651), so -Wrestrict is off.
target_compile_options(tidemark_flags INTERFACE
  $<$<COMPILE_LANGUAGE:CXX>:-Wall -Wextra -Wpedantic -Wshadow -Werror -ffp-contract=off>
  $<$<COMPILE_LANG_AND_ID:CXX,GNU>:-Wno-restrict>
  $<$<COMPILE_LANGUAGE:CXX>:-march=${TIDEMARK_ARCH}>)
target_compile_definitions(tidemark_flags INTERFACE TIDEMARK_VERSION="${PROJECT_VERSION}")
if(TIDEMARK_SANITIZE)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=${TIDEMARK_SANITIZE}>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-omit-frame-pointer>
                      $<$<COMPILE_LANGUAGE:CXX>:-fno-sanitize-recover=all>)
  add_link_options(-fsanitize=${TIDEMARK_SANITIZE})
endif()
if(TIDEMARK_FUZZ)
  add_compile_options($<$<COMPILE_LANGUAGE:CXX>:-fsanitize=fuzzer-no-link>)
endif()
