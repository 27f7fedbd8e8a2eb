// FileSink: the outputs of a replay as one JSON Lines file a topic in one folder. One thread uses
// it. The values are the bytes that Kafka would carry; letters become one object each.
#pragma once

#include <array>
#include <filesystem>
#include <string>

#include "kernels/base/output_file.hpp"
#include "stream/encode/output.hpp"

namespace tidemark {

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
