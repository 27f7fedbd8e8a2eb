// See serve_stages.hpp. Each hop has a thread of its own, the merchants' stage the caller's.
#include "stream/hops/serve_stages.hpp"

#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <stop_token>
#include <thread>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/hops/hop_server.hpp"
#include "stream/hops/pass_on.hpp"
#include "stream/hops/payers.hpp"
#include "stream/hops/rekey.hpp"
#include "stream/kafka/pulse.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/pipeline/observe.hpp"
#include "stream/pipeline/stages.hpp"

namespace tidemark {
namespace {

constexpr std::chrono::milliseconds look_every{20};

/// What the stages of a process share: the end of one is the end of all, and its error theirs.
class Together {
 public:
  /// `first_ready` is called when so many stages are ready.
  Together(const std::atomic<bool>& stop, std::size_t stages, std::function<void()> all_ready)
      : waited_for_(stages),
        all_ready_(std::move(all_ready)),
        watch_([this, &stop](const std::stop_token& over) {
          while (!over.stop_requested() && !end_) {
            if (stop) end_ = true;
            std::this_thread::sleep_for(look_every);
          }
        }) {}

  const std::atomic<bool>& end() const { return end_; }
  void ready() {
    if (--waited_for_ == 0 && all_ready_) all_ready_();
  }
  /// Runs a stage; what it throws is kept.
  template <typename Work>
  void run(Work work) {
    try {
      work();
    } catch (...) {
      const std::lock_guard lock(mutex_);
      if (!failure_) failure_ = std::current_exception();
    }
    end_ = true;
  }
  void rethrow() const {
    if (failure_) std::rethrow_exception(failure_);
  }

 private:
  std::atomic<bool> end_{false};
  std::atomic<std::size_t> waited_for_;
  std::function<void()> all_ready_;
  std::mutex mutex_;
  std::exception_ptr failure_;
  std::jthread watch_;  // last: it looks at what stands before it
};

std::unique_ptr<HopServer> make_hop(const Config& config, Stage stage, StageBoard& board,
                                    const std::atomic<bool>& end) {
  const KafkaSettings kafka = hop_settings(config, stage);
  const std::string &in = kafka.input(Source::payments), &out = kafka.output(hop_output);
  const auto shapes = shapes_of(kafka, {in, out});
  const int read = shapes.at(in).partitions, written = shapes.at(out).partitions;
  std::unique_ptr<Hop> hop;
  if (stage == Stage::rekey) {
    hop = std::make_unique<Rekey>(config, in, written);
  } else {
    hop = std::make_unique<Payers>(config, kafka, written);
  }
  return std::make_unique<HopServer>(config, kafka, read, std::string(name_of(stage)),
                                     std::move(hop), board, end);
}

/// A process of hops alone has no Server that would show them.
void show_until(const Config& config, const StageBoard& board, const std::atomic<bool>& end) {
  KafkaSettings kafka = config.kafka;
  kafka.outlast_outages = true;
  Pulse pulse(kafka);
  Observer observer(
      config, "", [&pulse] { return pulse.silent_s(); }, &board);
  observer.set_ready(true);
  while (!end) std::this_thread::sleep_for(look_every);
  observer.set_ready(false);
}

}  // namespace

SourceCounts serve_stages(const Config& config, const std::atomic<bool>& stop,
                          const ServeHooks& hooks) {
  const bool merchants = runs(config, Stage::merchants);
  if (merchants && config.stages.size() == 1) return serve(config, stop, hooks);
  if (merchants && config.bundle.empty()) {
    throw UsageError(config.file + ": bundle: this setting is required");
  }
  check_topics(config.kafka);
  StageBoard board;
  Together together(stop, config.stages.size(), hooks.ready);
  std::vector<std::unique_ptr<HopServer>> hops;
  for (const Stage stage : config.stages) {
    if (stage != Stage::merchants) hops.push_back(make_hop(config, stage, board, together.end()));
  }
  SourceCounts counts{};
  {
    std::vector<std::jthread> threads;
    for (const auto& hop : hops) {
      threads.emplace_back([&together, &hop] {
        together.run([&] { hop->run([&together] { together.ready(); }); });
      });
    }
    together.run([&] {
      if (!merchants) return show_until(config, board, together.end());
      ServeHooks own = hooks;
      own.stages = &board;
      own.ready = [&together] { together.ready(); };
      counts = serve(config, together.end(), own);
    });
  }
  together.rethrow();
  return counts;
}

}  // namespace tidemark
