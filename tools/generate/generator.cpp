// Generator: days of events, sorted by arrival, to files.
#include "tools/generate/generator.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "kernels/base/failure.hpp"
#include "tools/generate/lines.hpp"
#include "tools/generate/simulation.hpp"

namespace tidemark {
namespace {

constexpr std::size_t buffer_bytes = std::size_t{1} << 20;

/// A file that is written in large pieces and says so when it cannot be.
class OutputFile {
 public:
  explicit OutputFile(std::string path)
      : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
    if (file_ == nullptr) fail("cannot be created");
    bytes_.reserve(buffer_bytes + 4096);
  }
  ~OutputFile() {
    if (file_ != nullptr) std::fclose(file_);
  }
  OutputFile(const OutputFile&) = delete;
  OutputFile& operator=(const OutputFile&) = delete;

  std::string& bytes() { return bytes_; }
  void flush_if_full() {
    if (bytes_.size() >= buffer_bytes) flush();
  }
  void close() {
    flush();
    const bool closed = std::fclose(file_) == 0;
    file_ = nullptr;
    if (!closed) fail("cannot be written");
  }

 private:
  void flush() {
    if (std::fwrite(bytes_.data(), 1, bytes_.size(), file_) != bytes_.size()) {
      fail("cannot be written");
    }
    bytes_.clear();
  }
  [[noreturn]] void fail(const char* what) const {
    throw RunError(fmt::format("{} {}: {}", path_, what, std::strerror(errno)));
  }

  std::string path_;
  std::FILE* file_;
  std::string bytes_;
};

/// Events wait for the UTC day of their arrival; what arrives outside the run is never written.
class ArrivalDays {
 public:
  ArrivalDays(std::int64_t start_day, std::int32_t days)
      : start_ms_(start_day * day_s * 1000), days_(static_cast<std::size_t>(days)) {}

  void put(const std::vector<GeneratedEvent>& events) {
    for (const GeneratedEvent& event : events) {
      const std::int64_t since_ms = event.arrival_ms - start_ms_;
      const auto day = static_cast<std::size_t>(since_ms / (day_s * 1000));
      if (since_ms >= 0 && day < days_.size()) days_[day].push_back(event);
    }
  }

  /// The day's events in the order of arrival; the day is empty afterwards.
  std::vector<GeneratedEvent> take(std::int32_t day) {
    auto events = std::move(days_[static_cast<std::size_t>(day)]);
    std::sort(events.begin(), events.end(), [](const GeneratedEvent& a, const GeneratedEvent& b) {
      return a.arrival_ms != b.arrival_ms ? a.arrival_ms < b.arrival_ms : a.sequence < b.sequence;
    });
    return events;
  }

 private:
  std::int64_t start_ms_;
  std::vector<std::vector<GeneratedEvent>> days_;
};

}  // namespace

GenerateSummary generate(const GenerateOptions& options) {
  std::error_code error;
  std::filesystem::create_directories(options.out, error);
  if (error) throw RunError(fmt::format("{}: cannot be created: {}", options.out, error.message()));
  std::vector<std::unique_ptr<OutputFile>> files;
  for (int s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    if (source == Source::control) continue;  // operators send those
    files.push_back(std::make_unique<OutputFile>(
        (std::filesystem::path(options.out) / fmt::format("{}.jsonl", name_of(source))).string()));
  }

  std::vector<Merchant> merchants = make_merchants(options);
  Simulation simulation(options, merchants);
  LineWriter lines(options, merchants);
  ArrivalDays arrivals(options.start_day, options.days);
  GenerateSummary summary;
  std::vector<GeneratedEvent> events;
  // Local days begin up to 14 hours before the UTC day of the same date, so a UTC day is complete
  // when the local day after it has been run everywhere.
  for (std::int32_t day = 0; day <= options.days; ++day) {
    for (std::uint32_t merchant = 0; merchant < options.merchants; ++merchant) {
      events.clear();
      simulation.run_day(merchant, day, events);
      arrivals.put(events);
    }
    if (day == 0) continue;
    for (const GeneratedEvent& event : arrivals.take(day - 1)) {
      const auto source = static_cast<std::size_t>(event.source);
      OutputFile& file = *files[source];
      lines.append(event, file.bytes());
      ++summary.lines[source];
      if (source < 2 && lines.append_bad(event, file.bytes())) ++summary.bad_lines;
      file.flush_if_full();
    }
  }
  for (const auto& file : files) file->close();
  return summary;
}

}  // namespace tidemark
