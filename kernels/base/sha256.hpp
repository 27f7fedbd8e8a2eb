// The hash by which files and fingerprints are known to people. Any thread.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>

namespace tidemark {

/// SHA-256 in hexadecimal.
std::string sha256_hex(std::string_view bytes);
/// Of a file of any size, read in pieces. Throws RunError.
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace tidemark
