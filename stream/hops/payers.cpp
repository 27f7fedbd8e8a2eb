// See payers.hpp. Outcomes are not settled here: what cannot be read goes on as it is, and the
// merchants' stage finds it.
#include "stream/hops/payers.hpp"

#include <spdlog/spdlog.h>

#include <algorithm>
#include <utility>

#include "stream/encode/headers.hpp"
#include "stream/hops/pass_on.hpp"
#include "stream/pipeline/checkpointer.hpp"
#include "stream/pipeline/memory_check.hpp"

namespace tidemark {
namespace {

constexpr std::size_t read_records_max = 10'000;
constexpr int read_timeout_ms = 5;

/// Records [first, first + count) under the key that they had before they met their payer, which is
/// to be their merchant; where no hop has kept it, under none that could be held against it.
std::shared_ptr<const RawBatch> as_they_came(const std::shared_ptr<const RawBatch>& raw,
                                             std::size_t first, std::size_t count) {
  auto batch = std::make_shared<RawBatch>();
  batch->keep_alive = raw;
  const auto begin = raw->records.begin() + static_cast<std::ptrdiff_t>(first);
  batch->records.assign(begin, begin + static_cast<std::ptrdiff_t>(count));
  for (RawRecord& record : batch->records) {
    const auto key = find_header(record.headers, header_key);
    record.has_key = key.has_value();
    if (key) record.key = *key;
  }
  return batch;
}

}  // namespace

Payers::Payers(const Config& config, const KafkaSettings& kafka, int partitions)
    : config_(config),
      topic_(kafka.input(Source::payments)),
      partitions_(partitions),
      plan_(FeaturePlan::load(config.features_spec)),
      header_(*plan_, config),
      pool_(config.threads),
      intake_(config, pool_, 0),
      segmenter_(make_segmenter(Backend::cpu)),
      readers_(kafka) {
  check_payer_memory(config, *plan_, machine_memory_bytes());
  if (auto store = open_checkpoint_store(config, kafka)) {
    checkpoints_ = std::make_unique<PayerCheckpoints>(config, kafka, plan_, std::move(store));
  }
}

void Payers::open(int partition, std::int64_t next, const std::atomic<bool>& stop) {
  PayerCheckpoints::Opened opened;
  if (checkpoints_) {
    opened = checkpoints_->open(partition, next, pool_);
  } else {
    opened.lane = std::make_unique<PayerLane>(plan_, config_);
  }
  auto& [lane, first] = opened;
  const std::uint32_t restored = lane->payers();
  std::uint64_t repeated = 0;
  if (next > first) {
    PlainReader reader(readers_, {topic_, partition, first, next, Source::payments});
    while (!reader.done()) {
      if (stop) throw HopInterrupted{};
      const std::shared_ptr<const RawBatch> raw = reader.read(read_records_max, read_timeout_ms);
      const std::size_t count = raw->records.size();
      if (count == 0) continue;
      lane->take(*intake_.parse(as_they_came(raw, 0, count), 0, count), *segmenter_, pool_);
      repeated += count;
    }
  }
  if (next > 0) {
    spdlog::info("payers of partition {}: {} restored at offset {}, {} events repeated, now {}",
                 partition, restored, first, repeated, lane->payers());
  }
  lanes_[partition] = std::move(lane);
}

void Payers::close(int partition) {
  lanes_.erase(partition);
  if (checkpoints_) checkpoints_->close(partition);
}

std::function<void()> Payers::checkpoint(int partition, std::int64_t next) {
  if (!checkpoints_) return {};
  return checkpoints_->begin(partition, *lanes_.at(partition), next, false);
}

void Payers::leave(int partition, std::int64_t next) {
  if (!checkpoints_) return;
  checkpoints_->leave(partition);
  const auto committed = checkpoints_->begin(partition, *lanes_.at(partition), next, true);
  if (committed) committed();
  checkpoints_->settle();
}

/// Back to where it was in payments, where a hop has been before; else by the merchant's id.
Destination Payers::destination(const RawRecord& record, std::string_view merchant_id) const {
  if (const auto partition = first_partition(record.headers);
      partition && *partition < partitions_) {
    return {record.key, *partition};
  }
  if (!merchant_id.empty()) return {merchant_id, any_partition};
  // Without a key a partitioner would choose by chance.
  const bool keyed = record.key.data() != nullptr;
  return {record.key, keyed ? any_partition : record.partition % partitions_};
}

void Payers::take(const std::shared_ptr<const RawBatch>& raw, std::size_t first, std::size_t count,
                  OutputBatch& out) {
  PayerLane& lane = *lanes_.at(raw->records[first].partition);
  const auto came = as_they_came(raw, first, count);
  const auto rows = intake_.parse(came, 0, count);
  lane.take(*rows, *segmenter_, pool_);
  for (std::size_t row = 0; row < count; ++row) {
    const RawRecord& record = came->records[row];
    headers_.clear();
    append_place(record, topic_, headers_);
    if (const auto features = lane.features(row); !features.empty()) {
      value_.clear();
      header_.write(features, value_);
      append_header(PayerHeader::name, value_, headers_);
    }
    pass_on(record, destination(record, rows->merchant_id[row]), headers_, out);
  }
}

}  // namespace tidemark
