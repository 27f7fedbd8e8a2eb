// See file_sink.hpp.
#include "stream/pipeline/file_sink.hpp"

#include "kernels/base/failure.hpp"
#include "stream/encode/encoder.hpp"

namespace tidemark {

FileSink::FileSink(const std::filesystem::path& folder) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) throw RunError(folder.string() + ": cannot create the folder: " + error.message());
  // Of an earlier run: beside the outputs of a run that fails it would vouch for them.
  std::filesystem::remove(folder / "summary.json", error);
  for (int t = 0; t < output_topic_count; ++t) {
    const auto topic = static_cast<OutputTopic>(t);
    if (topic == OutputTopic::journal) continue;  // a file has one order, there is nothing to note
    files_[static_cast<std::size_t>(t)] =
        OutputFile(folder / (std::string(name_of(topic)) + ".jsonl"));
  }
}

void FileSink::write(const OutputBatch& batch) {
  for (std::string& lines : lines_) lines.clear();
  for (const OutputRecord& record : batch.records) {
    std::string& lines = lines_[static_cast<std::size_t>(record.topic)];
    if (record.letter >= 0) {
      lines += file_json(batch, record);
    } else {
      lines += batch.value(record);
    }
    lines += '\n';
  }
  for (std::size_t t = 0; t < lines_.size(); ++t) {
    if (!lines_[t].empty()) files_[t].write(lines_[t]);
  }
}

void FileSink::close() {
  for (OutputFile& file : files_) file.close();
}

}  // namespace tidemark
