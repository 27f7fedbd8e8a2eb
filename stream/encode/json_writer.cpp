// See json_writer.hpp.
#include "stream/encode/json_writer.hpp"

#include <array>

namespace tidemark {
namespace {

constexpr std::array<std::int64_t, 7> powers_of_ten = {1,      10,      100,      1'000,
                                                       10'000, 100'000, 1'000'000};

bool needs_escape(unsigned char c) {
  return c < 0x20 || c == '"' || c == '\\';
}

/// Whether one of eight bytes needs an escape: three range tests on all of them at once, exact
/// enough for "none does" to be always right.
bool any_needs_escape(std::uint64_t bytes) {
  constexpr std::uint64_t ones = 0x0101010101010101ULL, highs = 0x8080808080808080ULL;
  const auto has_zero = [](std::uint64_t v) { return (v - ones) & ~v & highs; };
  const std::uint64_t below_space = (bytes - ones * 0x20) & ~bytes & highs;
  return (below_space | has_zero(bytes ^ (ones * '"')) | has_zero(bytes ^ (ones * '\\'))) != 0;
}

/// Length of the UTF-8 sequence at the start of `text`, 0 when it is not one.
std::size_t sequence_bytes(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const unsigned char lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
  if (lead < 0xC2 || lead > 0xF4 || text.size() < length) return 0;
  for (std::size_t i = 1; i < length; ++i) {
    if ((byte(i) & 0xC0) != 0x80) return 0;
  }
  if (lead == 0xE0 && byte(1) < 0xA0) return 0;  // overlong
  if (lead == 0xED && byte(1) > 0x9F) return 0;  // surrogate
  if (lead == 0xF0 && byte(1) < 0x90) return 0;  // overlong
  if (lead == 0xF4 && byte(1) > 0x8F) return 0;  // above U+10FFFF
  return length;
}

}  // namespace

void JsonWriter::escaped(std::string_view text) {
  std::size_t i = 0;
  // Ids are plain nearly always: eight bytes are copied as long as none of them needs care.
  for (; i + 8 <= text.size(); i += 8) {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, text.data() + i, 8);
    if (any_needs_escape(bytes)) break;
    std::memcpy(at_, text.data() + i, 8);
    at_ += 8;
  }
  constexpr std::string_view hex = "0123456789abcdef";
  for (; i < text.size(); ++i) {
    const auto c = static_cast<unsigned char>(text[i]);
    if (!needs_escape(c)) {
      raw(text[i]);
    } else if (c == '"' || c == '\\') {
      raw('\\');
      raw(text[i]);
    } else if (c == '\n') {
      raw("\\n");
    } else if (c == '\t') {
      raw("\\t");
    } else {
      raw("\\u00");
      raw(hex[c >> 4]);
      raw(hex[c & 15]);
    }
  }
}

void JsonWriter::rounded(double value, int digits) {
  if (!std::isfinite(value)) return raw("null");
  const std::int64_t scale = powers_of_ten[static_cast<std::size_t>(digits)];
  const double magnitude = std::abs(value);
  if (magnitude >= 1e12) {
    // Beyond the range of the integer below no decimals are left that anyone reads.
    return number(static_cast<float>(value));
  }
  const auto scaled =
      static_cast<std::int64_t>(std::floor(magnitude * static_cast<double>(scale) + 0.5));
  if (value < 0 && scaled > 0) raw('-');
  integer(scaled / scale);
  auto rest = static_cast<std::uint32_t>(scaled % scale);
  if (rest == 0) return;
  raw('.');
  padded(rest, digits);
  while (at_[-1] == '0') --at_;
}

void JsonWriter::decimal(std::int64_t minor, int exponent) {
  if (minor < 0) raw('-');
  const std::uint64_t magnitude =
      minor < 0 ? 0 - static_cast<std::uint64_t>(minor) : static_cast<std::uint64_t>(minor);
  const auto scale = static_cast<std::uint64_t>(
      powers_of_ten[static_cast<std::size_t>(exponent < 0 ? 0 : exponent)]);
  at_ = std::to_chars(at_, at_ + number_bytes_max, magnitude / scale).ptr;
  if (exponent <= 0) return;
  raw('.');
  padded(static_cast<std::uint32_t>(magnitude % scale), exponent);
}

void JsonWriter::time(std::int64_t epoch_ms) {
  constexpr std::int64_t day_ms = 86'400'000;
  std::int64_t day = epoch_ms / day_ms, ms = epoch_ms % day_ms;
  if (ms < 0) {
    ms += day_ms;
    --day;
  }
  // Days to year, month, day, counting years from March so that the leap day comes last
  // (Hinnant, "chrono-Compatible Low-Level Date Algorithms").
  const std::int64_t shifted = day + 719'468;
  const std::int64_t era = (shifted >= 0 ? shifted : shifted - 146'096) / 146'097;
  const auto of_era = static_cast<std::uint32_t>(shifted - era * 146'097);
  const std::uint32_t year_of_era =
      (of_era - of_era / 1'460 + of_era / 36'524 - of_era / 146'096) / 365;
  const std::uint32_t of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  const std::uint32_t from_march = (5 * of_year + 2) / 153;
  const std::uint32_t day_of_month = of_year - (153 * from_march + 2) / 5 + 1;
  const std::uint32_t month = from_march < 10 ? from_march + 3 : from_march - 9;
  const auto year =
      static_cast<std::uint32_t>(static_cast<std::int64_t>(year_of_era) + era * 400 + (month <= 2));
  const auto in_day = static_cast<std::uint32_t>(ms);
  padded(year, 4);
  raw('-');
  padded(month, 2);
  raw('-');
  padded(day_of_month, 2);
  raw('T');
  padded(in_day / 3'600'000, 2);
  raw(':');
  padded(in_day / 60'000 % 60, 2);
  raw(':');
  padded(in_day / 1'000 % 60, 2);
  raw('.');
  padded(in_day % 1'000, 3);
  raw('Z');
}

std::string json_string(std::string_view text) {
  std::string valid;
  while (!text.empty()) {
    const std::size_t length = sequence_bytes(text);
    valid += length == 0 ? std::string_view("\xEF\xBF\xBD") : text.substr(0, length);
    text.remove_prefix(length == 0 ? 1 : length);
  }
  std::string out(valid.size() * escaped_bytes_max + 2, '\0');
  JsonWriter writer(out.data());
  writer.quoted(valid);
  out.resize(static_cast<std::size_t>(writer.at() - out.data()));
  return out;
}

}  // namespace tidemark
