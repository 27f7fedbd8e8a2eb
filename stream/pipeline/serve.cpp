// See serve.hpp.
#include "stream/pipeline/serve.hpp"

#include <spdlog/spdlog.h>

#include "kernels/base/failure.hpp"
#include "stream/kafka/topic_admin.hpp"
#include "stream/pipeline/server.hpp"

namespace tidemark {

SourceCounts serve(const Config& config, const std::atomic<bool>& stop, const ServeHooks& hooks) {
  if (config.bundle.empty()) throw UsageError(config.file + ": bundle: this setting is required");
  const TopicCheck topics = check_topics(config.kafka);
  for (const std::string& warning : topics.warnings) spdlog::warn("{}", warning);
  Server server(config, topics.partitions, stop, hooks.stages);
  const bool waits = config.standby_bytes_max > 0 && config.kafka.assignment == Assignment::manual;
  if (waits && !server.stand_by(hooks.take_over)) return server.counts();
  server.start();
  bool announced = false;
  try {
    while (!stop) {
      server.round();
      if (!announced && server.recovered_once()) {
        announced = true;
        if (hooks.ready) hooks.ready();
      }
      if (hooks.taken) hooks.taken(server.rows_taken());
      if (hooks.handed) hooks.handed(server.rows_handed());
    }
  } catch (const Interrupted&) {
    spdlog::info("stopped while recovering; the next start begins again");
  }
  server.observer().set_ready(false);
  server.stop(hooks.settled);
  return server.counts();
}

}  // namespace tidemark
