// The hash by which a manifest knows its files.
#pragma once

#include <filesystem>
#include <string>

namespace tidemark {

/// SHA-256 of a file's bytes, in hexadecimal. Throws RunError.
std::string sha256_of(const std::filesystem::path& path);

}  // namespace tidemark
