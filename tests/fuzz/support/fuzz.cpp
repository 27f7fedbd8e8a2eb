#include "tests/fuzz/support/fuzz.hpp"

#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"

namespace tidemark::fuzz {

void require(bool holds, std::string_view what) {
  if (holds) return;
  fmt::print(stderr, "does not hold: {}\n", what);
  std::abort();
}

void require_one_line(std::string_view message) {
  const bool has_controls = std::any_of(message.begin(), message.end(), [](char c) {
    return static_cast<unsigned char>(c) < 0x20 || c == 0x7f;
  });
  if (message.empty() || message.size() > 4096 || has_controls || invalid_utf8_offset(message)) {
    fmt::print(stderr, "the message is not one line of UTF-8: [{}]\n", message);
    std::abort();
  }
}

bool accepts(const std::function<void()>& read) {
  try {
    read();
    return true;
  } catch (const UsageError& error) {
    require_one_line(error.what());
    return false;
  }
}

std::filesystem::path file_with(std::string_view bytes) {
  static const int file = memfd_create("fuzz", 0);
  require(file >= 0 && ftruncate(file, 0) == 0, "a file in memory can be made");
  require(pwrite(file, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()),
          "a file in memory can be written");
  return fmt::format("/proc/self/fd/{}", file);
}

}  // namespace tidemark::fuzz
