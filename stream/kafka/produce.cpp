// rd_kafka_produce where there are no headers, which is nearly always: the variadic call with
// headers costs about 15% more for each record.
#include "stream/kafka/produce.hpp"

#include <librdkafka/rdkafka.h>

#include <algorithm>
#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "stream/encode/headers.hpp"
#include "stream/kafka/client.hpp"

namespace tidemark::kafka {

namespace {

/// Key or value as librdkafka wants it: nulls are nulls, and nothing is const, though with F_COPY
/// it only reads.
struct Memory {
  void* data = nullptr;
  std::size_t bytes = 0;
};

Memory memory_of(std::string_view text, bool null) {
  if (null) return {};
  return {const_cast<char*>(text.data()), text.size()};
}

rd_kafka_vu_t header(const char* name, const std::string& text) {
  rd_kafka_vu_t vu{};
  vu.vtype = RD_KAFKA_VTYPE_HEADER;
  vu.u.header = {name, text.data(), static_cast<ssize_t>(text.size())};
  return vu;
}

int produce_letter(rd_kafka_s* client, rd_kafka_topic_s* topic, const std::string& input_topic,
                   const LetterHeaders& letter, const OutputRecord& record, Memory key,
                   Memory value) {
  const std::string partition = std::to_string(letter.partition);
  const std::string offset = std::to_string(letter.offset);
  std::array<rd_kafka_vu_t, 10> vus{};
  vus[0].vtype = RD_KAFKA_VTYPE_RKT;
  vus[0].u.rkt = topic;
  vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  vus[1].u.i32 = record.partition;
  vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  vus[2].u.i = RD_KAFKA_MSG_F_COPY;
  vus[3].vtype = RD_KAFKA_VTYPE_VALUE;
  vus[3].u.mem = {value.data, value.bytes};
  vus[4].vtype = RD_KAFKA_VTYPE_KEY;
  vus[4].u.mem = {key.data, key.bytes};
  vus[5] = header("error", letter.error);
  vus[6] = header("message", letter.message);
  vus[7] = header("topic", input_topic);
  vus[8] = header("partition", partition);
  vus[9] = header("offset", offset);
  const ErrorHandle error(rd_kafka_produceva(client, vus.data(), vus.size()));
  return error ? rd_kafka_error_code(error.get()) : RD_KAFKA_RESP_ERR_NO_ERROR;
}

struct DestroyHeaders {
  void operator()(rd_kafka_headers_t* headers) const { rd_kafka_headers_destroy(headers); }
};

int produce_passed_on(rd_kafka_s* client, rd_kafka_topic_s* topic, const PassedOn& passed,
                      std::string_view packed, const OutputRecord& record, Memory key,
                      Memory value) {
  std::unique_ptr<rd_kafka_headers_t, DestroyHeaders> headers(rd_kafka_headers_new(8));
  for_each_header(packed, [&](std::string_view name, std::string_view text) {
    rd_kafka_header_add(headers.get(), name.data(), static_cast<ssize_t>(name.size()), text.data(),
                        static_cast<ssize_t>(text.size()));
  });
  std::array<rd_kafka_vu_t, 7> vus{};
  vus[0].vtype = RD_KAFKA_VTYPE_RKT;
  vus[0].u.rkt = topic;
  vus[1].vtype = RD_KAFKA_VTYPE_PARTITION;
  vus[1].u.i32 = record.partition;
  vus[2].vtype = RD_KAFKA_VTYPE_MSGFLAGS;
  vus[2].u.i = RD_KAFKA_MSG_F_COPY;
  vus[3].vtype = RD_KAFKA_VTYPE_VALUE;
  vus[3].u.mem = {value.data, value.bytes};
  vus[4].vtype = RD_KAFKA_VTYPE_KEY;
  vus[4].u.mem = {key.data, key.bytes};
  vus[5].vtype = RD_KAFKA_VTYPE_TIMESTAMP;
  vus[5].u.i64 = std::max<std::int64_t>(passed.time_ms, 0);  // 0: now
  vus[6].vtype = RD_KAFKA_VTYPE_HEADERS;
  vus[6].u.headers = headers.get();
  const ErrorHandle error(rd_kafka_produceva(client, vus.data(), vus.size()));
  if (error) return rd_kafka_error_code(error.get());
  headers.release();  // the client's now
  return RD_KAFKA_RESP_ERR_NO_ERROR;
}

}  // namespace

int produce_record(rd_kafka_s* client, rd_kafka_topic_s* topic, const KafkaSettings& settings,
                   const OutputBatch& batch, const OutputRecord& record) {
  const Memory key = memory_of(batch.key(record), record.null_key);
  const Memory value = memory_of(batch.value(record), record.null_value);
  if (record.letter >= 0) {
    const LetterHeaders& letter = batch.letters[static_cast<std::size_t>(record.letter)];
    return produce_letter(client, topic, settings.input(letter.source), letter, record, key, value);
  }
  if (record.passed_on >= 0) {
    const PassedOn& passed = batch.passed_on[static_cast<std::size_t>(record.passed_on)];
    return produce_passed_on(client, topic, passed, batch.headers(passed), record, key, value);
  }
  // The report carries it as a pointer; null stands for none.
  void* const expected = reinterpret_cast<void*>(record.expected_offset + 1);
  const int sent = rd_kafka_produce(topic, record.partition, RD_KAFKA_MSG_F_COPY, value.data,
                                    value.bytes, key.data, key.bytes, expected);
  return sent == 0 ? RD_KAFKA_RESP_ERR_NO_ERROR : rd_kafka_last_error();
}

std::int64_t expected_offset_of(const rd_kafka_message_s& delivered) {
  return reinterpret_cast<std::intptr_t>(delivered._private) - 1;
}

}  // namespace tidemark::kafka
