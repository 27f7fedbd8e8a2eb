// The two records by which the topic store knows a body: its draft and its name. See
// topic_store.cpp. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace tidemark {

/// A body in the topic; without offsets that of a draft, which nobody reads.
struct StoredBody {
  std::string id;
  int partition = 0;
  std::size_t parts = 0;
  std::uint64_t bytes = 0, hash = 0;
  std::vector<std::int64_t> offsets;
  std::int64_t time_ms = 0;  // of the record that names it
};

struct BodyDraft {
  std::string name;
  StoredBody body;
};

std::string encode_object(const StoredBody& body);
std::string encode_draft(const std::string& name, const StoredBody& body);
/// Both throw MalformedBytes.
StoredBody decode_object(std::string_view bytes);
BodyDraft decode_draft(std::string_view id, std::string_view bytes);

}  // namespace tidemark
