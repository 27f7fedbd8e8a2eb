// See topic_format.hpp.
#include "stream/checkpoint/topic_format.hpp"

#include <algorithm>
#include <utility>

#include "kernels/base/byte_codec.hpp"

namespace tidemark {
namespace {

constexpr std::uint8_t format_version = 1;
constexpr std::uint64_t parts_max = std::uint64_t{1} << 20;  // of a body

}  // namespace

std::string encode_object(const StoredBody& body) {
  ByteWriter out;
  out.byte(format_version);
  out.text(body.id);
  out.number(static_cast<std::uint64_t>(body.partition));
  out.number(body.bytes);
  out.fixed(body.hash);
  out.number(body.offsets.size());
  std::int64_t last = 0;
  for (const std::int64_t offset : body.offsets) {
    out.signed_number(offset - std::exchange(last, offset));
  }
  return out.take();
}

StoredBody decode_object(std::string_view bytes) {
  ByteReader from(bytes);
  StoredBody body;
  require_bytes(from.byte() == format_version, "is of another version");
  body.id = from.text();
  body.partition = static_cast<int>(from.number_to(INT32_MAX, "has no such partition"));
  body.bytes = from.number();
  body.hash = from.fixed<std::uint64_t>();
  body.parts =
      from.number_to(std::min<std::uint64_t>(from.left(), parts_max), "has too many parts");
  std::int64_t last = 0;
  for (std::size_t i = 0; i < body.parts; ++i) {
    const std::int64_t step = from.signed_number();
    require_bytes(step >= 0 && step <= INT64_MAX - last, "has offsets that go back");
    body.offsets.push_back(last += step);
  }
  require_bytes(from.at_end(), "goes on behind its end");
  return body;
}

std::string encode_draft(const std::string& name, const StoredBody& body) {
  ByteWriter out;
  out.byte(format_version);
  out.text(name);
  out.number(static_cast<std::uint64_t>(body.partition));
  out.number(body.parts);
  return out.take();
}

BodyDraft decode_draft(std::string_view id, std::string_view bytes) {
  ByteReader from(bytes);
  BodyDraft draft;
  require_bytes(from.byte() == format_version, "is of another version");
  draft.name = from.text();
  draft.body.id = id;
  draft.body.partition = static_cast<int>(from.number_to(INT32_MAX, "has no such partition"));
  draft.body.parts = from.number_to(parts_max, "has too many parts");
  require_bytes(from.at_end(), "goes on behind its end");
  return draft;
}

}  // namespace tidemark
