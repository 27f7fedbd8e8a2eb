// Builds event batches for tests by hand or at random, and runs a merchant table over them in any
// split. Test code only; one thread.
#pragma once

#include <gtest/gtest.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include <bit>
#include <cstdlib>
#include <deque>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "features/merchant_table.hpp"
#include "features/oracle.hpp"
#include "features/payer_table.hpp"
#include "kernels/base/currency.hpp"
#include "kernels/data/event_batch.hpp"
#include "kernels/window/segment.hpp"

namespace tidemark::test {

inline std::uint64_t hash_of(std::string_view text) {
  return text.empty() ? 0 : XXH3_64bits(text.data(), text.size());
}

/// One event in words; the builder turns it into columns.
struct Line {
  std::string merchant = "m-1";
  std::string id;  // empty: a fresh one
  EventType type = EventType::payment;
  std::int64_t time_ms = 0;
  std::int64_t amount_minor = 100;
  std::string currency = "CNY";
  std::string payer;
  bool certified = true;
  std::string invoice, order;
  std::int64_t due_ms = no_time;  // invoices
  std::string ref;                // feedback: the event that it speaks of
  std::string time_zone;          // profile
  std::string profile_currency;   // profile
  std::string industry = "retail", region;
};

inline Source source_of(EventType type) {
  if (type >= EventType::payment && type <= EventType::payout) return Source::payments;
  if (type >= EventType::issued && type <= EventType::disputed) return Source::invoices;
  if (type == EventType::profile || type == EventType::tombstone) return Source::merchants;
  if (type == EventType::signal) return Source::signals;
  return Source::feedback;
}

class Stream {
 public:
  std::size_t add(Line line) {
    const std::size_t row = batch.grow(1);
    const Source source = source_of(line.type);
    const bool has_id = source != Source::merchants;
    if (line.id.empty() && has_id) line.id = "e-" + std::to_string(row);
    lines_.push_back(std::move(line));
    const Line& kept = lines_.back();
    batch.source[row] = source;
    batch.offset[row] = static_cast<std::int64_t>(row);
    batch.merchant_id[row] = kept.merchant;
    batch.merchant_hash[row] = hash_of(kept.merchant);
    batch.event_id[row] = kept.id;
    batch.event_id_hash[row] = hash_of(kept.id);
    batch.type[row] = kept.type;
    batch.flags[row] =
        static_cast<std::uint8_t>(flag_time_readable | (kept.certified ? flag_certified : 0));
    batch.event_time_ms[row] = kept.time_ms;
    if (is_scored_source(source)) {
      batch.amount_minor[row] = kept.amount_minor;
      batch.currency[row] = pack_currency(kept.currency);
      batch.payer_hash[row] = hash_of(kept.payer);
      batch.invoice_hash[row] = hash_of(kept.invoice);
      batch.order_hash[row] = hash_of(kept.order);
      if (source == Source::invoices) batch.due_time_ms[row] = kept.due_ms;
    }
    batch.ref_hash[row] = hash_of(kept.ref);
    if (kept.type == EventType::profile) {
      Profile profile;
      profile.time_zone = kept.time_zone;
      profile.industry = kept.industry;
      profile.region = kept.region;
      if (!kept.profile_currency.empty()) profile.currency = pack_currency(kept.profile_currency);
      batch.profile_index[row] = static_cast<std::int32_t>(batch.profiles.size());
      batch.profiles.push_back(profile);
    }
    return row;
  }

  EventBatch batch;

 private:
  std::deque<Line> lines_;  // addresses stay
};

/// What a run of the engine left: outcomes and feature rows by row of the stream.
struct TableRun {
  std::vector<Outcome> outcome;
  std::map<std::size_t, std::vector<float>> features;
  std::map<std::string, std::uint64_t> hashes;
  std::uint64_t payers_hash = 0;
};

/// Runs `stream` through `table`, and payers of its own where the plan has them, in batches of the
/// given sizes, the last repeated.
inline TableRun run_table(MerchantTable& table, const EventBatch& stream,
                          const std::vector<std::size_t>& sizes, int threads,
                          const std::string& zone = "UTC", const RateTable* rates = nullptr) {
  TableRun run;
  ThreadPool pool(threads);
  const auto segmenter = make_segmenter(Backend::cpu);
  const std::size_t columns = table.plan().names().size();
  std::optional<PayerTable> payers;
  if (table.plan().has_payers()) {
    // The table keeps it.
    const std::shared_ptr<const FeaturePlan> plan(std::shared_ptr<void>(), &table.plan());
    payers.emplace(plan, PayerTableOptions{50, zone});
  }
  std::size_t turn = 0;
  for (std::size_t first = 0; first < stream.rows();) {
    const std::size_t size = sizes[std::min(turn++, sizes.size() - 1)];
    const std::size_t count = std::min(size, stream.rows() - first);
    EventBatch batch;
    batch.append(stream, first, count);
    table.admit(batch, 0, count, rates);
    Segments segments;
    segmenter->run(batch.slot, table.size(), segments);
    std::vector<std::uint32_t> matrix_row(count, UINT32_MAX);
    std::uint32_t scored = 0;
    for (std::size_t row = 0; row < count; ++row) {
      if (batch.outcome[row] == Outcome::scored) matrix_row[row] = scored++;
    }
    FeatureMatrix matrix;
    matrix.resize(scored, columns);
    table.apply(batch, segments, matrix_row, matrix, pool);
    if (payers) payers->apply(batch, matrix_row, matrix, *segmenter, pool);
    for (std::size_t row = 0; row < count; ++row) {
      run.outcome.push_back(batch.outcome[row]);
      if (batch.slot[row] != no_slot && batch.source[row] == Source::merchants) {
        table.adopt_profile(batch.slot[row], batch, row);
      }
      if (matrix_row[row] == UINT32_MAX) continue;
      const auto from = matrix.row(matrix_row[row]);
      run.features[first + row].assign(from.begin(), from.end());
    }
    first += count;
  }
  for (std::uint32_t slot = 0; slot < table.size(); ++slot) {
    run.hashes[std::string(table.merchant_id(slot))] = table.hash(slot);
  }
  if (payers) run.payers_hash = payers->state_hash();
  return run;
}

inline std::vector<std::uint32_t> bits_of(const std::vector<float>& row) {
  std::vector<std::uint32_t> bits;
  for (const float value : row) bits.push_back(std::bit_cast<std::uint32_t>(value));
  return bits;
}

/// First column whose bits differ, with both values; empty when there is none.
inline std::string first_difference(const FeaturePlan& plan, const std::vector<float>& engine,
                                    const std::vector<float>& truth) {
  if (engine.size() != truth.size()) return "sizes differ";
  for (std::size_t c = 0; c < engine.size(); ++c) {
    if (std::bit_cast<std::uint32_t>(engine[c]) == std::bit_cast<std::uint32_t>(truth[c])) continue;
    return plan.names()[c] + ": " + std::to_string(engine[c]) + " is not " +
           std::to_string(truth[c]);
  }
  return "";
}

inline constexpr std::int64_t minute_ms = 60'000;
inline constexpr std::int64_t hour_ms = 60 * minute_ms;
inline constexpr std::int64_t day_ms = 24 * hour_ms;
/// 2018-04-01T00:00:00Z, a Sunday.
inline constexpr std::int64_t april_ms = 1'522'540'800'000;

inline MerchantTableOptions small_options() {
  MerchantTableOptions options;
  options.merchants_max = 10'000;
  options.dedup_events_max = 1'000'000;
  return options;
}

inline std::filesystem::path quickstart_spec() {
  // Where a packed test runs, the sources lie elsewhere and the environment says where.
  const char* const packed = std::getenv("TIDEMARK_SOURCE_DIR");
  return std::filesystem::path(packed != nullptr ? packed : TIDEMARK_SOURCE_DIR) /
         "examples/quickstart/features.yaml";
}

}  // namespace tidemark::test
