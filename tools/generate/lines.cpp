// Lines: the JSON by hand, because a stream of a hundred million events should not wait for it.
#include "tools/generate/lines.hpp"

#include <charconv>
#include <chrono>
#include <cstring>

#include "tools/generate/random.hpp"

namespace tidemark {
namespace {

void append_number(std::uint64_t number, std::string& out) {
  char digits[24];
  const auto end = std::to_chars(digits, digits + sizeof digits, number).ptr;
  out.append(digits, end);
}

void append_id(std::string_view prefix, std::uint64_t number, std::string& out) {
  out += '"';
  out += prefix;
  append_number(number, out);
  out += '"';
}

void append_optional_id(std::string_view prefix, std::uint64_t number, std::string& out) {
  if (number == 0) {
    out += "null";
  } else {
    append_id(prefix, number, out);
  }
}

void put_two(std::int64_t value, char* at) {
  at[0] = static_cast<char>('0' + value / 10);
  at[1] = static_cast<char>('0' + value % 10);
}

void put_date(std::int64_t day, char* at) {
  using namespace std::chrono;
  const year_month_day date{sys_days{days{day}}};
  put_two(static_cast<int>(date.year()) / 100, at);
  put_two(static_cast<int>(date.year()) % 100, at + 2);
  at[4] = at[7] = '-';
  put_two(static_cast<unsigned>(date.month()), at + 5);
  put_two(static_cast<unsigned>(date.day()), at + 8);
}

std::string_view name_of_channel(Channel channel) {
  switch (channel) {
    case Channel::pos:
      return "pos";
    case Channel::online:
      return "online";
    case Channel::transfer:
      break;
  }
  return "transfer";
}

/// A value with at most two decimals that is never negative.
void append_hundredths(double value, std::string& out) {
  const auto hundredths = static_cast<std::uint64_t>(value * 100 + 0.5);
  append_number(hundredths / 100, out);
  char decimals[3] = {'.', 0, 0};
  put_two(static_cast<std::int64_t>(hundredths % 100), decimals + 1);
  out.append(decimals, 3);
}

}  // namespace

void LineWriter::append_time(std::int64_t time_s, const Merchant& merchant, std::string& out) {
  if (merchant.time_style == TimeStyle::epoch) {
    append_number(static_cast<std::uint64_t>(time_s), out);
    out += "000";
    return;
  }
  const std::int64_t offset_s =
      merchant.time_style == TimeStyle::local ? merchant.place->offset_s : 0;
  const std::int64_t shown = time_s + offset_s;
  const std::int64_t day = shown / day_s, second = shown % day_s;
  if (day != cached_day_) {
    put_date(day, cached_date_);
    cached_day_ = day;
  }
  char text[28] = "\"0000-00-00T00:00:00Z\"";
  std::memcpy(text + 1, cached_date_, 10);
  put_two(second / 3600, text + 12);
  put_two(second / 60 % 60, text + 15);
  put_two(second % 60, text + 18);
  std::size_t size = 22;
  if (merchant.time_style == TimeStyle::local) {
    const std::int64_t minutes = (offset_s < 0 ? -offset_s : offset_s) / 60;
    text[20] = offset_s < 0 ? '-' : '+';
    put_two(minutes / 60, text + 21);
    text[23] = ':';
    put_two(minutes % 60, text + 24);
    text[26] = '"';
    size = 27;
  }
  out.append(text, size);
}

void LineWriter::append_head(const GeneratedEvent& event, char prefix, std::string& out) {
  out += R"({"event_id":")";
  out += prefix;
  out += '-';
  append_number(event.number, out);
  out += R"(","merchant_id":"m-)";
  append_number(event.merchant, out);
  out += '"';
  if (event.source != Source::signals) {
    out += R"(,"type":")";
    out += name_of(event.type);
    out += '"';
  }
  out += R"(,"event_time":)";
  append_time(event.time_s, merchants_[event.merchant], out);
}

void LineWriter::append_amount(const GeneratedEvent& event, std::string& out) {
  const Place& place = *merchants_[event.merchant].place;
  std::uint64_t unit = 1;
  for (int i = 0; i < place.exponent; ++i) unit *= 10;
  const auto minor = static_cast<std::uint64_t>(event.amount_minor);
  out += R"(,"amount":")";
  append_number(minor / unit, out);
  if (place.exponent > 0) {
    out += '.';
    for (std::uint64_t digit = unit / 10, rest = minor % unit; digit > 0; digit /= 10) {
      out += static_cast<char>('0' + rest / digit % 10);
    }
  }
  out += R"(","currency":")";
  out += place.currency;
  out += '"';
}

void LineWriter::append_payment(const GeneratedEvent& event, std::string& out) {
  append_head(event, 'p', out);
  append_amount(event, out);
  out += R"(,"payer_id":)";
  append_optional_id("c-", event.payer, out);
  out += R"(,"channel":")";
  out += name_of_channel(event.channel);
  out += event.certified ? R"(","certified":true,"ref_event_id":)"
                         : R"(","certified":false,"ref_event_id":)";
  append_optional_id("p-", event.ref_number, out);
  out += R"(,"invoice_id":)";
  append_optional_id("n-", event.invoice, out);
  out += R"(,"order_id":null})";
}

void LineWriter::append_invoice(const GeneratedEvent& event, std::string& out) {
  append_head(event, 'i', out);
  out += R"(,"invoice_id":)";
  append_id("n-", event.invoice, out);
  append_amount(event, out);
  out += R"(,"buyer_id":)";
  append_id("b-", event.payer, out);
  out += R"(,"due_time":)";
  append_time(event.due_s, merchants_[event.merchant], out);
  out += event.certified ? R"(,"certified":true})" : R"(,"certified":false})";
}

void LineWriter::append_profile(const GeneratedEvent& event, std::string& out) {
  const Merchant& m = merchants_[event.merchant];
  out += R"({"merchant_id":)";
  append_id("m-", event.merchant, out);
  out += R"(,"event_time":)";
  append_time(event.time_s, m, out);
  out += R"(,"currency":")";
  out += m.place->currency;
  out += R"(","industry":")";
  out += m.industry->name;
  out += R"(","region":")";
  out += m.region;
  out += R"(","time_zone":")";
  out += m.place->zone;
  out += R"(","opened_at":)";
  append_time((options_.start_day + m.opened_day) * day_s, m, out);
  out += R"(,"inputs":{"tax_yearly":{"value":)";
  append_number(static_cast<std::uint64_t>(event.value), out);
  out += R"(,"as_of":)";
  append_time(event.time_s - 10 * day_s, m, out);
  out += "}}}";
}

void LineWriter::append_signal(const GeneratedEvent& event, std::string& out) {
  append_head(event, 's', out);
  out += R"(,"name":"power_kwh","value":)";
  append_hundredths(event.value, out);
  out += R"(,"unit":"kWh"})";
}

void LineWriter::append_feedback(const GeneratedEvent& event, std::string& out) {
  append_head(event, 'f', out);
  out += R"(,"ref_event_id":)";
  append_optional_id("p-", event.ref_number, out);
  out += '}';
}

void LineWriter::append(const GeneratedEvent& event, std::string& out) {
  switch (event.source) {
    case Source::payments:
      append_payment(event, out);
      break;
    case Source::invoices:
      append_invoice(event, out);
      break;
    case Source::merchants:
      append_profile(event, out);
      break;
    case Source::signals:
      append_signal(event, out);
      break;
    default:
      append_feedback(event, out);
      break;
  }
  out += '\n';
}

bool LineWriter::append_bad(const GeneratedEvent& event, std::string& out) {
  Random random(options_.seed, 0x626164u, event.sequence);
  if (!random.chance(options_.bad_share)) return false;
  std::string line;
  GeneratedEvent copy = event;
  copy.number = 9'000'000'000 + event.sequence;  // an id that no good event has
  append(copy, line);
  line.pop_back();
  const auto replace_value = [&](std::string_view key, std::string_view value) {
    const std::size_t begin = line.find(key) + key.size();
    line.replace(begin, line.find_first_of(",}", begin) - begin, value);
  };
  switch (random.below(12)) {
    case 0:
      line.resize(line.size() / 2);
      break;
    case 1:
      line = "not an event";
      break;
    case 2:
      replace_value("\"amount\":", "12.5");
      break;
    case 3:
      replace_value("\"amount\":", "\"-3.00\"");
      break;
    case 4:
      replace_value("\"amount\":", "\"1.23456\"");
      break;
    case 5:
      replace_value("\"amount\":", "\"99999999999999999999\"");
      break;
    case 6:
      replace_value("\"currency\":", "\"XYZ\"");
      break;
    case 7:
      replace_value("\"type\":", "\"unheard_of\"");
      break;
    case 8:
      replace_value("\"event_time\":", "\"2025-02-30T10:00:00Z\"");
      break;
    case 9:
      replace_value("\"merchant_id\":", "null");
      break;
    case 10:
      line.insert(line.find("\"type\"") + 9, "\xff");
      break;
    default:
      replace_value("\"event_time\":", "\"2199-01-01T00:00:00Z\"");
      break;
  }
  out += line;
  out += '\n';
  return true;
}

}  // namespace tidemark
