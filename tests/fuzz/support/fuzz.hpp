// What all fuzz targets promise: a bad input ends in one line, or the process ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

namespace tidemark::fuzz {

inline std::string_view text_of(const std::uint8_t* data, std::size_t size) {
  return {reinterpret_cast<const char*>(data), size};
}

/// Ends the process with `what` unless it holds; libFuzzer then keeps the input.
void require(bool holds, std::string_view what);

/// A message for people: not empty, UTF-8, one line, of bounded length.
void require_one_line(std::string_view message);

/// Runs `read`. A UsageError with a message of one line is a right end; any other exception, and
/// whatever a sanitizer finds, ends the process. True when `read` came to its end.
bool accepts(const std::function<void()>& read);

/// A file in memory with these bytes, the same path each time.
std::filesystem::path file_with(std::string_view bytes);

}  // namespace tidemark::fuzz
