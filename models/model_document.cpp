// The way through a model document: see the header.
#include "models/model_document.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "kernels/base/failure.hpp"
#include "models/text_reader.hpp"

namespace tidemark {

void DocumentPlace::fail(std::string_view what) const {
  if (path_.empty()) throw UsageError(fmt::format("{}: {}", file_, what));
  throw UsageError(fmt::format("{}: {}: {}", file_, path_, what));
}

std::optional<DocumentPlace> DocumentPlace::find(std::string_view key) const {
  if (value_->kind != DocumentValue::Kind::object) fail("is not an object");
  std::optional<DocumentPlace> found;
  for (const auto& [name, value] : value_->members) {
    if (name != key) continue;
    const std::string path = path_.empty() ? name : path_ + "." + name;
    if (found) DocumentPlace(value, file_, path).fail("stands twice");
    found.emplace(value, file_, path);
  }
  return found;
}

DocumentPlace DocumentPlace::at(std::string_view key) const {
  auto found = find(key);
  if (!found) fail(fmt::format("'{}' is missing", key));
  return *found;
}

std::vector<DocumentPlace> DocumentPlace::items() const {
  const bool empty = value_->kind == DocumentValue::Kind::numbers && value_->numbers.empty();
  if (value_->kind != DocumentValue::Kind::list && !empty) fail("is not a list");
  std::vector<DocumentPlace> places;
  places.reserve(value_->list.size());
  for (std::size_t i = 0; i < value_->list.size(); ++i) {
    places.emplace_back(value_->list[i], file_, fmt::format("{}[{}]", path_, i));
  }
  return places;
}

const std::string& DocumentPlace::text() const {
  if (value_->kind != DocumentValue::Kind::text) fail("is not a text");
  return value_->text;
}

std::int64_t DocumentPlace::integer_text(std::int64_t least, std::int64_t most) const {
  const std::string& word = text();
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), value);
  if (error != std::errc() || end != word.data() + word.size()) {
    fail(fmt::format("'{}' is not an integer", shown(word)));
  }
  if (value < least || value > most) {
    fail(fmt::format("{} is outside [{}, {}]", value, least, most));
  }
  return value;
}

std::span<const double> DocumentPlace::numbers() const {
  if (value_->kind != DocumentValue::Kind::numbers) fail("is not an array of numbers");
  return value_->numbers;
}

std::span<const double> DocumentPlace::numbers(std::size_t count) const {
  const auto values = numbers();
  if (values.size() != count) fail(fmt::format("{} values, {} are due", values.size(), count));
  return values;
}

std::vector<std::int32_t> DocumentPlace::integers(std::size_t count, std::int64_t least,
                                                  std::int64_t most) const {
  std::vector<std::int32_t> integers;
  integers.reserve(count);
  for (const double value : numbers(count)) {
    if (!(value >= static_cast<double>(least) && value <= static_cast<double>(most)) ||
        value != std::floor(value)) {
      fail(fmt::format("[{}] is {}, an integer in [{}, {}] is due", integers.size(), value, least,
                       most));
    }
    integers.push_back(static_cast<std::int32_t>(value));
  }
  return integers;
}

}  // namespace tidemark
