// Marks: which dead letters were put back, as the compacted topic kafka.topics.redriven says. Read
// once; some 40 bytes of memory a letter.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <unordered_set>

#include "stream/kafka/reader.hpp"
#include "stream/redrive/letter_line.hpp"

namespace tidemark {

class Marks {
 public:
  /// All committed marks of letters of `dead_letter_topic`; a tombstone takes one back. Throws
  /// RunError.
  static Marks read(ReaderClient& client, const std::string& topic, int partitions,
                    const std::string& dead_letter_topic);

  bool has(const RecordPlace& letter) const;
  /// False when it is there already.
  bool add(const RecordPlace& letter);

 private:
  void take(std::string_view key, bool marked, std::string_view dead_letter_topic);

  std::map<int, std::unordered_set<std::int64_t>> offsets_;  // by partition of the letters
};

/// What a mark says, as JSON: the letter, where it went and when, and a hash of its value.
std::string mark_json(const DeadLetter& letter, const RecordPlace& to, std::int64_t now_ms);

}  // namespace tidemark
