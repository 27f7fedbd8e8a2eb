// See pending_records.hpp. The opaque of a message is its number, under which its report files the
// offset.
#include "stream/kafka/pending_records.hpp"

#include <fmt/format.h>
#include <librdkafka/rdkafka.h>

#include <optional>
#include <string_view>
#include <utility>

namespace tidemark::kafka {
namespace {

rd_kafka_vu_t of(rd_kafka_vtype_t type) {
  rd_kafka_vu_t vu{};
  vu.vtype = type;
  return vu;
}

/// librdkafka's pointers are not const, though with F_COPY it only reads.
rd_kafka_vu_t bytes_of(rd_kafka_vtype_t type, const std::optional<std::string_view>& text) {
  rd_kafka_vu_t vu = of(type);
  if (!text) return vu;
  // An empty view may have no bytes to point at, and would turn into a null.
  vu.u.mem = {const_cast<char*>(text->empty() ? "" : text->data()), text->size()};
  return vu;
}

}  // namespace

void PendingRecords::listen(rd_kafka_conf_s* conf, ClientWatch& watch) {
  watch.owner = this;
  rd_kafka_conf_set_dr_msg_cb(conf, [](rd_kafka_t*, const rd_kafka_message_t* m, void* opaque) {
    static_cast<PendingRecords*>(static_cast<ClientWatch*>(opaque)->owner)->note(*m);
  });
}

void PendingRecords::note(const rd_kafka_message_t& message) {
  const auto number = reinterpret_cast<std::uintptr_t>(message._private);
  if (message.err == RD_KAFKA_RESP_ERR_NO_ERROR) {
    if (number < offsets_.size()) offsets_[number] = message.offset;
  } else if (failure_.empty()) {
    failure_ = fmt::format("{}: a record of {} bytes: {}", rd_kafka_topic_name(message.rkt),
                           message.len, rd_kafka_err2str(message.err));
  }
}

std::string PendingRecords::send(rd_kafka_s* client, const RecordToWrite& record) {
  const std::string topic(record.topic);  // with its end
  std::vector<rd_kafka_vu_t> vus;
  vus.push_back(of(RD_KAFKA_VTYPE_TOPIC));
  vus.back().u.cstr = topic.c_str();
  vus.push_back(of(RD_KAFKA_VTYPE_PARTITION));
  vus.back().u.i32 = record.partition;
  vus.push_back(of(RD_KAFKA_VTYPE_MSGFLAGS));
  vus.back().u.i = RD_KAFKA_MSG_F_COPY;
  vus.push_back(of(RD_KAFKA_VTYPE_OPAQUE));
  vus.back().u.ptr = reinterpret_cast<void*>(offsets_.size());
  vus.push_back(bytes_of(RD_KAFKA_VTYPE_KEY, record.key));
  vus.push_back(bytes_of(RD_KAFKA_VTYPE_VALUE, record.value));
  for (const auto& [name, value] : record.headers) {
    vus.push_back(of(RD_KAFKA_VTYPE_HEADER));
    vus.back().u.header = {name.c_str(), value.data(), static_cast<ssize_t>(value.size())};
  }
  offsets_.push_back(-1);
  const ErrorHandle error(rd_kafka_produceva(client, vus.data(), vus.size()));
  rd_kafka_poll(client, 0);
  return error ? fmt::format("{}: {}", topic, rd_kafka_error_string(error.get())) : "";
}

std::string PendingRecords::flush(rd_kafka_s* client, int timeout_ms) {
  const rd_kafka_resp_err_t error = rd_kafka_flush(client, timeout_ms);
  if (!failure_.empty() || error == RD_KAFKA_RESP_ERR_NO_ERROR) return failure_;
  return rd_kafka_err2str(error);
}

}  // namespace tidemark::kafka
