// See letter_line.hpp.
#include "stream/redrive/letter_line.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <utility>
#include <vector>

#include "kernels/base/utf8.hpp"
#include "stream/encode/base64.hpp"
#include "stream/encode/json_writer.hpp"
#include "stream/parse/json_members.hpp"

namespace tidemark {
namespace {

/// Key or value: text, base64, or null.
std::string bytes_json(std::string_view name, const std::optional<std::string>& bytes) {
  if (!bytes) return fmt::format(R"(,"{}":null)", name);
  if (invalid_utf8_offset(*bytes)) return fmt::format(R"(,"{}_base64":"{}")", name, base64(*bytes));
  return fmt::format(R"(,"{}":{})", name, json_string(*bytes));
}

struct Wrong {
  std::string what;
};

/// Takes members out by name; what is left in the end is unknown.
class Taker {
 public:
  explicit Taker(std::vector<JsonMember> members) : members_(std::move(members)) {}

  std::optional<JsonMember> find(std::string_view name) {
    const auto at = std::find_if(members_.begin(), members_.end(),
                                 [name](const JsonMember& m) { return m.name == name; });
    if (at == members_.end()) return std::nullopt;
    JsonMember found = std::move(*at);
    members_.erase(at);
    return found;
  }

  std::string text(const std::string& name) {
    auto member = require(name);
    if (member.kind != JsonKind::string) throw Wrong{name + ": is no string"};
    return std::move(member.text);
  }

  template <typename Number>
  Number number(const std::string& name, Number least) {
    const auto member = require(name);
    Number number{};
    const char* const end = member.text.data() + member.text.size();
    const auto [stop, error] = std::from_chars(member.text.data(), end, number);
    if (member.kind != JsonKind::number || error != std::errc() || stop != end || number < least) {
      throw Wrong{fmt::format("{}: is no whole number from {}", name, least)};
    }
    return number;
  }

  RecordPlace place(const std::string& before) {
    RecordPlace place;
    place.topic = text(before + "topic");
    place.partition = number(before + "partition", 0);
    place.offset = number(before + "offset", std::int64_t{0});
    return place;
  }

  /// `name` as text or null, or `name`_base64; both are one too many.
  std::optional<std::string> bytes(const std::string& name) {
    const std::string encoded = name + "_base64";
    auto plain = find(name);
    const auto packed = find(encoded);
    if (plain && packed) throw Wrong{fmt::format("{}: is there beside {}", name, encoded)};
    if (!plain && !packed) throw_missing(name);
    const JsonMember& given = plain ? *plain : *packed;
    if (given.kind == JsonKind::null) return std::nullopt;
    if (given.kind != JsonKind::string) throw Wrong{given.name + ": is no string"};
    if (plain) return std::move(plain->text);
    auto decoded = from_base64(packed->text);
    if (!decoded) throw Wrong{encoded + ": is no base64"};
    return decoded;
  }

  void done() const {
    if (members_.empty()) return;
    throw Wrong{one_line(members_.front().name, 48) + ": is no field of a letter"};
  }

 private:
  JsonMember require(const std::string& name) {
    auto member = find(name);
    if (!member) throw_missing(name);
    return std::move(*member);
  }

  /// An event that was left an object in place of its text is the likeliest slip.
  [[noreturn]] void throw_missing(const std::string& name) const {
    const bool object = std::any_of(members_.begin(), members_.end(), [&](const JsonMember& m) {
      return m.name.starts_with(name + ".");
    });
    throw Wrong{name + (object ? ": is an object, not a string" : ": is missing")};
  }

  std::vector<JsonMember> members_;
};

}  // namespace

std::string to_text(const RecordPlace& place) {
  return fmt::format("{}/{}/{}", place.topic, place.partition, place.offset);
}

std::string letter_line(const DeadLetter& letter) {
  std::string line =
      fmt::format(R"({{"letter":{{"topic":{},"partition":{},"offset":{}}},"error":{},"message":{})",
                  json_string(letter.letter.topic), letter.letter.partition, letter.letter.offset,
                  json_string(letter.error), json_string(letter.message));
  line +=
      fmt::format(R"(,"topic":{},"partition":{},"offset":{})", json_string(letter.original.topic),
                  letter.original.partition, letter.original.offset);
  line += bytes_json("key", letter.key) + bytes_json("value", letter.value);
  return line + '}';
}

std::optional<DeadLetter> read_letter_line(std::string_view line, std::string& error) {
  auto members = read_json_members(line, error);
  if (!members) return std::nullopt;
  try {
    Taker take(std::move(*members));
    DeadLetter letter;
    letter.letter = take.place("letter.");
    letter.error = take.text("error");
    letter.message = take.text("message");
    letter.original = take.place("");
    letter.key = take.bytes("key");
    letter.value = take.bytes("value");
    take.done();
    return letter;
  } catch (const Wrong& wrong) {
    error = wrong.what;
    return std::nullopt;
  }
}

}  // namespace tidemark
