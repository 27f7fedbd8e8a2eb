// Redrive: dead letters back into the topics that they came from, each once. A record and the mark
// of its letter are one transaction, and the marks are read before anything is sent, so a run that
// was killed is simply run again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "stream/pipeline/config.hpp"
#include "stream/redrive/findings.hpp"
#include "stream/redrive/letter_line.hpp"

namespace tidemark {

/// Of the dead-letter topic: everything, or a part.
struct LetterChoice {
  std::vector<std::string> errors;  // none: of all errors
  std::optional<int> partition;
  std::optional<std::int64_t> from, to;  // offsets of that partition, both included
};

/// Hands out the letters that were not put back. Throws RunError and UsageError.
void list_letters(const Config& config, const LetterChoice& choice,
                  const std::function<void(const DeadLetter&)>& take);

struct RedriveReport {
  std::uint64_t read = 0, redriven = 0;
  Findings already, refused;  // "line 7: ..."; with one that is refused nothing is sent
};

/// Puts the letters of a file back, or those of a choice, unchanged. Everything is read twice: all
/// of it has to be good before the first record is sent. Throws RunError and UsageError.
RedriveReport redrive_file(const Config& config, const std::filesystem::path& file);
RedriveReport redrive_topic(const Config& config, const LetterChoice& choice);

}  // namespace tidemark
