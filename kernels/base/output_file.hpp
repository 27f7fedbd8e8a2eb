// A file that is written from its start to its end, and says so when it cannot be.
#pragma once

#include <cstdio>
#include <filesystem>
#include <memory>
#include <string_view>

namespace tidemark {

/// A stdio file that closes itself and turns a failed write into a RunError naming the file.
class OutputFile {
 public:
  OutputFile() = default;
  /// Creates or truncates. Throws RunError.
  explicit OutputFile(std::filesystem::path path);
  void write(std::string_view bytes);
  /// Flushes and closes. Throws RunError: a full disk shows here at the latest.
  void close();
  const std::filesystem::path& path() const { return path_; }

 private:
  struct Closer {
    void operator()(std::FILE* file) const { std::fclose(file); }
  };
  std::filesystem::path path_;
  std::unique_ptr<std::FILE, Closer> file_;
};

}  // namespace tidemark
