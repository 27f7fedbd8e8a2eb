// The arena is one allocation a poll: key, value and 64 readable bytes each. Copying costs about
// 35 ns a record and frees librdkafka's fetch buffers at once; one kept message would pin all of
// its response.
#include "stream/kafka/messages.hpp"

#include <librdkafka/rdkafka.h>

#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include "stream/encode/headers.hpp"

namespace tidemark::kafka {

namespace {

/// A null stays a null: data() == nullptr.
std::string_view put(char*& at, const void* from, std::size_t bytes) {
  if (from == nullptr) return {};
  std::memcpy(at, from, bytes);
  const std::string_view view(at, bytes);
  at += bytes;
  return view;
}

/// Packed, behind one another; `ends` tells where those of each message end.
void pack_headers(std::span<rd_kafka_message_s* const> messages, std::string& packed,
                  std::vector<std::size_t>& ends) {
  for (const rd_kafka_message_t* m : messages) {
    rd_kafka_headers_t* all = nullptr;
    const char* name = nullptr;
    const void* value = nullptr;
    std::size_t bytes = 0;
    const bool some = rd_kafka_message_headers(m, &all) == RD_KAFKA_RESP_ERR_NO_ERROR;
    for (std::size_t i = 0; some && rd_kafka_header_get_all(all, i, &name, &value, &bytes) ==
                                        RD_KAFKA_RESP_ERR_NO_ERROR;
         ++i) {
      append_header(name, {static_cast<const char*>(value), value == nullptr ? 0 : bytes}, packed);
    }
    ends.push_back(packed.size());
  }
}

}  // namespace

std::shared_ptr<RawBatch> copy_messages(std::span<rd_kafka_message_s* const> messages,
                                        bool keep_headers) {
  auto batch = std::make_shared<RawBatch>();
  std::size_t bytes = 0;
  for (const rd_kafka_message_t* m : messages) bytes += m->key_len + m->len + raw_padding_bytes;
  if (bytes == 0) return batch;
  std::string headers;
  std::vector<std::size_t> ends;
  if (keep_headers) pack_headers(messages, headers, ends);
  bytes += headers.size();
  std::shared_ptr<char[]> arena(new char[bytes]);
  char* at = arena.get();
  std::size_t headers_begin = 0;
  batch->records.reserve(messages.size());
  for (const rd_kafka_message_t* m : messages) {
    RawRecord record;
    record.key = put(at, m->key, m->key_len);
    record.value = put(at, m->payload, m->len);
    std::memset(at, 0, raw_padding_bytes);
    at += raw_padding_bytes;
    if (keep_headers) {
      const std::size_t end = ends[batch->records.size()];
      record.headers = put(at, headers.data() + headers_begin, end - headers_begin);
      headers_begin = end;
    }
    record.offset = m->offset;
    record.partition = m->partition;
    record.kafka_time_ms = rd_kafka_message_timestamp(m, nullptr);
    record.has_key = true;
    batch->records.push_back(record);
  }
  batch->keep_alive = std::move(arena);
  return batch;
}

}  // namespace tidemark::kafka
