// Journal records. The checksum is set right first, so that what stands behind it is reached.
#include <xxhash.h>

#include "stream/kafka/journal.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  std::string bytes(fuzz::text_of(data, size));
  std::string error;
  if (!decode_journal(bytes, &error)) fuzz::require_one_line(error);
  const std::uint64_t hash = XXH3_64bits(bytes.data(), bytes.size());
  for (int i = 0; i < 8; ++i) bytes.push_back(static_cast<char>(hash >> 8 * i));
  const auto record = decode_journal(bytes, &error);
  if (!record) {
    fuzz::require_one_line(error);
    return 0;
  }
  fuzz::require_one_line(to_json(*record));
  const auto again = decode_journal(encode_journal(*record), &error);
  fuzz::require(again && *again == *record, "a record survives being written and read");
  return 0;
}
