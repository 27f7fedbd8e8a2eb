// JSON text into a model document, in one pass over the characters: nine tenths of a model are
// arrays of numbers, and an index of where everything stands would cost more than reading it.
#include <fmt/format.h>

#include <algorithm>

#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"
#include "models/json_number.hpp"
#include "models/model_document.hpp"
#include "models/text_reader.hpp"

namespace tidemark {
namespace {

bool is_space(char c) {
  return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  DocumentValue run() {
    if (const auto bad = invalid_utf8_offset(text_)) fail_at(*bad, "invalid UTF-8");
    // With a brace at the end no number or word can run beyond it.
    at_ = text_.data();
    end_ = at_ + text_.size();
    while (end_ != at_ && is_space(end_[-1])) --end_;
    if (end_ == at_ || end_[-1] != '}') {
      at_ = end_;
      fail("truncated, or something follows the document");
    }
    DocumentValue value = read(0);
    if (at_ != end_) fail("something follows the document");
    return value;
  }

 private:
  [[noreturn]] void fail_at(std::size_t byte, std::string_view what) const {
    const std::string_view rest = text_.substr(std::min(byte, text_.size())).substr(0, 20);
    const std::string near = rest.empty() ? "" : fmt::format(", near '{}'", shown(rest));
    throw UsageError(fmt::format("{}: not a JSON model at byte {}{}: {}", name_, byte, near, what));
  }
  [[noreturn]] void fail(std::string_view what) const {
    fail_at(static_cast<std::size_t>(at_ - text_.data()), what);
  }

  /// The next character that is no space; 0 at the end.
  char peek() {
    while (at_ != end_ && is_space(*at_)) ++at_;
    return at_ == end_ ? '\0' : *at_;
  }

  void take(char due) {
    if (peek() != due) fail(fmt::format("'{}' is due", due));
    ++at_;
  }

  /// Whether another value follows in a container that `close` ends; `first`: none came before.
  bool another(char close, bool first) {
    const char next = peek();
    if (next == close) {
      ++at_;
      return false;
    }
    if (!first) take(',');
    return true;
  }

  DocumentValue read(int depth) {
    if (depth > document_depth_max) fail("nested too deeply");
    if (++values_ > document_values_max) fail("too many values");
    DocumentValue value;
    switch (peek()) {
      case '{':
        read_object(depth, value);
        break;
      case '[':
        read_array(depth, value);
        break;
      case '"':
        value.kind = DocumentValue::Kind::text;
        value.text = read_text();
        break;
      case 'n':
        if (!std::string_view(at_, end_).starts_with("null")) fail("a value is due");
        at_ += 4;
        break;
      default:
        value.kind = DocumentValue::Kind::number;
        value.number = read_number();
    }
    return value;
  }

  void read_object(int depth, DocumentValue& value) {
    value.kind = DocumentValue::Kind::object;
    take('{');
    while (another('}', value.members.empty())) {
      if (peek() != '"') fail("a name is due");
      std::string name = read_text();
      take(':');
      value.members.push_back({std::move(name), read(depth + 1)});
    }
  }

  /// Numbers alone, which an empty array is too, or no number among the values.
  void read_array(int depth, DocumentValue& value) {
    take('[');
    const char first = peek();
    if (first == '{' || first == '[' || first == '"' || first == 'n') {
      value.kind = DocumentValue::Kind::list;
      while (another(']', value.list.empty())) value.list.push_back(read(depth + 1));
      return;
    }
    value.kind = DocumentValue::Kind::numbers;
    numbers_.clear();
    while (another(']', numbers_.empty())) numbers_.push_back(read_number());
    value.numbers.assign(numbers_.begin(), numbers_.end());
  }

  double read_number() {
    double value = 0;
    const char* const end = peek() == '\0' ? nullptr : read_json_number(at_, value);
    if (end == nullptr) fail("a number that is a float32 is due");
    at_ = end;
    return value;
  }

  std::string read_text() {
    take('"');
    std::string text;
    for (;; ++at_) {
      const char* const special = std::find_if(at_, end_, [](char c) {
        return c == '"' || c == '\\' || static_cast<unsigned char>(c) < ' ';
      });
      text.append(at_, special);
      at_ = special;
      if (at_ == end_) fail("a text without its end");
      if (*at_ == '"') break;
      if (*at_ != '\\') fail("a control character in a text");
      ++at_;
      read_escape(text);
    }
    ++at_;
    return text;
  }

  /// What follows a backslash; the last character of it is left for the caller to pass.
  void read_escape(std::string& text) {
    constexpr std::string_view names = "\"\\/bfnrt", meanings = "\"\\/\b\f\n\r\t";
    if (at_ == end_) fail("a text without its end");
    if (*at_ != 'u') {
      const std::size_t which = names.find(*at_);
      if (which == std::string_view::npos) fail("an escape that JSON does not have");
      text += meanings[which];
      return;
    }
    std::uint32_t code = read_hex();
    if (code >= 0xD800 && code < 0xDC00 && end_ - at_ > 2 && at_[1] == '\\' && at_[2] == 'u') {
      at_ += 2;
      const std::uint32_t low = read_hex();
      if (low < 0xDC00 || low >= 0xE000) fail("half of a surrogate pair");
      code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00);
    }
    if (code >= 0xD800 && code < 0xE000) fail("half of a surrogate pair");
    append_utf8(code, text);
  }

  /// Four digits behind the u at hand; the last one is left for the caller to pass.
  std::uint32_t read_hex() {
    std::uint32_t code = 0;
    for (int i = 0; i < 4; ++i) {
      constexpr std::string_view digits = "0123456789abcdef0123456789ABCDEF";
      const std::size_t digit = ++at_ == end_ ? std::string_view::npos : digits.find(*at_);
      if (digit == std::string_view::npos) fail("four hexadecimal digits are due");
      code = code << 4 | static_cast<std::uint32_t>(digit % 16);
    }
    return code;
  }

  static void append_utf8(std::uint32_t code, std::string& text) {
    const auto byte = [&](std::uint32_t bits) { text += static_cast<char>(bits); };
    const auto more = [&](int shift) { byte(0x80 | (code >> shift & 0x3F)); };
    if (code < 0x80) return byte(code);
    if (code < 0x800) {
      byte(0xC0 | code >> 6);
    } else if (code < 0x10000) {
      byte(0xE0 | code >> 12);
      more(6);
    } else {
      byte(0xF0 | code >> 18);
      more(12);
      more(6);
    }
    more(0);
  }

  const std::string_view text_, name_;
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  std::size_t values_ = 0;
  std::vector<double> numbers_;  // of the array at hand
};

}  // namespace

DocumentValue parse_json(std::string_view text, std::string_view name) {
  return JsonReader(text, name).run();
}

}  // namespace tidemark
