// See rekey.hpp. A record that cannot be read goes by the key that it has: nothing is settled here,
// and the merchants' stage is to find it as it was.
#include "stream/hops/rekey.hpp"

#include <utility>

#include "stream/encode/headers.hpp"
#include "stream/hops/pass_on.hpp"

namespace tidemark {

Rekey::Rekey(const Config& config, std::string topic, int partitions)
    : topic_(std::move(topic)),
      partitions_(partitions),
      pool_(config.threads),
      intake_(config, pool_, 0) {}

void Rekey::take(const std::shared_ptr<const RawBatch>& raw, std::size_t first, std::size_t count,
                 OutputBatch& out) {
  const auto rows = intake_.parse(raw, first, count);
  for (std::size_t row = 0; row < count; ++row) {
    const RawRecord& record = raw->records[first + row];
    Destination to{record.key, any_partition};
    if (rows->payer_hash[row] != 0) {
      to.key = payers_.read(record.value);
    } else if (!rows->merchant_id[row].empty()) {
      to.key = rows->merchant_id[row];
    }
    // Without a key a partitioner would choose by chance.
    if (to.key.data() == nullptr) to.partition = record.partition % partitions_;
    headers_.clear();
    append_place(record, topic_, headers_);
    append_header(header_key, record.key, headers_);
    pass_on(record, to, headers_, out);
  }
}

}  // namespace tidemark
