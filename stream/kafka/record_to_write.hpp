// A record on its way to a topic, for writers of any topics. Plain data.
#pragma once

#include <optional>
#include <string_view>

#include "stream/kafka/reader.hpp"

namespace tidemark {

/// Views are the caller's.
struct RecordToWrite {
  std::string_view topic;
  int partition = -1;  // -1: the topic's partitioner chooses by key
  std::optional<std::string_view> key = {}, value = {};
  RecordHeaders headers = {};
};

}  // namespace tidemark
