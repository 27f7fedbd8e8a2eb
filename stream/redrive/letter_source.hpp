// Letters one after another, from the dead-letter topic or from a file of letter lines, each with
// the words that name it in messages. Memory is a batch, however many there are. One thread.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "stream/kafka/reader.hpp"
#include "stream/kafka/settings.hpp"
#include "stream/redrive/letter_line.hpp"

namespace tidemark {

struct NamedLetter {
  std::string name;        // "line 7", "dead-letter.v1/3/17"
  std::string unreadable;  // what is wrong with the line; then there is no letter
  DeadLetter letter;
};

class LetterSource {
 public:
  virtual ~LetterSource() = default;
  /// Nothing at the end. Throws RunError.
  virtual std::optional<NamedLetter> next() = 0;
};

/// Offsets [from, until) of a partition of the dead-letter topic.
struct LetterRange {
  int partition = 0;
  std::int64_t from = 0, until = 0;
};

/// The committed letters of these ranges; of these errors only, unless there are none. `client`
/// must outlive the source.
std::unique_ptr<LetterSource> open_letter_topic(ReaderClient& client, const KafkaSettings& settings,
                                                std::vector<LetterRange> ranges,
                                                std::vector<std::string> errors);

/// The lines of a file, plain, gzip or zstd; a letter of a longer line than `line_bytes_max` cannot
/// be read. Throws UsageError when there is no such file.
std::unique_ptr<LetterSource> open_letter_file(const std::filesystem::path& file,
                                               std::size_t line_bytes_max);

}  // namespace tidemark
