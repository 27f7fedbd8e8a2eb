// See observe.hpp. prometheus-cpp keeps and writes the metrics, cpp-httplib serves them.
#include "stream/pipeline/observe.hpp"

#include <httplib.h>
#include <prometheus/counter.h>
#include <prometheus/gauge.h>
#include <prometheus/registry.h>
#include <prometheus/text_serializer.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <thread>
#include <utility>

#include "kernels/base/failure.hpp"
#include "kernels/runtime/device_or_cpu.hpp"

namespace tidemark {

struct Observer::Impl {
  prometheus::Registry registry;
  prometheus::Family<prometheus::Counter>& events =
      prometheus::BuildCounter()
          .Name("tidemark_events_total")
          .Help("Input records by source and outcome, since the start")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& merchants = prometheus::BuildGauge()
                                                         .Name("tidemark_merchants")
                                                         .Help("Merchants held, by partition")
                                                         .Register(registry);
  prometheus::Family<prometheus::Gauge>& info =
      prometheus::BuildGauge()
          .Name("tidemark_build_info")
          .Help("1, with the version and the release in the labels")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& transactions = prometheus::BuildCounter()
                                                              .Name("tidemark_transactions_total")
                                                              .Help("Kafka transactions by result")
                                                              .Register(registry);
  prometheus::Counter& commit_seconds = prometheus::BuildCounter()
                                            .Name("tidemark_commit_seconds_total")
                                            .Help("Time spent in commits")
                                            .Register(registry)
                                            .Add({});
  prometheus::Family<prometheus::Gauge>& checkpoint_time =
      prometheus::BuildGauge()
          .Name("tidemark_checkpoint_timestamp_seconds")
          .Help("When the state of the last checkpoint was, by partition (Unix time)")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& checkpoint_bytes =
      prometheus::BuildGauge()
          .Name("tidemark_checkpoint_bytes")
          .Help("Bytes of the chunks that the last checkpoint consists of")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& checkpoint_seconds =
      prometheus::BuildGauge()
          .Name("tidemark_checkpoint_write_seconds")
          .Help("From the first chunk of the last checkpoint to its manifest")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& checkpoints = prometheus::BuildCounter()
                                                             .Name("tidemark_checkpoints_total")
                                                             .Help("Checkpoints by result")
                                                             .Register(registry);
  prometheus::Family<prometheus::Gauge>& log_left =
      prometheus::BuildGauge()
          .Name("tidemark_log_before_checkpoint_ratio")
          .Help(
              "Least share of an input's or the journal's log that lies before the checkpoint; "
              "at 0 a restart would find what it needs deleted")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& dead_letter_budget =
      prometheus::BuildGauge()
          .Name("tidemark_dead_letter_budget_used_ratio")
          .Help(
              "Share of dead_letters.max that a partition's last records have used; above 1 it "
              "stops")
          .Register(registry);
  prometheus::Counter& reasons_compared =
      prometheus::BuildCounter()
          .Name("tidemark_reasons_compared_total")
          .Help("Explained rows whose contributions were compared with the exact score")
          .Register(registry)
          .Add({});
  prometheus::Gauge& reasons_error =
      prometheus::BuildGauge()
          .Name("tidemark_reasons_error_max")
          .Help("Largest difference found there, relative to the score where that is above 1")
          .Register(registry)
          .Add({});
  prometheus::Gauge& standby_lanes = prometheus::BuildGauge()
                                         .Name("tidemark_standby_lanes")
                                         .Help("Partitions of others whose state is kept here")
                                         .Register(registry)
                                         .Add({});
  prometheus::Gauge& standby_bytes = prometheus::BuildGauge()
                                         .Name("tidemark_standby_bytes")
                                         .Help("What standby.memory_mb_max is compared with")
                                         .Register(registry)
                                         .Add({});
  prometheus::Family<prometheus::Gauge>& standby_lag =
      prometheus::BuildGauge()
          .Name("tidemark_standby_lag_transactions")
          .Help("Transactions in the journal that the standby has not repeated, by partition")
          .Register(registry);
  std::map<int, prometheus::Gauge*> standby_lags;  // of those that are followed
  prometheus::Counter& standby_given_up =
      prometheus::BuildCounter()
          .Name("tidemark_standby_given_up_total")
          .Help("Lanes that the standby gave up; the log says why")
          .Register(registry)
          .Add({});
  prometheus::Gauge& outage_seconds = prometheus::BuildGauge()
                                          .Name("tidemark_kafka_outage_seconds")
                                          .Help("How long no broker has answered, 0 while they do")
                                          .Register(registry)
                                          .Add({});
  prometheus::Gauge& device_failed =
      prometheus::BuildGauge()
          .Name("tidemark_device_failed")
          .Help("1 after the device has failed: the CPU does its work until a restart")
          .Register(registry)
          .Add({});
  double dead_letters_max = 0;
  std::function<double()> outage_s;
  httplib::Server server;
  std::thread thread;
  std::atomic<bool> ready{false};

  // Of the stages ahead, brought up to date when somebody asks.
  const StageBoard* stages = nullptr;
  std::mutex stages_mutex;
  prometheus::Family<prometheus::Counter>& stage_records =
      prometheus::BuildCounter()
          .Name("tidemark_stage_records_total")
          .Help("Payments that a stage ahead of the merchants' has handed on, since the start")
          .Register(registry);
  prometheus::Family<prometheus::Gauge>& stage_lag =
      prometheus::BuildGauge()
          .Name("tidemark_stage_lag_records")
          .Help("Offsets between what such a stage has taken and the end of its log, by partition")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& stage_transactions =
      prometheus::BuildCounter()
          .Name("tidemark_stage_transactions_total")
          .Help("Kafka transactions of such a stage by result")
          .Register(registry);
  prometheus::Family<prometheus::Counter>& payer_features =
      prometheus::BuildCounter()
          .Name("tidemark_payer_features_total")
          .Help(
              "Scored payments with a payer, by what came with them: its features (read), none "
              "(missing), or those of another spec (foreign)")
          .Register(registry);

  void take_stages() {
    if (stages == nullptr) return;
    const std::lock_guard lock(stages_mutex);
    for (const auto& [name, status] : stages->stages()) {
      raise_to(stage_records.Add({{"stage", name}}), static_cast<double>(status.records));
      for (const auto& [partition, lag] : status.lag_records) {
        stage_lag.Add({{"stage", name}, {"partition", std::to_string(partition)}})
            .Set(static_cast<double>(lag));
      }
      raise_to(stage_transactions.Add({{"stage", name}, {"result", "committed"}}),
               static_cast<double>(status.sink.commits));
      raise_to(stage_transactions.Add({{"stage", name}, {"result", "aborted"}}),
               static_cast<double>(status.sink.aborts));
    }
  }

  static void raise_to(prometheus::Counter& counter, double total) {
    if (total > counter.Value()) counter.Increment(total - counter.Value());
  }
};

Observer::Observer(const Config& config, const std::string& release,
                   std::function<double()> outage_s, const StageBoard* stages)
    : impl_(std::make_unique<Impl>()) {
  impl_->outage_s = std::move(outage_s);
  impl_->stages = stages;
  impl_->dead_letters_max = static_cast<double>(config.dead_letters_max);
  impl_->info.Add({{"version", TIDEMARK_VERSION}, {"release", release}}).Set(1);
  if (config.http_port == 0) return;
  Impl& impl = *impl_;
  impl.server.Get("/metrics", [&impl](const httplib::Request&, httplib::Response& response) {
    impl.outage_seconds.Set(impl.outage_s());
    impl.device_failed.Set(device_failure().empty() ? 0 : 1);
    impl.take_stages();
    const prometheus::TextSerializer serializer;
    response.set_content(serializer.Serialize(impl.registry.Collect()),
                         "text/plain; version=0.0.4");
  });
  impl.server.Get("/healthz", [](const httplib::Request&, httplib::Response& response) {
    response.set_content("ok\n", "text/plain");
  });
  impl.server.Get("/readyz", [&impl](const httplib::Request&, httplib::Response& response) {
    const bool others = impl.stages == nullptr || impl.stages->all_ready();
    const bool ready = impl.ready && others && impl.outage_s() == 0;
    response.status = ready ? 200 : 503;
    response.set_content(ready ? "ready\n" : "not ready\n", "text/plain");
  });
  if (!impl.server.bind_to_port(config.http_host.c_str(), config.http_port)) {
    throw RunError("http.port: cannot listen on " + config.http_host + ":" +
                   std::to_string(config.http_port) + "; is it taken?");
  }
  impl.thread = std::thread([&impl] { impl.server.listen_after_bind(); });
  // stop() reaches only a server that runs.
  while (!impl.server.is_running()) std::this_thread::yield();
}

Observer::~Observer() {
  if (!impl_->thread.joinable()) return;
  impl_->server.stop();
  impl_->thread.join();
}

void Observer::set_ready(bool ready) {
  impl_->ready = ready;
}

void Observer::observe_checkpoint(int partition, const CheckpointWriter::Status& status) {
  const std::string number = std::to_string(partition);
  if (status.last) {
    impl_->checkpoint_time.Add({{"partition", number}})
        .Set(static_cast<double>(status.last->made_at_ms) / 1e3);
    impl_->checkpoint_bytes.Add({{"partition", number}})
        .Set(static_cast<double>(status.last->bytes()));
  }
  impl_->checkpoint_seconds.Add({{"partition", number}}).Set(status.write_seconds);
  Impl::raise_to(impl_->checkpoints.Add({{"partition", number}, {"result", "published"}}),
                 static_cast<double>(status.published));
  Impl::raise_to(impl_->checkpoints.Add({{"partition", number}, {"result", "failed"}}),
                 static_cast<double>(status.failures));
}

void Observer::observe_log_left(int partition, double share) {
  impl_->log_left.Add({{"partition", std::to_string(partition)}}).Set(share);
}

void Observer::observe_standby(const std::map<int, Standby::Status>& lanes,
                               std::uint64_t given_up) {
  std::size_t bytes = 0;
  for (const auto& [partition, status] : lanes) {
    prometheus::Gauge*& lag = impl_->standby_lags[partition];
    if (lag == nullptr) {
      lag = &impl_->standby_lag.Add({{"partition", std::to_string(partition)}});
    }
    lag->Set(static_cast<double>(status.lag_transactions));
    bytes += status.bytes;
  }
  std::erase_if(impl_->standby_lags, [&](const auto& entry) {
    if (lanes.count(entry.first) != 0) return false;
    impl_->standby_lag.Remove(entry.second);
    return true;
  });
  impl_->standby_lanes.Set(static_cast<double>(lanes.size()));
  impl_->standby_bytes.Set(static_cast<double>(bytes));
  Impl::raise_to(impl_->standby_given_up, static_cast<double>(given_up));
}

void Observer::observe(const std::map<int, std::unique_ptr<Lane>>& lanes,
                       const Sink::Counters& sink, const Additivity& reasons) {
  for (const auto& [partition, lane] : lanes) {
    const std::string number = std::to_string(partition);
    impl_->merchants.Add({{"partition", number}}).Set(lane->table.size());
    impl_->dead_letter_budget.Add({{"partition", number}})
        .Set(static_cast<double>(lane->dead_letters.count()) /
             std::max(1.0, impl_->dead_letters_max));
    if (const PayerHeaderCounts& c = lane->payer_headers; c.read + c.missing + c.foreign > 0) {
      const auto set = [&](const char* result, std::uint64_t total) {
        Impl::raise_to(impl_->payer_features.Add({{"partition", number}, {"result", result}}),
                       static_cast<double>(total));
      };
      set("read", c.read);
      set("missing", c.missing);
      set("foreign", c.foreign);
    }
    for (std::size_t s = 0; s < source_count; ++s) {
      const OutcomeCounts& c = lane->counts[s];
      const std::string source{name_of(static_cast<Source>(s))};
      const auto set = [&](Outcome outcome, std::uint64_t total) {
        Impl::raise_to(impl_->events.Add({{"partition", number},
                                          {"source", source},
                                          {"outcome", std::string(name_of(outcome))}}),
                       static_cast<double>(total));
      };
      set(Outcome::scored, c.scored);
      set(Outcome::applied, c.applied);
      set(Outcome::dead_lettered, c.dead_lettered);
      set(Outcome::late, c.late);
      set(Outcome::duplicate, c.duplicate);
    }
  }
  Impl::raise_to(impl_->transactions.Add({{"result", "committed"}}),
                 static_cast<double>(sink.commits));
  Impl::raise_to(impl_->transactions.Add({{"result", "aborted"}}),
                 static_cast<double>(sink.aborts));
  Impl::raise_to(impl_->commit_seconds, sink.commit_seconds);
  Impl::raise_to(impl_->reasons_compared, static_cast<double>(reasons.rows));
  impl_->reasons_error.Set(reasons.error_max);
}

}  // namespace tidemark
