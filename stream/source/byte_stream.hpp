// ByteStream: the bytes of a file, unpacked. Plain, gzip and zstd are told apart by the first
// bytes, not by the name. Owned and used by one FileSource, in one thread.
#pragma once

#include <cstddef>
#include <memory>
#include <string>

namespace tidemark {

class ByteStream {
 public:
  /// Opens a file or pipe. Throws UsageError when there is nothing to read at `path`.
  static std::unique_ptr<ByteStream> open(const std::string& path);
  virtual ~ByteStream() = default;

  /// Writes up to `bytes` bytes to `to` and returns their number, 0 only at the end. Throws
  /// RunError when the file cannot be read or its compressed data are damaged or cut off.
  virtual std::size_t read(char* to, std::size_t bytes) = 0;
};

}  // namespace tidemark
