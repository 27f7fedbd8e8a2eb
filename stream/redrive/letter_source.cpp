// See letter_source.hpp.
#include "stream/redrive/letter_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>

#include "stream/source/file_source.hpp"

namespace tidemark {
namespace {

// Letters may have megabytes each, so few are taken at a time.
constexpr std::size_t read_records_max = 100;
constexpr int read_timeout_ms = 200;

std::string_view header(const RecordHeaders& headers, std::string_view name) {
  for (const auto& [key, value] : headers) {
    if (key == name) return value;
  }
  return {};
}

template <typename Number>
bool read_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end && !text.empty();
}

std::optional<std::string> owned(std::string_view bytes) {
  if (bytes.data() == nullptr) return std::nullopt;
  return std::string(bytes);
}

class LetterTopic : public LetterSource {
 public:
  LetterTopic(ReaderClient& client, const KafkaSettings& settings, std::vector<LetterRange> ranges,
              std::vector<std::string> errors)
      : client_(client),
        settings_(settings),
        ranges_(std::move(ranges)),
        errors_(std::move(errors)) {}

  std::optional<NamedLetter> next() override {
    while (true) {
      while (batch_ && at_ < batch_->records.size()) {
        const std::size_t i = at_++;
        NamedLetter letter = decode(batch_->records[i], reader_->headers()[i]);
        if (wanted(letter.letter)) return letter;
      }
      if (!advance()) return std::nullopt;
    }
  }

 private:
  /// Reads on; false at the end of the last range.
  bool advance() {
    while (!reader_ || reader_->done()) {
      if (range_ == ranges_.size()) return false;
      const LetterRange& range = ranges_[range_++];
      const std::string& topic = settings_.output(OutputTopic::dead_letter);
      ReadRange read{topic, range.partition, range.from, range.until};
      read.headers = true;
      reader_.emplace(client_, read);
    }
    batch_ = reader_->read(read_records_max, read_timeout_ms);
    at_ = 0;
    return true;
  }

  bool wanted(const DeadLetter& letter) const {
    return errors_.empty() ||
           std::find(errors_.begin(), errors_.end(), letter.error) != errors_.end();
  }

  NamedLetter decode(const RawRecord& raw, const RecordHeaders& headers) const {
    NamedLetter named;
    DeadLetter& letter = named.letter;
    letter.letter = {settings_.output(OutputTopic::dead_letter), raw.partition, raw.offset};
    named.name = to_text(letter.letter);
    letter.error = header(headers, "error");
    letter.message = header(headers, "message");
    letter.key = owned(raw.key);
    letter.value = owned(raw.value);
    const std::string_view topic = header(headers, "topic");
    letter.original.topic = topic;
    for (std::size_t s = 0; s < source_count; ++s) {
      const auto source = static_cast<Source>(s);
      if (!topic.empty() && settings_.input(source) == topic) {
        letter.original.topic = name_of(source);
      }
    }
    if (!read_number(header(headers, "partition"), letter.original.partition) ||
        !read_number(header(headers, "offset"), letter.original.offset)) {
      named.unreadable = "its headers do not say which record it is of";
    }
    return named;
  }

  ReaderClient& client_;
  const KafkaSettings& settings_;
  std::vector<LetterRange> ranges_;
  std::vector<std::string> errors_;
  std::size_t range_ = 0, at_ = 0;
  std::optional<PlainReader> reader_;
  std::shared_ptr<RawBatch> batch_;
};

class LetterFile : public LetterSource {
 public:
  LetterFile(const std::filesystem::path& file, std::size_t line_bytes_max)
      : line_bytes_max_(line_bytes_max),
        lines_(Source::payments, file.string(), 0, {.line_bytes_max = line_bytes_max}) {}

  std::optional<NamedLetter> next() override {
    if (!batch_ || at_ == batch_->records.size()) {
      batch_ = lines_.read(read_records_max);
      at_ = 0;
      if (!batch_) return std::nullopt;
    }
    const RawRecord& line = batch_->records[at_++];
    NamedLetter named;
    named.name = fmt::format("line {}", line.offset + 1);
    if (line.value.size() > line_bytes_max_) {
      named.unreadable = fmt::format("is longer than {} bytes", line_bytes_max_);
    } else if (auto letter = read_letter_line(line.value, named.unreadable)) {
      named.letter = std::move(*letter);
    }
    return named;
  }

 private:
  std::size_t line_bytes_max_;
  FileSource lines_;
  std::shared_ptr<const RawBatch> batch_;
  std::size_t at_ = 0;
};

}  // namespace

std::unique_ptr<LetterSource> open_letter_topic(ReaderClient& client, const KafkaSettings& settings,
                                                std::vector<LetterRange> ranges,
                                                std::vector<std::string> errors) {
  return std::make_unique<LetterTopic>(client, settings, std::move(ranges), std::move(errors));
}

std::unique_ptr<LetterSource> open_letter_file(const std::filesystem::path& file,
                                               std::size_t line_bytes_max) {
  return std::make_unique<LetterFile>(file, line_bytes_max);
}

}  // namespace tidemark
