// What an error of Kafka's asks of us, decided in one place for every client. Internal to this
// folder; pure functions, used by any thread. What is done about it stands with the caller.
#pragma once

struct rd_kafka_error_s;

namespace tidemark::kafka {

enum class ErrorClass {
  none,
  /// Nobody answers, or the broker that answers has no leader, coordinator or epoch to answer with
  /// yet: it lasts as long as an outage and its aftermath do.
  away,
  /// The topic or partition is not known: so it looks just after it was made or a broker came back,
  /// and when it is gone.
  unknown_topic,
  /// Anything else that may pass when asked again, within bounds.
  retriable,
  /// This transaction is lost: back to the committed offsets, and once more.
  abortable,
  /// Our id is in other hands, or looks so: see fence.hpp.
  fenced,
  /// The same question will always have this answer.
  fatal,
};

/// Of a code that a request or a message carries (rd_kafka_resp_err_t).
ErrorClass classify(int code);

/// Of a call of the transactional producer, whose errors say by themselves what they ask; null is
/// `none`. Whatever is neither retriable nor abortable there has used the producer up: `fatal`.
ErrorClass classify_transactional(const rd_kafka_error_s* error);

}  // namespace tidemark::kafka
