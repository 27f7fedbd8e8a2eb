// See pipeline_bench.hpp.
#include "bench/pipeline/pipeline_bench.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <random>
#include <utility>

#include "bench/pipeline/bare_loop.hpp"
#include "kernels/base/failure.hpp"
#include "kernels/runtime/thread_pool.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/kafka/transaction.hpp"
#include "stream/pipeline/intake.hpp"
#include "stream/pipeline/replay.hpp"
#include "stream/pipeline/serve.hpp"
#include "stream/source/file_source.hpp"

namespace tidemark {
namespace {

using Clock = std::chrono::steady_clock;

constexpr std::size_t load_records_max = 10'000;

double rate(std::uint64_t events, double seconds) {
  return static_cast<double>(events) / seconds;
}

std::int64_t now_ms() {
  using std::chrono::milliseconds;
  const auto since_epoch = std::chrono::system_clock::now().time_since_epoch();
  return std::chrono::duration_cast<milliseconds>(since_epoch).count();
}

double run_replay(const Config& config, const PipelineBenchOptions& options,
                  std::uint64_t& events) {
  ReplayOptions replay_options;
  replay_options.inputs[static_cast<std::size_t>(Source::payments)] = options.payments;
  if (!options.merchants.empty()) {
    replay_options.inputs[static_cast<std::size_t>(Source::merchants)] = options.merchants;
  }
  replay_options.out = options.work / "replay";
  replay_options.now_ms = now_ms();
  const ReplaySummary summary = replay(config, replay_options);
  events = summary.total.consumed;
  return summary.events_per_s;
}

/// A configuration with topics, group and transactional id of its own.
Config own_names(Config config, const std::string& topics, const std::string& member) {
  for (std::string& name : config.kafka.input_topics) name = topics + "-" + name;
  for (std::string& name : config.kafka.output_topics) name = topics + "-" + name;
  config.kafka.group_id = config.kafka.transactional_id = member;
  return config;
}

/// Puts the lines of a file into the topic of a source, keyed by merchant.
std::uint64_t load_topic(const Config& config, Source source, const std::filesystem::path& path) {
  KafkaSettings settings = config.kafka;
  settings.transactional_id += "-loader";
  settings.output_topics[static_cast<std::size_t>(OutputTopic::verdicts)] =
      config.kafka.input(source);
  TransactionalSink sink(settings);
  sink.init();
  GroupConsumer nobody(settings);  // commits here carry no offsets
  ThreadPool pool(config.threads);
  Intake intake(config, pool, 0);
  FileSource file(source, path.string(), now_ms());
  std::uint64_t loaded = 0;
  while (const auto raw = file.read(load_records_max)) {
    const auto rows = intake.parse(raw, 0, raw->records.size());
    OutputBatch out;
    for (std::size_t row = 0; row < rows->rows(); ++row) {
      OutputRecord& record = out.records.emplace_back();
      record.key_begin = out.bytes.size();
      record.key_bytes = static_cast<std::uint32_t>(rows->merchant_id[row].size());
      out.bytes += rows->merchant_id[row];
      record.value_begin = out.bytes.size();
      record.value_bytes = static_cast<std::uint32_t>(rows->raw_value[row].size());
      out.bytes += rows->raw_value[row];
    }
    sink.produce(out);
    loaded += rows->rows();
    const CommitResult result = sink.commit({}, nobody);
    if (!result.committed()) throw RunError("loading the topic failed: " + result.reason);
  }
  return loaded;
}

double run_serve(const Config& config, std::uint64_t events) {
  std::atomic<bool> stop{false};
  Clock::time_point start{}, end{};
  ServeHooks hooks;
  hooks.taken = [&](std::uint64_t rows) {
    if (rows > 0 && start == Clock::time_point{}) start = Clock::now();
  };
  hooks.handed = [&](std::uint64_t rows) {
    if (rows >= events) stop = true;
  };
  hooks.settled = [&] { end = Clock::now(); };
  serve(config, stop, hooks);
  return std::chrono::duration<double>(end - start).count();
}

std::string random_word() {
  std::random_device device;
  return fmt::format("bench-{:08x}", device());
}

}  // namespace

double median(std::vector<double> values) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

PipelineBenchResult bench_pipeline(const Config& given, const PipelineBenchOptions& options) {
  Config config = given;
  config.transaction_events_max = options.transaction_events;
  PipelineBenchResult result;
  run_replay(config, options, result.events);  // warms the file and checks the identity
  if (result.events == 0) throw UsageError(options.payments.string() + ": holds no events");
  std::string topics;
  if (options.kafka) {
    topics = random_word();
    const Config named = own_names(config, topics, topics);
    create_topics(named.kafka, options.partitions);
    std::uint64_t loaded = load_topic(named, Source::payments, options.payments);
    if (!options.merchants.empty()) {
      loaded += load_topic(named, Source::merchants, options.merchants);
    }
    if (loaded != result.events) throw RunError("the loader lost events");
    // A broker that has not served yet gives a third of its rate: one run of each does not count.
    run_bare_loop(own_names(config, topics, random_word()).kafka, result.events,
                  options.transaction_events);
  }
  for (int run = 0; run < options.runs; ++run) {
    std::uint64_t events = 0;
    result.replay.push_back(run_replay(config, options, events));
    if (events != result.events) throw RunError("replay lost events between two runs");
    if (!options.kafka) continue;
    const Config bare = own_names(config, topics, random_word());
    result.bare.push_back(
        rate(result.events, run_bare_loop(bare.kafka, result.events, options.transaction_events)));
    for (const auto& [delivery, rates] : {std::pair{Delivery::exactly_once, &result.serve},
                                          {Delivery::at_least_once, &result.at_least_once}}) {
      // A group of its own starts without a journal of its own, so all topics are new but the
      // input.
      Config engine = own_names(config, random_word(), random_word());
      engine.kafka.input_topics = own_names(config, topics, "").kafka.input_topics;
      engine.kafka.delivery = delivery;
      create_topics(engine.kafka, options.partitions);
      rates->push_back(rate(result.events, run_serve(engine, result.events)));
    }
  }
  return result;
}

std::string to_table(const PipelineBenchResult& result) {
  std::string text =
      fmt::format("{} events, median of {} runs\n", result.events, result.replay.size());
  text += fmt::format("{:<28}{:>14.0f} events/s\n", "replay from a file", median(result.replay));
  if (result.bare.empty()) return text;
  text +=
      fmt::format("{:<28}{:>14.0f} events/s\n", "bare consume-and-produce", median(result.bare));
  text += fmt::format("{:<28}{:>14.0f} events/s   {:.2f} of the bare loop\n", "serve through Kafka",
                      median(result.serve), median(result.serve) / median(result.bare));
  text += fmt::format("{:<28}{:>14.0f} events/s   exactly once reaches {:.2f} of it\n",
                      "serve at least once", median(result.at_least_once),
                      median(result.serve) / median(result.at_least_once));
  return text;
}

std::string to_json(const PipelineBenchResult& result) {
  std::string json = fmt::format(R"({{"events":{})", result.events);
  for (const auto& [name, rates] : {std::pair{"replay", &result.replay},
                                    {"bare", &result.bare},
                                    {"serve", &result.serve},
                                    {"at_least_once", &result.at_least_once}}) {
    json += fmt::format(R"(,"{}":[{:.0f}],"{}_median":{:.0f})", name, fmt::join(*rates, ","), name,
                        median(*rates));
  }
  return json + '}';
}

}  // namespace tidemark
