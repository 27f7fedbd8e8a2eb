// RowWriter: a Document to one row of an EventBatch, checking every field in the order of the
// contract. One per Parser, so of one thread; only `finish` touches what rows share, under a lock.
// Knows no JSON grammar.
#pragma once

#include <cstddef>
#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <vector>

#include "kernels/data/event_batch.hpp"
#include "kernels/data/raw_batch.hpp"
#include "stream/parse/document.hpp"

namespace tidemark {

class RowWriter {
 public:
  /// Rows of `batch` follow; until `finish` nothing else may resize its columns.
  void begin(EventBatch& batch);
  /// The coordinates of a row: set for good and bad rows alike, before anything else.
  void locate(const RawRecord& record, std::size_t row);
  void write(const RawRecord& record, const Document& document, std::size_t row);
  /// merchants.v1: the key alone, dated by its Kafka timestamp.
  void write_tombstone(const RawRecord& record, std::size_t row);
  void reject(std::size_t row, RowError error, std::string message);
  /// Hands over the profiles and the unescaped strings.
  void finish();

 private:
  bool write_fields(Source source);
  bool write_payment();
  bool write_invoice();
  bool write_profile();
  bool write_signal();
  bool write_feedback();
  bool write_control();
  bool read_inputs(Profile& profile);

  bool fail(RowError error, std::string_view field, std::string_view what);
  bool fail_value(RowError error, Field field, std::string_view what);
  bool wrong_type(std::string_view field, const Token& token, std::string_view wanted);
  bool present(Field field);  // neither absent nor null
  bool require_text(Field field);
  bool require_time();
  bool require_amount(std::int64_t& minor, CurrencyCode& currency);
  bool optional_currency(CurrencyCode& currency);
  bool optional_hash(Field field, std::uint64_t& hash);
  bool optional_text(Field field, std::string& text);
  bool optional_time(Field field, std::int64_t& ms);
  bool optional_certified();
  bool read_time(std::string_view field, const Token& token, std::int64_t& ms);
  bool read_number(std::string_view field, const Token& token, double& value);
  bool read_time_zone(std::string& name);
  template <std::size_t N>
  bool read_type(const std::pair<std::string_view, EventType> (&names)[N], EventType& type);

  std::string_view text(const Token& token);       // until the next call
  std::string_view kept_text(const Token& token);  // as long as the batch
  std::string_view readable_id(Field field);
  void add_profile(Profile profile);

  EventBatch* batch_ = nullptr;
  const Document* document_ = nullptr;
  std::size_t row_ = 0;
  bool time_ok_ = false;
  RowError error_ = RowError::none;
  std::string message_, scratch_;
  std::vector<std::pair<std::size_t, Profile>> profiles_;
  std::shared_ptr<std::deque<std::string>> kept_;
  std::unordered_map<std::string, bool> time_zones_;  // names asked for, bounded
};

}  // namespace tidemark
