// Parsing: payments of the generator's shape, from padded bytes to columns, hashes included.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <stdexcept>
#include <string>

#include "stream/parse/parser.hpp"

namespace tidemark {
namespace {

constexpr std::size_t records = 4096;

struct Payments {
  std::string bytes;
  RawBatch raw;

  Payments() {
    std::vector<std::pair<std::size_t, std::size_t>> places;
    for (std::size_t i = 0; i < records; ++i) {
      const std::string line = fmt::format(
          R"({{"event_id":"p-{}","merchant_id":"m-{}","type":"payment","event_time":)"
          R"("2025-03-01T12:{:02}:{:02}Z","amount":"{}.{:02}","currency":"CNY","payer_id":"c-{}",)"
          R"("channel":"pos","certified":true,"ref_event_id":null,"invoice_id":null}})",
          i, i % 500, i / 60 % 60, i % 60, i % 1000, i % 100, i * 7);
      places.emplace_back(bytes.size(), line.size());
      bytes += line;
      bytes.append(raw_padding_bytes, ' ');
    }
    for (const auto& [begin, size] : places) {
      RawRecord& record = raw.records.emplace_back();
      record.value = std::string_view(bytes).substr(begin, size);
      record.kafka_time_ms = 1'750'000'000'000;
    }
  }
};

void parse_payments(benchmark::State& state) {
  const Payments payments;
  Parser parser({});
  EventBatch batch;
  for (auto _ : state) {
    batch.clear();
    batch.grow(records);
    parser.parse(payments.raw, 0, records, batch, 0);
    benchmark::DoNotOptimize(batch.amount_minor.data());
  }
  for (std::size_t row = 0; row < records; ++row) {
    if (batch.outcome[row] != Outcome::pending) throw std::logic_error("a payment did not parse");
  }
  state.SetItemsProcessed(state.iterations() * static_cast<std::int64_t>(records));
  state.SetBytesProcessed(state.iterations() * static_cast<std::int64_t>(payments.bytes.size()));
}
BENCHMARK(parse_payments);

}  // namespace
}  // namespace tidemark
