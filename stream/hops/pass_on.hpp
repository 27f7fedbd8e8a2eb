// One record handed on: its value, time and headers as they came, its key and partition as the hop
// has chosen them. The headers of ours that a hop adds are named here.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "kernels/data/raw_batch.hpp"
#include "stream/encode/output.hpp"

namespace tidemark {

/// Where the record lay when the first hop read it, and the key that it had there. Numbers are
/// decimal; an absent key is a null.
inline constexpr std::string_view header_topic = "tidemark-topic";
inline constexpr std::string_view header_partition = "tidemark-partition";
inline constexpr std::string_view header_offset = "tidemark-offset";
inline constexpr std::string_view header_key = "tidemark-key";

/// A hop has one output, which stands where those of merchants have their verdicts.
inline constexpr OutputTopic hop_output = OutputTopic::verdicts;

struct Destination {
  std::string_view key;  // data() == nullptr: none
  std::int32_t partition = any_partition;
};

/// Appends what says where `record` lies now, if no hop has before.
void append_place(const RawRecord& record, std::string_view topic, std::string& headers);

/// The partition that the first hop found the record in, if one has.
std::optional<std::int32_t> first_partition(std::string_view headers);

/// Appends the record to a batch, with these headers behind its own.
void pass_on(const RawRecord& record, const Destination& to, std::string_view more_headers,
             OutputBatch& out);

}  // namespace tidemark
