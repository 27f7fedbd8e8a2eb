// A model file of nested objects, from JSON or UBJSON, as one tree of values, and a way through it
// that knows where it is when something does not fit. Used at load by one thread. It knows no
// trainer.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace tidemark {

struct DocumentMember;

/// Arrays of numbers or booleans alone are kept as numbers. A number with a point or an exponent is
/// the nearest float32, as the trainer reads it; others are exact up to 2^53.
struct DocumentValue {
  enum class Kind : std::uint8_t { null, number, text, numbers, list, object };
  Kind kind = Kind::null;
  double number = 0;  // true: 1, false: 0
  std::string text;
  std::vector<double> numbers;
  std::vector<DocumentValue> list;
  std::vector<DocumentMember> members;
};

struct DocumentMember {
  std::string name;
  DocumentValue value;
};

/// Deeper or larger documents are refused: memory stays in proportion to the file.
inline constexpr int document_depth_max = 32;
inline constexpr std::size_t document_values_max = 4'000'000;

/// Both throw UsageError, one line naming `name`, the byte and what is wrong there.
DocumentValue parse_json(std::string_view text, std::string_view name);
DocumentValue parse_ubjson(std::string_view bytes, std::string_view name);

/// Whether an object's text begins as UBJSON's do: with a marker, where JSON has a key or a brace.
bool looks_like_ubjson(std::string_view bytes);

/// A value and the path that led to it. All failures throw UsageError "file: path: what".
class DocumentPlace {
 public:
  DocumentPlace(const DocumentValue& value, std::string_view file, std::string path = "")
      : value_(&value), file_(file), path_(std::move(path)) {}

  [[noreturn]] void fail(std::string_view what) const;
  DocumentPlace at(std::string_view key) const;
  std::optional<DocumentPlace> find(std::string_view key) const;
  /// Items of an array that is no array of numbers; an empty one is both.
  std::vector<DocumentPlace> items() const;
  const std::string& text() const;
  /// A number written as text, as XGBoost writes parameters.
  std::int64_t integer_text(std::int64_t least, std::int64_t most) const;
  std::span<const double> numbers() const;
  std::span<const double> numbers(std::size_t count) const;
  /// Numbers that are whole and within [least, most].
  std::vector<std::int32_t> integers(std::size_t count, std::int64_t least,
                                     std::int64_t most) const;

 private:
  const DocumentValue* value_;
  std::string_view file_;
  std::string path_;
};

}  // namespace tidemark
