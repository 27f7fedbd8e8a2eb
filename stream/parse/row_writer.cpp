// RowWriter: the fields one by one, and how each can be wrong. The six kinds of events are put
// together from these in row_writer_events.cpp.
#include "stream/parse/row_writer.hpp"

#include <absl/time/time.h>
#include <fmt/format.h>

#include <charconv>
#include <mutex>

#include "kernels/base/currency.hpp"
#include "stream/parse/amount.hpp"
#include "stream/parse/hash.hpp"
#include "stream/parse/json_text.hpp"
#include "stream/parse/time.hpp"

namespace tidemark {
namespace {

/// Guards `profiles` and `owners` of whatever batch several parsers fill. One lock for all batches:
/// it is taken once a call, and only where a call met a profile or an escape.
std::mutex& merge_mutex() {
  static std::mutex mutex;
  return mutex;
}

constexpr std::size_t time_zones_max = 1024;

std::string_view name_of_kind(TokenKind kind) {
  switch (kind) {
    case TokenKind::absent:
      return "nothing";
    case TokenKind::null:
      return "null";
    case TokenKind::boolean:
      return "a boolean";
    case TokenKind::number:
      return "a number";
    case TokenKind::string:
      return "a string";
    case TokenKind::object:
      return "an object";
    case TokenKind::array:
      break;
  }
  return "an array";
}

/// Abseil also loads paths and pseudo zones; a profile may only name what IANA does.
bool is_iana_name(const std::string& name) {
  if (name.empty() || name.size() > 64 || name[0] < 'A' || name[0] > 'Z') return false;
  for (const char c : name) {
    const bool letter = (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
    if (!letter && !(c >= '0' && c <= '9') && c != '_' && c != '-' && c != '+' && c != '/') {
      return false;
    }
  }
  absl::TimeZone zone;
  return name.rfind("Fixed/", 0) != 0 && absl::LoadTimeZone(name, &zone);
}

}  // namespace

void RowWriter::begin(EventBatch& batch) {
  batch_ = &batch;
}

void RowWriter::finish() {
  if (profiles_.empty() && kept_ == nullptr) return;
  const std::lock_guard lock(merge_mutex());
  for (auto& [row, profile] : profiles_) {
    batch_->profile_index[row] = static_cast<std::int32_t>(batch_->profiles.size());
    batch_->profiles.push_back(std::move(profile));
  }
  if (kept_ != nullptr) batch_->owners.push_back(std::move(kept_));
  profiles_.clear();
  kept_.reset();
}

void RowWriter::add_profile(Profile profile) {
  profiles_.emplace_back(row_, std::move(profile));
}

bool RowWriter::fail(RowError error, std::string_view field, std::string_view what) {
  error_ = error;
  message_ = fmt::format("{}: {}", field, what);
  return false;
}

bool RowWriter::fail_value(RowError error, Field field, std::string_view what) {
  const Token& token = (*document_)[field];
  const std::string_view shown = token.kind == TokenKind::string ? text(token) : token.text;
  return fail(error, name_of(field), fmt::format("{}: {}", what, quote_for_message(shown)));
}

bool RowWriter::wrong_type(std::string_view field, const Token& token, std::string_view wanted) {
  return fail(RowError::wrong_type, field,
              fmt::format("must be {}, not {}", wanted, name_of_kind(token.kind)));
}

std::string_view RowWriter::text(const Token& token) {
  if (!token.escaped) return token.text;
  unescape_json(token.text, scratch_);
  return scratch_;
}

std::string_view RowWriter::kept_text(const Token& token) {
  if (!token.escaped) return token.text;
  if (kept_ == nullptr) kept_ = std::make_shared<std::deque<std::string>>();
  unescape_json(token.text, kept_->emplace_back());
  return kept_->back();
}

std::string_view RowWriter::readable_id(Field field) {
  if (!document_->has(field)) return {};
  const Token& token = (*document_)[field];
  return token.kind == TokenKind::string ? kept_text(token) : std::string_view{};
}

bool RowWriter::present(Field field) {
  return document_->has(field) && (*document_)[field].kind != TokenKind::null;
}

bool RowWriter::require_text(Field field) {
  if (!present(field)) {
    return fail(RowError::missing_field, name_of(field),
                document_->has(field) ? "is required but null" : "is required but missing");
  }
  const Token& token = (*document_)[field];
  if (token.kind != TokenKind::string) return wrong_type(name_of(field), token, "a string");
  if (token.text.empty()) return fail(RowError::empty_field, name_of(field), "is empty");
  return true;
}

bool RowWriter::require_time() {
  if (time_ok_) return true;
  if (!present(Field::event_time)) {
    return fail(
        RowError::missing_field, name_of(Field::event_time),
        document_->has(Field::event_time) ? "is required but null" : "is required but missing");
  }
  std::int64_t ignored = 0;
  return optional_time(Field::event_time, ignored);
}

bool RowWriter::optional_time(Field field, std::int64_t& ms) {
  return !present(field) || read_time(name_of(field), (*document_)[field], ms);
}

bool RowWriter::read_time(std::string_view field, const Token& token, std::int64_t& ms) {
  // A merchant may be older than any event.
  const bool old = field == name_of(Field::opened_at);
  const std::int64_t least_ms = old ? calendar_ms_min : event_time_ms_min;
  std::string_view what;
  switch (token.kind) {
    case TokenKind::string:
      if (token.text.empty()) return fail(RowError::empty_field, field, "is empty");
      if (parse_rfc3339(text(token), ms, least_ms)) return true;
      what = "is no RFC 3339 time with an offset";
      break;
    case TokenKind::number:
      if (parse_epoch_ms(token.text, ms, least_ms)) return true;
      what = "is no whole number of epoch milliseconds";
      break;
    default:
      return wrong_type(field, token, "an RFC 3339 string or epoch milliseconds");
  }
  return fail(
      RowError::invalid_time, field,
      fmt::format("{} from {} to 2261: {}", what, old ? 1 : 1970, quote_for_message(text(token))));
}

bool RowWriter::require_amount(std::int64_t& minor, CurrencyCode& currency) {
  // The text first, then the currency, then both together: precision and range depend on it.
  if (!require_text(Field::amount)) return false;
  const std::string_view digits = kept_text((*document_)[Field::amount]);
  switch (check_amount(digits)) {
    case AmountError::none:
      break;
    case AmountError::negative:
      return fail_value(RowError::negative_amount, Field::amount,
                        "is negative, but the type gives the sign");
    default:
      return fail_value(RowError::invalid_amount, Field::amount, "is no plain decimal number");
  }
  if (!require_text(Field::currency) || !optional_currency(currency)) return false;
  const int exponent = currency_exponent(currency);
  switch (convert_amount(digits, exponent, minor)) {
    case AmountError::none:
      return true;
    case AmountError::precision:
      return fail_value(RowError::amount_precision, Field::amount,
                        fmt::format("more digits after the point than {} has ({})",
                                    currency_letters(currency), exponent));
    default:
      return fail_value(RowError::amount_overflow, Field::amount, "is more than 64 bits hold");
  }
}

bool RowWriter::optional_currency(CurrencyCode& currency) {
  if (!present(Field::currency)) return true;
  const Token& token = (*document_)[Field::currency];
  if (token.kind != TokenKind::string) return wrong_type("currency", token, "a string");
  currency = pack_currency(text(token));
  if (currency_exponent(currency) != unknown_currency_exponent) return true;
  return fail_value(RowError::unknown_currency, Field::currency, "is no ISO 4217 code");
}

bool RowWriter::optional_hash(Field field, std::uint64_t& hash) {
  if (!present(field)) return true;
  const Token& token = (*document_)[field];
  if (token.kind != TokenKind::string) return wrong_type(name_of(field), token, "a string");
  hash = hash_id(text(token));
  return true;
}

bool RowWriter::optional_text(Field field, std::string& out) {
  if (!present(field)) return true;
  const Token& token = (*document_)[field];
  if (token.kind != TokenKind::string) return wrong_type(name_of(field), token, "a string");
  out = text(token);
  return true;
}

bool RowWriter::optional_certified() {
  bool certified = true;
  if (present(Field::certified)) {
    const Token& token = (*document_)[Field::certified];
    if (token.kind != TokenKind::boolean) return wrong_type("certified", token, "a boolean");
    certified = token.text.front() == 't';
  }
  if (certified) batch_->flags[row_] |= flag_certified;
  return true;
}

bool RowWriter::read_number(std::string_view field, const Token& token, double& value) {
  if (token.kind != TokenKind::number) return wrong_type(field, token, "a number");
  const char* end = token.text.data() + token.text.size();
  const auto [stop, error] = std::from_chars(token.text.data(), end, value);
  if (error == std::errc{} && stop == end) return true;
  return fail(RowError::invalid_number, field,
              fmt::format("is beyond a double: {}", quote_for_message(token.text)));
}

bool RowWriter::read_time_zone(std::string& name) {
  if (!optional_text(Field::time_zone, name) || name.empty()) return error_ == RowError::none;
  auto known = time_zones_.find(name);
  if (known == time_zones_.end()) {
    if (time_zones_.size() >= time_zones_max) time_zones_.clear();
    known = time_zones_.emplace(name, is_iana_name(name)).first;
  }
  if (known->second) return true;
  return fail_value(RowError::unknown_time_zone, Field::time_zone, "is no IANA time zone");
}

}  // namespace tidemark
