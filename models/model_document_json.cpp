// JSON text into a model document. simdjson finds the structure and checks UTF-8; numbers are read
// here, for a float32 is not what one gets by way of a double.
#include <fmt/format.h>
#include <simdjson.h>

#include <charconv>
#include <limits>
#include <optional>

#include "kernels/base/failure.hpp"
#include "models/model_document.hpp"
#include "models/text_reader.hpp"

namespace tidemark {
namespace {

namespace ondemand = simdjson::ondemand;

class JsonReader {
 public:
  JsonReader(std::string_view text, std::string_view name) : text_(text), name_(name) {}

  DocumentValue run() {
    const simdjson::padded_string padded(text_);
    ondemand::parser parser;
    ondemand::document document;  // lives as long as messages ask it for a place
    try {
      document = parser.iterate(padded);
      document_ = &document;
      ondemand::value root = document.get_value();
      DocumentValue value = read(root, 0);
      const char* rest = nullptr;
      if (document.current_location().get(rest) == simdjson::SUCCESS) {
        fail("something follows the document");
      }
      return value;
    } catch (const simdjson::simdjson_error& error) {
      fail(error.what());
    }
  }

 private:
  [[noreturn]] void fail(std::string_view what) const {
    const char* at = nullptr;
    if (document_ != nullptr && document_->current_location().get(at) == simdjson::SUCCESS) {
      throw UsageError(fmt::format("{}: not a JSON model near '{}': {}", name_,
                                   shown(std::string_view(at).substr(0, 20)), what));
    }
    throw UsageError(fmt::format("{}: not a JSON model: {}", name_, what));
  }

  DocumentValue read(ondemand::value& from, int depth) {
    if (depth > document_depth_max) fail("nested too deeply");
    if (++values_ > document_values_max) fail("too many values");
    DocumentValue value;
    const ondemand::json_type type = from.type();
    switch (type) {
      case ondemand::json_type::object:
        value.kind = DocumentValue::Kind::object;
        for (auto field : from.get_object()) {
          std::string key(std::string_view(field.unescaped_key()));
          ondemand::value member = field.value();
          value.members.push_back({std::move(key), read(member, depth + 1)});
        }
        break;
      case ondemand::json_type::array:
        read_array(from, depth, value);
        break;
      case ondemand::json_type::string:
        value.kind = DocumentValue::Kind::text;
        value.text = std::string_view(from.get_string());
        break;
      case ondemand::json_type::null:
        if (!from.is_null()) fail("a word that JSON does not have");
        break;
      default:
        value.kind = DocumentValue::Kind::number;
        value.number = read_number(from);
    }
    return value;
  }

  /// Numbers stay numbers as long as nothing else comes.
  void read_array(ondemand::value& from, int depth, DocumentValue& value) {
    value.kind = DocumentValue::Kind::numbers;
    for (auto item : from.get_array()) {
      ondemand::value element = item.value();
      if (const auto odd = beyond_json(element.raw_json_token())) {
        // Not moving on is moving on: the array skips what has not been read.
        if (value.kind != DocumentValue::Kind::numbers) fail("numbers among other values");
        value.numbers.push_back(*odd);
        continue;
      }
      const ondemand::json_type type = element.type();
      const bool number =
          type == ondemand::json_type::number || type == ondemand::json_type::boolean;
      if (number && value.kind == DocumentValue::Kind::numbers) {
        value.numbers.push_back(read_number(element));
        continue;
      }
      if (value.kind == DocumentValue::Kind::numbers) {
        if (!value.numbers.empty()) fail("numbers and other values in one array");
        value.kind = DocumentValue::Kind::list;
      }
      value.list.push_back(read(element, depth + 1));
    }
  }

  /// XGBoost writes NaN and infinities, as JSON does not, where a value does not matter.
  static std::optional<double> beyond_json(std::string_view token) {
    constexpr double infinity = std::numeric_limits<double>::infinity();
    if (token.starts_with("NaN")) return std::numeric_limits<double>::quiet_NaN();
    if (token.starts_with("Infinity")) return infinity;
    if (token.starts_with("-Infinity")) return -infinity;
    return std::nullopt;
  }

  double read_number(ondemand::value& from) {
    const ondemand::json_type type = from.type();
    if (type == ondemand::json_type::boolean) return bool(from.get_bool()) ? 1 : 0;
    std::string_view token = from.raw_json_token();
    // One pass over the characters: a model has a number every few bytes.
    std::size_t length = 0;
    bool fraction = false;
    for (; length < token.size(); ++length) {
      const char c = token[length];
      const bool of_fraction = c == '.' || c == 'e' || c == 'E';
      if (!of_fraction && c != '-' && c != '+' && !(c >= '0' && c <= '9')) break;
      fraction |= of_fraction;
    }
    token = token.substr(0, length);
    from.get_double().value();  // moves on, and knows what a JSON number may look like
    const char* const end = token.data() + token.size();
    if (!fraction) {
      std::int64_t whole = 0;
      const auto read = std::from_chars(token.data(), end, whole);
      if (read.ec == std::errc() && read.ptr == end) return static_cast<double>(whole);
    }
    float value = 0;
    const auto read = std::from_chars(token.data(), end, value);
    if (read.ec != std::errc() || read.ptr != end) {
      fail(fmt::format("{} is not a float32", shown(token)));
    }
    return static_cast<double>(value);
  }

  const std::string_view text_, name_;
  ondemand::document* document_ = nullptr;
  std::size_t values_ = 0;
};

}  // namespace

DocumentValue parse_json(std::string_view text, std::string_view name) {
  return JsonReader(text, name).run();
}

}  // namespace tidemark
