// FileSink: the outputs of a replay as one JSON Lines file a topic in one folder. One thread uses
// it. The values are the bytes that Kafka would carry; letters become one object each.
#pragma once

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>

#include "stream/encode/output.hpp"

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

class FileSink {
 public:
  /// Makes the folder and truncates the files of an earlier run. Throws RunError.
  explicit FileSink(const std::filesystem::path& folder);
  void write(const OutputBatch& batch);
  void close();

 private:
  std::array<OutputFile, output_topic_count> files_;
  std::array<std::string, output_topic_count> lines_;  // one batch's lines by topic
};

}  // namespace tidemark
