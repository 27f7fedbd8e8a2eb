// What stands in the topic of a store comes back as it went, and no cut or change of it passes.
#include "stream/checkpoint/topic_format.hpp"

#include <gtest/gtest.h>

#include "kernels/base/byte_codec.hpp"

namespace tidemark {
namespace {

StoredBody some_body() {
  StoredBody body;
  body.id = "id7";
  body.partition = 3;
  body.parts = 3;
  body.bytes = 1'200'000;
  body.hash = 0x0123456789abcdef;
  body.offsets = {17, 18, 1'000'000'000'000};
  return body;
}

TEST(TopicFormat, ComesBackAsItWent) {
  const StoredBody body = decode_object(encode_object(some_body()));
  EXPECT_EQ(body.id, "id7");
  EXPECT_EQ(body.partition, 3);
  EXPECT_EQ(body.parts, 3U);
  EXPECT_EQ(body.bytes, 1'200'000U);
  EXPECT_EQ(body.hash, 0x0123456789abcdefU);
  EXPECT_EQ(body.offsets, some_body().offsets);
  const BodyDraft draft = decode_draft("id7", encode_draft("g/p1/a", some_body()));
  EXPECT_EQ(draft.name, "g/p1/a");
  EXPECT_EQ(draft.body.id, "id7");
  EXPECT_EQ(draft.body.partition, 3);
  EXPECT_EQ(draft.body.parts, 3U);
}

TEST(TopicFormat, EveryCutIsRefusedAndWhatFollowsToo) {
  const std::string object = encode_object(some_body());
  const std::string draft = encode_draft("g/p1/a", some_body());
  for (std::size_t bytes = 0; bytes < object.size(); ++bytes) {
    EXPECT_THROW(decode_object(object.substr(0, bytes)), MalformedBytes) << bytes;
  }
  for (std::size_t bytes = 0; bytes < draft.size(); ++bytes) {
    EXPECT_THROW(decode_draft("id7", draft.substr(0, bytes)), MalformedBytes) << bytes;
  }
  EXPECT_THROW(decode_object(object + '\0'), MalformedBytes);
  EXPECT_THROW(decode_draft("id7", draft + '\0'), MalformedBytes);
}

TEST(TopicFormat, OffsetsThatGoBackAreRefused) {
  StoredBody body = some_body();
  body.offsets = {18, 17};
  EXPECT_THROW(decode_object(encode_object(body)), MalformedBytes);
}

}  // namespace
}  // namespace tidemark
