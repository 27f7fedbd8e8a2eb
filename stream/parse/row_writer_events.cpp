// RowWriter: the six kinds of events, each field in the order of the contract, so that the first
// error is the one reported. Columns are written only when the whole row is good.
#include <fmt/format.h>

#include "kernels/base/currency.hpp"
#include "stream/parse/hash.hpp"
#include "stream/parse/json_text.hpp"
#include "stream/parse/row_writer.hpp"
#include "stream/parse/time.hpp"

namespace tidemark {
namespace {

/// Relief and emergency factors beyond this are typing errors.
constexpr double overlay_factor_max = 10.0;

bool is_missing(const Token& token) {
  return token.kind == TokenKind::absent || token.kind == TokenKind::null;
}

}  // namespace

template <std::size_t N>
bool RowWriter::read_type(const std::pair<std::string_view, EventType> (&names)[N],
                          EventType& type) {
  if (!require_text(Field::type)) return false;
  const std::string_view wanted = text((*document_)[Field::type]);
  for (const auto& [name, value] : names) {
    if (wanted == name) {
      type = value;
      return true;
    }
  }
  return fail_value(RowError::unknown_type, Field::type, "is no type of this source");
}

void RowWriter::locate(const RawRecord& record, std::size_t row) {
  EventBatch& b = *batch_;
  b.source[row] = record.source;
  b.partition[row] = record.partition;
  b.offset[row] = record.offset;
  b.kafka_time_ms[row] = record.kafka_time_ms;
  b.raw_value[row] = record.value;
  b.headers[row] = record.headers;
  b.raw_key[row] = record.key;
}

void RowWriter::reject(std::size_t row, RowError error, std::string message) {
  EventBatch& b = *batch_;
  b.outcome[row] = Outcome::dead_lettered;
  b.error[row] = error;
  b.error_message[row] = std::move(message);
  b.type[row] = EventType::none;
  b.flags[row] &= flag_time_readable;
}

void RowWriter::write(const RawRecord& record, const Document& document, std::size_t row) {
  document_ = &document;
  row_ = row;
  error_ = RowError::none;
  EventBatch& b = *batch_;
  const std::size_t profiles_before = profiles_.size();
  const bool keyed = record.source != Source::control;
  if (keyed) b.merchant_id[row] = readable_id(Field::merchant_id);
  if (record.source != Source::merchants) b.event_id[row] = readable_id(Field::event_id);
  // The time is read whatever else is wrong: how a bad row merges may depend on it.
  std::int64_t event_time_ms = no_time;
  time_ok_ = optional_time(Field::event_time, event_time_ms) && event_time_ms != no_time;
  error_ = RowError::none;
  if (time_ok_) {
    b.event_time_ms[row] = event_time_ms;
    b.flags[row] = flag_time_readable;
  }
  bool good = write_fields(record.source);
  if (good && keyed && record.has_key && record.key != b.merchant_id[row]) {
    good = fail(RowError::key_mismatch, "merchant_id", "is not the key of the record");
  }
  if (!good) {
    profiles_.resize(profiles_before);
    reject(row, error_, std::move(message_));
    return;
  }
  if (keyed) b.merchant_hash[row] = hash_id(b.merchant_id[row]);
  b.event_id_hash[row] = hash_id(b.event_id[row]);
}

bool RowWriter::write_fields(Source source) {
  switch (source) {
    case Source::payments:
      return write_payment();
    case Source::invoices:
      return write_invoice();
    case Source::merchants:
      return write_profile();
    case Source::signals:
      return write_signal();
    case Source::feedback:
      return write_feedback();
    case Source::control:
      break;
  }
  return write_control();
}

bool RowWriter::write_payment() {
  static constexpr std::pair<std::string_view, EventType> types[] = {
      {"payment", EventType::payment},
      {"refund", EventType::refund},
      {"chargeback", EventType::chargeback},
      {"payout", EventType::payout}};
  EventType type{};
  std::int64_t amount_minor = 0;
  CurrencyCode currency = 0;
  std::uint64_t payer = 0, channel = 0, ref = 0, invoice = 0, order = 0;
  const bool good =
      require_text(Field::event_id) && require_text(Field::merchant_id) && read_type(types, type) &&
      require_time() && require_amount(amount_minor, currency) &&
      optional_hash(Field::payer_id, payer) && optional_hash(Field::channel, channel) &&
      optional_certified() && optional_hash(Field::ref_event_id, ref) &&
      optional_hash(Field::invoice_id, invoice) && optional_hash(Field::order_id, order);
  if (!good) return false;
  EventBatch& b = *batch_;
  b.type[row_] = type;
  b.amount_minor[row_] = amount_minor;
  b.currency[row_] = currency;
  b.payer_hash[row_] = payer;
  b.channel_hash[row_] = channel;
  b.ref_hash[row_] = ref;
  b.invoice_hash[row_] = invoice;
  b.order_hash[row_] = order;
  return true;
}

bool RowWriter::write_invoice() {
  static constexpr std::pair<std::string_view, EventType> types[] = {
      {"issued", EventType::issued},
      {"paid", EventType::paid},
      {"cancelled", EventType::cancelled},
      {"overdue", EventType::overdue},
      {"disputed", EventType::disputed}};
  EventType type{};
  std::int64_t amount_minor = 0, due_time_ms = no_time;
  CurrencyCode currency = 0;
  std::uint64_t invoice = 0, buyer = 0, order = 0;
  const bool good =
      require_text(Field::event_id) && require_text(Field::merchant_id) && read_type(types, type) &&
      require_time() && require_text(Field::invoice_id) &&
      optional_hash(Field::invoice_id, invoice) && require_amount(amount_minor, currency) &&
      optional_hash(Field::buyer_id, buyer) && optional_time(Field::due_time, due_time_ms) &&
      optional_hash(Field::order_id, order) && optional_certified();
  if (!good) return false;
  EventBatch& b = *batch_;
  b.type[row_] = type;
  b.amount_minor[row_] = amount_minor;
  b.currency[row_] = currency;
  b.payer_hash[row_] = buyer;
  b.invoice_hash[row_] = invoice;
  b.order_hash[row_] = order;
  b.due_time_ms[row_] = due_time_ms;
  return true;
}

bool RowWriter::read_inputs(Profile& profile) {
  if (!present(Field::inputs)) return true;
  const Token& inputs = (*document_)[Field::inputs];
  if (inputs.kind != TokenKind::object) return wrong_type("inputs", inputs, "an object");
  for (const InputToken& input : document_->inputs) {
    if (input.whole.kind == TokenKind::null) continue;
    const std::string name = fmt::format("inputs.{}", quote_for_message(input.name));
    if (input.whole.kind != TokenKind::object) return wrong_type(name, input.whole, "an object");
    ProfileInput read{input.name, 0, no_time};
    if (is_missing(input.value)) {
      return fail(RowError::missing_field, name + ".value", "is required but missing");
    }
    if (!read_number(name + ".value", input.value, read.value)) return false;
    if (is_missing(input.as_of)) {
      return fail(RowError::missing_field, name + ".as_of", "is required but missing");
    }
    if (!read_time(name + ".as_of", input.as_of, read.as_of_ms)) return false;
    profile.inputs.push_back(std::move(read));
  }
  return true;
}

bool RowWriter::write_profile() {
  Profile profile;
  const bool good =
      require_text(Field::merchant_id) && require_time() && optional_currency(profile.currency) &&
      optional_text(Field::industry, profile.industry) &&
      optional_text(Field::region, profile.region) && read_time_zone(profile.time_zone) &&
      optional_time(Field::opened_at, profile.opened_at_ms) && read_inputs(profile);
  if (!good) return false;
  batch_->type[row_] = EventType::profile;
  batch_->currency[row_] = profile.currency;
  add_profile(std::move(profile));
  return true;
}

void RowWriter::write_tombstone(const RawRecord& record, std::size_t row) {
  if (record.kafka_time_ms < event_time_ms_min || record.kafka_time_ms > event_time_ms_max) {
    reject(row, RowError::invalid_time, "value: a tombstone needs a Kafka timestamp");
    return;
  }
  EventBatch& b = *batch_;
  b.merchant_id[row] = record.key;
  b.merchant_hash[row] = hash_id(record.key);
  b.type[row] = EventType::tombstone;
  b.event_time_ms[row] = record.kafka_time_ms;
  b.flags[row] = flag_time_readable;
}

bool RowWriter::write_signal() {
  std::uint64_t name = 0, unit = 0;
  double value = 0;
  const auto read_value = [&] {
    if (present(Field::value)) return read_number("value", (*document_)[Field::value], value);
    return fail(RowError::missing_field, "value",
                document_->has(Field::value) ? "is required but null" : "is required but missing");
  };
  const bool good = require_text(Field::event_id) && require_text(Field::merchant_id) &&
                    require_time() && require_text(Field::name) &&
                    optional_hash(Field::name, name) && read_value() &&
                    optional_hash(Field::unit, unit) && optional_certified();
  if (!good) return false;
  batch_->type[row_] = EventType::signal;
  batch_->name_hash[row_] = name;
  batch_->value[row_] = value;
  return true;
}

bool RowWriter::write_feedback() {
  static constexpr std::pair<std::string_view, EventType> types[] = {
      {"fraud", EventType::fraud},
      {"legitimate", EventType::legitimate},
      {"default", EventType::loan_default},
      {"repaid", EventType::repaid},
      {"appeal", EventType::appeal}};
  EventType type{};
  std::uint64_t ref = 0;
  Profile profile;
  const bool good = require_text(Field::event_id) && require_text(Field::merchant_id) &&
                    read_type(types, type) && require_time() &&
                    optional_hash(Field::ref_event_id, ref) &&
                    optional_text(Field::outcome, profile.outcome);
  if (!good) return false;
  batch_->type[row_] = type;
  batch_->ref_hash[row_] = ref;
  if (!profile.outcome.empty()) add_profile(std::move(profile));
  return true;
}

bool RowWriter::write_control() {
  static constexpr std::pair<std::string_view, EventType> types[] = {
      {"activate_model", EventType::activate_model},
      {"activate_policy", EventType::activate_policy},
      {"overlay", EventType::overlay},
      {"freeze", EventType::freeze},
      {"unfreeze", EventType::unfreeze}};
  EventType type{};
  if (!require_text(Field::event_id) || !read_type(types, type) || !require_time()) return false;
  Profile profile;
  if (type == EventType::activate_model || type == EventType::activate_policy) {
    if (!require_text(Field::bundle) || !optional_text(Field::bundle, profile.bundle)) return false;
  } else if (type == EventType::overlay) {
    if (!optional_text(Field::region, profile.overlay_region) ||
        !optional_text(Field::industry, profile.overlay_industry)) {
      return false;
    }
    if (!present(Field::factor)) {
      return fail(RowError::missing_field, "factor", "is required by an overlay but missing");
    }
    if (!read_number("factor", (*document_)[Field::factor], profile.overlay_factor)) return false;
    if (profile.overlay_factor < 0 || profile.overlay_factor > overlay_factor_max) {
      return fail_value(RowError::invalid_number, Field::factor, "must lie between 0 and 10");
    }
  } else if (!optional_text(Field::merchant_id, profile.scope_merchant_id)) {
    return false;
  }
  batch_->type[row_] = type;
  add_profile(std::move(profile));
  return true;
}

}  // namespace tidemark
