// Observer: what an operator sees of a running instance. Metrics in Prometheus text, health and
// readiness, on one port. The engine's thread writes, the HTTP threads read; neither waits for the
// other beyond a counter.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>

#include "models/explain.hpp"
#include "stream/checkpoint/writer.hpp"
#include "stream/kafka/sink.hpp"
#include "stream/pipeline/config.hpp"
#include "stream/pipeline/lane.hpp"
#include "stream/pipeline/stage_board.hpp"
#include "stream/pipeline/standby.hpp"

namespace tidemark {

class Observer {
 public:
  /// Listens on http.host:http.port, or nowhere when the port is 0. `outage_s` gives the seconds
  /// that no broker has answered for; above 0 the instance is not ready. It is asked on the HTTP
  /// threads. So is the board of other stages, where there are any: the process is ready
  /// when all of them are. Throws RunError when the port is taken.
  Observer(const Config& config, const std::string& release, std::function<double()> outage_s,
           const StageBoard* stages = nullptr);
  ~Observer();

  void observe(const std::map<int, std::unique_ptr<Lane>>& lanes, const Sink::Counters& sink,
               const Additivity& reasons);
  void set_ready(bool ready);
  /// After each transaction; a partition that is given up keeps its last values.
  void observe_checkpoint(int partition, const CheckpointWriter::Status& status);
  /// The lanes that are followed, about once a second.
  void observe_standby(const std::map<int, Standby::Status>& lanes, std::uint64_t given_up);
  /// The least share of a topic's log that lies before the partition's checkpoint; at 0 a restart
  /// finds what it needs deleted. Any thread.
  void observe_log_left(int partition, double share);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
