// UBJSON (draft 12) into a model document: markers of one byte, big-endian numbers, and containers
// that may state the type and number of what they hold. Every count is checked against the bytes
// that are left before memory is taken for it.
#include <fmt/format.h>

#include <bit>
#include <cstring>

#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"
#include "models/model_document.hpp"

namespace tidemark {
namespace {

class UbjsonReader {
 public:
  UbjsonReader(std::string_view bytes, std::string_view name) : bytes_(bytes), name_(name) {}

  DocumentValue run() {
    DocumentValue value = read(marker(), 0);
    if (at_ != bytes_.size()) fail("something follows the document");
    return value;
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    throw UsageError(fmt::format("{}: byte {}: {}", name_, at_, what));
  }

  std::string_view take(std::size_t count) {
    if (count > bytes_.size() - at_) fail("truncated");
    const std::string_view taken = bytes_.substr(at_, count);
    at_ += count;
    return taken;
  }

  char peek() const {
    if (at_ >= bytes_.size()) fail("truncated");
    return bytes_[at_];
  }

  /// The next marker; N is a filler that means nothing.
  char marker() {
    char next = take(1)[0];
    while (next == 'N') next = take(1)[0];
    return next;
  }

  std::uint64_t big_endian(std::size_t count) {
    std::uint64_t value = 0;
    for (const char byte : take(count)) value = value << 8 | static_cast<unsigned char>(byte);
    return value;
  }

  /// Bytes of a number of that type; 0 where it is none.
  static std::size_t bytes_of(char type) {
    switch (type) {
      case 'i':
      case 'U':
        return 1;
      case 'I':
        return 2;
      case 'l':
      case 'd':
        return 4;
      case 'L':
      case 'D':
        return 8;
      default:
        return 0;
    }
  }

  double number(char type) {
    const std::uint64_t bits = big_endian(bytes_of(type));
    switch (type) {
      case 'i':
        return static_cast<std::int8_t>(bits);
      case 'U':
        return static_cast<double>(bits);
      case 'I':
        return static_cast<std::int16_t>(bits);
      case 'l':
        return static_cast<std::int32_t>(bits);
      case 'L':
        return static_cast<double>(static_cast<std::int64_t>(bits));
      case 'd':
        return static_cast<double>(std::bit_cast<float>(static_cast<std::uint32_t>(bits)));
      default:
        return static_cast<double>(static_cast<float>(std::bit_cast<double>(bits)));
    }
  }

  std::size_t length() {
    const char type = take(1)[0];
    if (bytes_of(type) == 0 || type == 'd' || type == 'D') fail("a length is due");
    const double count = number(type);
    if (count < 0) fail("a negative length");
    if (count > static_cast<double>(bytes_.size())) fail("a length beyond the file");
    return static_cast<std::size_t>(count);
  }

  std::string text() {
    const std::size_t begin = at_;
    const std::string_view taken = take(length());
    if (invalid_utf8_offset(taken)) {
      at_ = begin;
      fail("invalid UTF-8");
    }
    return std::string(taken);
  }

  DocumentValue read(char type, int depth) {
    if (depth > document_depth_max) fail("nested too deeply");
    if (++values_ > document_values_max) fail("too many values");
    DocumentValue value;
    if (bytes_of(type) > 0 || type == 'T' || type == 'F') {
      value.kind = DocumentValue::Kind::number;
      value.number = scalar(type);
    } else if (type == 'S' || type == 'C') {
      value.kind = DocumentValue::Kind::text;
      value.text = type == 'S' ? text() : std::string(take(1));
    } else if (type == '{') {
      read_object(depth, value);
    } else if (type == '[') {
      read_array(depth, value);
    } else if (type != 'Z') {
      fail(fmt::format("unknown marker 0x{:02x}", static_cast<unsigned char>(type)));
    }
    return value;
  }

  double scalar(char type) { return type == 'T' ? 1 : type == 'F' ? 0 : number(type); }

  /// What a container says of itself before its first value.
  struct Header {
    char type = 0;  // of all values; 0: each has its marker
    bool counted = false;
    std::size_t count = 0;
  };

  Header header() {
    Header found;
    if (peek() == '$') {
      take(1);
      found.type = take(1)[0];
      if (peek() != '#') fail("a type without a count");
    }
    if (peek() == '#') {
      take(1);
      found.counted = true;
      found.count = length();
    }
    return found;
  }

  void read_object(int depth, DocumentValue& value) {
    value.kind = DocumentValue::Kind::object;
    const Header said = header();
    for (std::size_t i = 0; said.counted ? i < said.count : peek() != '}'; ++i) {
      std::string key = text();
      const char type = said.type != 0 ? said.type : marker();
      value.members.push_back({std::move(key), read(type, depth + 1)});
    }
    if (!said.counted) take(1);
  }

  void read_array(int depth, DocumentValue& value) {
    value.kind = DocumentValue::Kind::numbers;
    const Header said = header();
    if (said.type != 0 && bytes_of(said.type) > 0) {
      if (said.count > (bytes_.size() - at_) / bytes_of(said.type)) fail("truncated");
      value.numbers.reserve(said.count);
      for (std::size_t i = 0; i < said.count; ++i) value.numbers.push_back(number(said.type));
      return;
    }
    for (std::size_t i = 0; said.counted ? i < said.count : peek() != ']'; ++i) {
      const char type = said.type != 0 ? said.type : marker();
      const bool number = bytes_of(type) > 0 || type == 'T' || type == 'F';
      if (number && value.kind == DocumentValue::Kind::numbers) {
        value.numbers.push_back(scalar(type));
        continue;
      }
      if (value.kind == DocumentValue::Kind::numbers) {
        if (!value.numbers.empty()) fail("numbers and other values in one array");
        value.kind = DocumentValue::Kind::list;
      }
      value.list.push_back(read(type, depth + 1));
    }
    if (!said.counted) take(1);
  }

  const std::string_view bytes_, name_;
  std::size_t at_ = 0, values_ = 0;
};

}  // namespace

DocumentValue parse_ubjson(std::string_view bytes, std::string_view name) {
  return UbjsonReader(bytes, name).run();
}

bool looks_like_ubjson(std::string_view bytes) {
  return bytes.size() > 1 && bytes[0] == '{' && std::strchr("iUIlL$#N", bytes[1]) != nullptr &&
         bytes[1] != '\0';
}

}  // namespace tidemark
