// The records by which a topic as a store knows a body: refused, or the very bytes that were
// written.
#include "kernels/base/byte_codec.hpp"
#include "stream/checkpoint/topic_format.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  const std::string_view bytes = fuzz::text_of(data, size);
  try {
    fuzz::require(encode_object(decode_object(bytes)) == bytes, "one way to write an object");
  } catch (const MalformedBytes&) {
  }
  try {
    const BodyDraft draft = decode_draft("id", bytes);
    fuzz::require(encode_draft(draft.name, draft.body) == bytes, "one way to write a draft");
  } catch (const MalformedBytes&) {
  }
  return 0;
}
