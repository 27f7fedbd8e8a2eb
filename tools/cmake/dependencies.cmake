# Every third-party library, found once and named once. ARCHITECTURE.md says why each was chosen.
find_package(Threads REQUIRED)
find_package(PkgConfig REQUIRED)
find_package(simdjson REQUIRED)
find_package(yaml-cpp REQUIRED)
find_package(CLI11 REQUIRED)
find_package(fmt REQUIRED)
find_package(spdlog REQUIRED)
find_package(prometheus-cpp REQUIRED CONFIG)
find_package(OpenSSL REQUIRED)
find_package(absl REQUIRED)
find_package(ZLIB REQUIRED)
find_package(GTest REQUIRED)
find_package(benchmark REQUIRED)
pkg_check_modules(HWY REQUIRED IMPORTED_TARGET libhwy)
pkg_check_modules(XXHASH REQUIRED IMPORTED_TARGET libxxhash)
pkg_check_modules(ZSTD REQUIRED IMPORTED_TARGET libzstd)
pkg_check_modules(HTTPLIB REQUIRED IMPORTED_TARGET cpp-httplib)
find_package(rapidcheck REQUIRED)

add_library(httplib::httplib ALIAS PkgConfig::HTTPLIB)

# librdkafka: the system's when it is new enough (older ones lose offsets in batch consume), else
# the one that tools/setup built.
pkg_check_modules(RDKAFKA IMPORTED_TARGET rdkafka>=2.13.2)
if(NOT RDKAFKA_FOUND)
  set(ENV{PKG_CONFIG_PATH} "${TIDEMARK_DEPS}/librdkafka/lib/pkgconfig:$ENV{PKG_CONFIG_PATH}")
  pkg_check_modules(RDKAFKA REQUIRED IMPORTED_TARGET rdkafka>=2.13.2)
endif()

# Apache Arrow and its Parquet, which neither Debian nor Ubuntu packages: out of the Python wheel.
add_library(tidemark_parquet INTERFACE)
add_library(tidemark::parquet ALIAS tidemark_parquet)
foreach(name arrow parquet)
  find_library(${name}_library ${name} PATHS ${TIDEMARK_DEPS}/arrow/lib REQUIRED)
  target_link_libraries(tidemark_parquet INTERFACE ${${name}_library})
endforeach()
find_path(arrow_headers parquet/arrow/writer.h PATHS ${TIDEMARK_DEPS}/arrow/include REQUIRED)
target_include_directories(tidemark_parquet SYSTEM INTERFACE ${arrow_headers})
