// Random damage to good events, for one second: nothing crashes, and the verdict "not JSON" agrees
// with a slow, obvious reading of RFC 8259.
#include <gtest/gtest.h>

#include <chrono>
#include <random>
#include <set>

#include "tests/stream/parse/parse_support.hpp"

namespace tidemark {
namespace {

/// A checker by recursive descent, strict about escapes, surrogates and bytes; depth as the parser.
/// `twice` tells whether an object had a key twice, which only matters for known keys.
class SlowJson {
 public:
  explicit SlowJson(std::string_view text) : t_(text) {}
  bool document() {
    space();
    if (!value(0)) return false;
    space();
    return at_ == t_.size();
  }
  bool twice = false;

 private:
  char peek() const { return at_ < t_.size() ? t_[at_] : '\0'; }
  bool take(char c) { return at_ < t_.size() && t_[at_] == c && ++at_ != 0; }
  void space() {
    while (at_ < t_.size() && std::string_view(" \t\n\r").find(t_[at_]) != std::string_view::npos)
      ++at_;
  }
  bool word(std::string_view w) {
    if (t_.substr(at_, w.size()) != w) return false;
    at_ += w.size();
    return true;
  }
  bool digits() {
    const auto start = at_;
    while (at_ < t_.size() && t_[at_] >= '0' && t_[at_] <= '9') ++at_;
    return at_ > start;
  }
  bool number() {
    take('-');
    if (!take('0') && !digits()) return false;
    if (take('.') && !digits()) return false;
    if (take('e') || take('E')) {
      if (!take('+')) take('-');
      if (!digits()) return false;
    }
    return true;
  }
  int hex() {
    int v = 0;
    for (int i = 0; i < 4; ++i, ++at_) {
      const auto d =
          std::string_view("0123456789abcdef").find(static_cast<char>(std::tolower(peek())));
      if (peek() == '\0' || d == std::string_view::npos) return -1;
      v = v * 16 + static_cast<int>(d);
    }
    return v;
  }
  bool string() {
    if (!take('"')) return false;
    while (!take('"')) {
      if (at_ >= t_.size() || static_cast<unsigned char>(t_[at_]) < 0x20) return false;
      if (!take('\\')) {
        ++at_;
        continue;
      }
      if (take('u')) {
        const int unit = hex();
        if (unit < 0 || (unit >= 0xdc00 && unit <= 0xdfff)) return false;
        if (unit >= 0xd800 && unit <= 0xdbff) {
          if (!take('\\') || !take('u')) return false;
          const int low = hex();
          if (low < 0xdc00 || low > 0xdfff) return false;
        }
      } else {
        if (at_ >= t_.size() ||
            std::string_view("\"\\/bfnrt").find(t_[at_]) == std::string_view::npos)
          return false;
        ++at_;
      }
    }
    return true;
  }
  bool value(int depth) {
    if (peek() == '"') return string();
    if (peek() == 't') return word("true");
    if (peek() == 'f') return word("false");
    if (peek() == 'n') return word("null");
    if (peek() != '{' && peek() != '[') return number();
    if (depth >= 64) return false;
    const bool object = peek() == '{';
    const char close = object ? '}' : ']';
    std::set<std::string> keys;
    ++at_;
    space();
    if (take(close)) return true;
    for (;;) {
      space();
      if (object) {
        const auto start = at_;
        if (!string()) return false;
        twice |= !keys.insert(std::string(t_.substr(start, at_ - start))).second;
        space();
        if (!take(':')) return false;
        space();
      }
      if (!value(depth + 1)) return false;
      space();
      if (take(close)) return true;
      if (!take(',')) return false;
    }
  }
  std::string_view t_;
  std::size_t at_ = 0;
};

const std::vector<std::pair<Source, std::string>> seeds = {
    {Source::payments,
     R"({"event_id":"p-19","merchant_id":"t-31","type":"payment",)"
     R"("event_time":"2018-04-01T00:00:31Z","amount":"57.16","currency":"CNY",)"
     R"("payer_id":"c\u0035\n","certified":true,"ref_event_id":null,"x":[1,-2.5e+3,{"y":[]}]})"},
    {Source::invoices,
     R"( { "event_id" : "i" , "merchant_id" : "m" , "type" : "paid" , "event_time" : 17 , )"
     R"("invoice_id" : "n" , "amount" : "5" , "currency" : "JPY" } )"},
    {Source::merchants,
     R"({"merchant_id":"m","event_time":5,"time_zone":"UTC","inputs":{"a":{"value":1,)"
     R"("as_of":2},"b":null}})"},
    {Source::signals,
     R"({"event_id":"s","merchant_id":"m","event_time":5,"name":"\ud83d\ude00","value":1e-3})"},
    {Source::control, R"({"event_id":"s","type":"overlay","event_time":5,"factor":0.5,"z":{}})"},
};

std::string mutate(std::string text, std::mt19937_64& random) {
  static constexpr std::string_view pieces[] = {
      "{",    "}",     "[",  "]",  ":",        ",",    "\"",  "\\",      "0",    "-",
      ".",    "e",     " ",  "\n", "null",     "true", "\\u", "\\ud800", "\xff", "\xe4\xb8\xad",
      "\x01", "\":\"", "{}", "[]", ",\"a\":1", "1e5",  "\xc3"};
  for (auto edits = 1 + random() % 3; edits > 0 && !text.empty(); --edits) {
    const std::size_t at = random() % text.size();
    const std::size_t span = std::min<std::size_t>(random() % 12, text.size() - at);
    switch (random() % 5) {
      case 0:
        text[at] = static_cast<char>(random());
        break;
      case 1:
        text.erase(at, span);
        break;
      case 2:
        text.insert(at, text.substr(random() % text.size(), span));
        break;
      case 3:
        text.insert(at, pieces[random() % std::size(pieces)]);
        break;
      default:
        text.replace(at, 1, pieces[random() % std::size(pieces)]);
        break;
    }
  }
  return text;
}

void check(const EventBatch& b, std::size_t row, const std::string& text) {
  const RowError error = b.error[row];
  ASSERT_EQ(error != RowError::none, !b.error_message[row].empty()) << text;
  ASSERT_EQ(error != RowError::none, b.outcome[row] == Outcome::dead_lettered) << text;
  if (text.empty() || error == RowError::invalid_utf8) return;
  SlowJson slow(text);
  const bool valid = slow.document();
  // A key that is there twice is refused where the parser knows the key.
  if (valid && slow.twice) return;
  ASSERT_EQ(error == RowError::invalid_json, !valid) << text << "\n" << b.error_message[row];
}

TEST(Mutation, NothingCrashesAndNotJsonMeansNotJson) {
  std::mt19937_64 random(20180401);
  Parser parser({});
  const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(1);
  std::size_t good = 0, bad = 0;
  while (std::chrono::steady_clock::now() < end || good + bad < 2000) {
    const auto& [source, seed] = seeds[random() % seeds.size()];
    TestLines lines{source, {}};
    for (int i = 0; i < 100; ++i) lines.values.push_back(mutate(seed, random));
    const auto raw = lines.raw();
    EventBatch b;
    b.keep(raw);
    b.grow(lines.values.size());
    parser.parse(*raw, 0, lines.values.size(), b, 0);
    for (std::size_t row = 0; row < lines.values.size(); ++row) {
      ASSERT_NO_FATAL_FAILURE(check(b, row, lines.values[row]));
      (b.error[row] == RowError::none ? good : bad) += 1;
    }
  }
  EXPECT_GT(good, 100u);
  EXPECT_GT(bad, 1000u);
}

}  // namespace
}  // namespace tidemark
