// What the parser's tests share: lines to a RawBatch with its padding, and a batch to rows.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/parse/parser.hpp"

namespace tidemark {

struct TestLines {
  Source source;
  std::vector<std::string> values;

  /// One exact allocation a record, so that the address sanitizer sees a read beyond the padding.
  std::shared_ptr<RawBatch> raw() const {
    auto buffers = std::make_shared<std::vector<std::unique_ptr<char[]>>>();
    auto batch = std::make_shared<RawBatch>();
    for (const std::string& value : values) {
      buffers->emplace_back(new char[value.size() + raw_padding_bytes]());
      value.copy(buffers->back().get(), value.size());
      RawRecord record;
      record.value = {buffers->back().get(), value.size()};
      record.offset = static_cast<std::int64_t>(batch->records.size());
      record.kafka_time_ms = 1'700'000'000'000;
      record.source = source;
      batch->records.push_back(record);
    }
    batch->keep_alive = buffers;
    return batch;
  }
};

inline EventBatch parse_batch(const std::shared_ptr<RawBatch>& raw, ParseOptions options = {}) {
  EventBatch batch;
  batch.keep(raw);
  batch.grow(raw->records.size());
  Parser(options).parse(*raw, 0, raw->records.size(), batch, 0);
  return batch;
}

inline EventBatch parse_lines(Source source, std::vector<std::string> values,
                              ParseOptions options = {}) {
  return parse_batch(TestLines{source, std::move(values)}.raw(), options);
}

/// Everything that a row says, as text, to compare rows of different batches.
inline std::string row_text(const EventBatch& b, std::size_t row) {
  std::string out;
  const auto add = [&](const auto& part) { out += std::to_string(part) + " "; };
  add(static_cast<int>(b.type[row]));
  add(static_cast<int>(b.flags[row]));
  add(b.event_time_ms[row]);
  add(b.amount_minor[row]);
  add(b.currency[row]);
  for (const auto* column : {&b.merchant_hash, &b.event_id_hash, &b.payer_hash, &b.ref_hash,
                             &b.invoice_hash, &b.order_hash, &b.channel_hash, &b.name_hash}) {
    add((*column)[row]);
  }
  add(b.value[row]);
  add(b.due_time_ms[row]);
  add(static_cast<int>(b.error[row]));
  add(static_cast<int>(b.outcome[row]));
  out += std::string(b.merchant_id[row]) + " " + std::string(b.event_id[row]) + " " +
         b.error_message[row];
  if (b.profile_index[row] != no_profile) {
    const Profile& p = b.profiles.at(static_cast<std::size_t>(b.profile_index[row]));
    add(p.currency);
    add(p.opened_at_ms);
    out += p.industry + " " + p.region + " " + p.time_zone + " " + p.scope_merchant_id + " " +
           p.bundle + " " + p.overlay_region + " " + p.overlay_industry + " " + p.outcome + " ";
    add(p.overlay_factor);
    for (const ProfileInput& input : p.inputs) {
      out += input.name + " ";
      add(input.value);
      add(input.as_of_ms);
    }
  }
  return out;
}

}  // namespace tidemark
