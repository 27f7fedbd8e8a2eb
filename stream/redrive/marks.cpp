// See marks.hpp.
#include "stream/redrive/marks.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <array>
#include <charconv>

#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 1'000;
constexpr int read_timeout_ms = 200;

/// The number that all of `text` is.
template <typename Number>
bool whole_number(std::string_view text, Number& number) {
  const char* const end = text.data() + text.size();
  const auto [stop, error] = std::from_chars(text.data(), end, number);
  return error == std::errc() && stop == end;
}

std::string place_json(const RecordPlace& place) {
  return fmt::format(R"({{"topic":{},"partition":{},"offset":{}}})", json_string(place.topic),
                     place.partition, place.offset);
}

}  // namespace

Marks Marks::read(ReaderClient& client, const std::string& topic, int partitions,
                  const std::string& dead_letter_topic) {
  Marks marks;
  for (int partition = 0; partition < partitions; ++partition) {
    const auto bounds = client.settled_bounds(topic, partition);
    PlainReader reader(client, {topic, partition, log_beginning, bounds.stable_end});
    while (!reader.done()) {
      const auto batch = reader.read(read_records_max, read_timeout_ms);
      for (const RawRecord& raw : batch->records) {
        marks.take(raw.key, raw.value.data() != nullptr, dead_letter_topic);
      }
    }
  }
  return marks;
}

void Marks::take(std::string_view key, bool marked, std::string_view dead_letter_topic) {
  const std::size_t last = key.rfind('/');
  if (last == std::string_view::npos || last == 0) return;
  const std::size_t first = key.rfind('/', last - 1);
  if (first == std::string_view::npos || key.substr(0, first) != dead_letter_topic) return;
  int partition = 0;
  std::int64_t offset = 0;
  if (!whole_number(key.substr(first + 1, last - first - 1), partition) ||
      !whole_number(key.substr(last + 1), offset)) {
    return;
  }
  auto& offsets = offsets_[partition];
  marked ? (void)offsets.insert(offset) : (void)offsets.erase(offset);
}

bool Marks::has(const RecordPlace& letter) const {
  const auto offsets = offsets_.find(letter.partition);
  return offsets != offsets_.end() && offsets->second.contains(letter.offset);
}

bool Marks::add(const RecordPlace& letter) {
  return offsets_[letter.partition].insert(letter.offset).second;
}

std::string mark_json(const DeadLetter& letter, const RecordPlace& to, std::int64_t now_ms) {
  std::array<char, number_bytes_max> text{};
  JsonWriter writer(text.data());
  writer.time(now_ms);
  const std::string_view time(text.data(), static_cast<std::size_t>(writer.at() - text.data()));
  std::string hash = "null";
  if (letter.value) {
    hash = fmt::format("\"{:016x}\"", XXH3_64bits(letter.value->data(), letter.value->size()));
  }
  return fmt::format(
      R"({{"letter":{},"error":{},"original":{},"to":{},"redriven_at":{},"value_xxh3":{}}})",
      place_json(letter.letter), json_string(letter.error), place_json(letter.original),
      place_json(to), json_string(time), hash);
}

}  // namespace tidemark
