// See serve.hpp.
#include "stream/pipeline/serve.hpp"

#include <spdlog/spdlog.h>

#include "stream/kafka/topic_admin.hpp"
#include "stream/pipeline/server.hpp"

namespace tidemark {

void serve(const Config& config, const std::atomic<bool>& stop,
           const std::function<void()>& ready) {
  const TopicCheck topics = check_topics(config.kafka);
  for (const std::string& warning : topics.warnings) spdlog::warn("{}", warning);
  Server server(config, topics.partitions);
  server.start();
  bool announced = false;
  while (!stop) {
    server.round();
    if (announced || !server.recovered_once()) continue;
    announced = true;
    server.observer().set_ready(true);
    if (ready) ready();
  }
  server.observer().set_ready(false);
  server.stop();
}

}  // namespace tidemark
