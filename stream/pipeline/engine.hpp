// The engine: one micro-batch of one lane through admit, segment, windows, score, decide, encode.
// The same code serves, replays files, and rebuilds state in silence. One thread calls it; inside
// it spreads over the pool. It reads no clock and no configuration, so the same rows in the same
// order give the same bytes.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "kernels/window/segment.hpp"
#include "stream/pipeline/lane.hpp"
#include "stream/pipeline/loaded_release.hpp"

namespace tidemark {

/// Where one batch's output goes, in sequence order. Null pointers are not produced.
struct EngineOutput {
  std::vector<OutputBatch>* records = nullptr;
  /// Called once a batch before anything is decided, for whoever decides it all over again.
  std::function<void(const EventBatch&, const RateTable*)> before;
  /// Called once a batch with rows and their features before decisions, for training rows.
  std::function<void(const EventBatch&, std::span<const std::uint32_t> matrix_row,
                     const FeatureMatrix&)>
      rows;
};

MerchantTableOptions merchant_options(const Config& config);
/// An empty lane with the capacities and settings of a configuration. Of `payers_max` payers it
/// keeps the windows itself; with none they come with the records.
std::unique_ptr<Lane> make_lane(const Config& config,
                                const std::shared_ptr<const FeaturePlan>& plan, int partition,
                                std::uint32_t payers_max = 0);

class Engine {
 public:
  Engine(const Config& config, const LoadedRelease& release, Backend backend, ThreadPool& pool);
  ~Engine();

  std::unique_ptr<Lane> make_lane(int partition) const;

  /// Takes up to batch.events_max rows in merge order and processes them. False when the lane has
  /// nothing that may go now.
  bool step(Lane& lane, MonotonicTime now, const EngineOutput& out);
  /// The same for up to `count` rows of one source, in an order that was recorded. Returns the
  /// rows.
  std::size_t step_recorded(Lane& lane, Source source, std::size_t count, const EngineOutput& out);

 private:
  struct Scratch;
  void process(Lane& lane, EventBatch& rows, const EngineOutput& out);
  void read_payers(Lane& lane, const EventBatch& rows);
  void control(Lane& lane, EventBatch& rows, const EngineOutput& out);
  void score(std::size_t rows, bool fraud);
  void decide(Lane& lane, const EventBatch& rows);
  void decide_group(Lane& lane, const EventBatch& rows, std::size_t group, int worker);
  void encode(const EventBatch& rows, std::vector<OutputBatch>& out);
  void encode_row(const EventBatch& rows, std::size_t row, std::size_t& limit, std::size_t& alert,
                  OutputBatch& out) const;
  void account(Lane& lane, const EventBatch& rows);
  void pass_tick(Lane& lane, const SourceMerge::Crossing& cause, const EngineOutput& out);
  /// Re-evaluates merchants with no event of their own; publishes what changed.
  void sweep(Lane& lane, std::span<const std::uint32_t> slots, std::int64_t at_ms,
             const SourceMerge::Crossing& cause, const EngineOutput& out);
  /// Whom the policy looks at, when, and which row its decisions belong to.
  struct Evaluation {
    std::uint32_t slot = 0, row = 0;
    std::int64_t clock_ms = 0;       // the windows were read at this instant
    std::int64_t event_time_ms = 0;  // what the decisions will say
    CurrencyCode currency = 0;
  };
  /// Alert and limit of one merchant. True when its decision state moved.
  bool evaluate(Lane& lane, const Evaluation& at, std::span<const float> features, double credit,
                int worker);
  static void set_freeze(Lane& lane, const Profile& order, bool frozen);
  static void set_overlay(Lane& lane, const Profile& order);

  /// Says once that the device has failed.
  void report_device();

  const Config& config_;
  const LoadedRelease& release_;
  ThreadPool& pool_;
  bool device_reported_ = false;
  std::unique_ptr<Segmenter> segmenter_;
  std::unique_ptr<Scratch> scratch_;
};

}  // namespace tidemark
