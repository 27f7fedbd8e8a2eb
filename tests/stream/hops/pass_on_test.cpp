// A record handed on: what is as it was, and what says where it came from.
#include "stream/hops/pass_on.hpp"

#include <gtest/gtest.h>

#include "stream/encode/encoder.hpp"
#include "stream/encode/headers.hpp"

namespace tidemark {
namespace {

RawRecord record() {
  RawRecord made;
  made.value = "{\"a\":1}";
  made.key = "m-1";
  made.offset = 41;
  made.partition = 3;
  made.kafka_time_ms = 1'700'000'000'123;
  return made;
}

TEST(PassOn, KeepsValueTimeAndHeadersAndAddsMore) {
  std::string own, more;
  append_header("trace", "x", own);
  RawRecord was = record();
  was.headers = own;
  append_place(was, "payments.v1", more);
  OutputBatch out;
  out.bytes = "before";
  pass_on(was, {"p-1", any_partition}, more, out);
  ASSERT_EQ(out.records.size(), 1U);
  const OutputRecord& now = out.records[0];
  EXPECT_EQ(out.key(now), "p-1");
  EXPECT_EQ(out.value(now), was.value);
  EXPECT_EQ(now.topic, hop_output);
  EXPECT_FALSE(now.null_key || now.null_value);
  const PassedOn& passed = out.passed_on.at(static_cast<std::size_t>(now.passed_on));
  EXPECT_EQ(passed.time_ms, was.kafka_time_ms);
  const std::string_view headers = out.headers(passed);
  EXPECT_EQ(find_header(headers, "trace"), "x");
  EXPECT_EQ(find_header(headers, header_topic), "payments.v1");
  EXPECT_EQ(find_header(headers, header_partition), "3");
  EXPECT_EQ(find_header(headers, header_offset), "41");
}

TEST(PassOn, NullsStayNulls) {
  RawRecord was = record();
  was.value = {};
  OutputBatch out;
  pass_on(was, {{}, 2}, "", out);
  EXPECT_TRUE(out.records[0].null_key && out.records[0].null_value);
  EXPECT_EQ(out.records[0].partition, 2);
}

TEST(PassOn, TheFirstPlaceCounts) {
  std::string first, second;
  append_place(record(), "payments.v1", first);
  RawRecord later = record();
  later.headers = first;
  append_place(later, "by-payer.v1", second);
  EXPECT_TRUE(second.empty());
  EXPECT_EQ(first_partition(first), 3);
  EXPECT_EQ(first_partition(""), std::nullopt);
  for (const char* wrong : {"", "-1", "3x", "99999999999"}) {
    std::string headers;
    append_header(header_partition, wrong, headers);
    EXPECT_EQ(first_partition(headers), std::nullopt) << wrong;
  }
}

TEST(PassOn, BatchesJoin) {
  OutputBatch whole;
  for (const char* key : {"a", "b"}) {
    std::string headers;
    append_header("is", key, headers);
    OutputBatch part;
    pass_on(record(), {key, any_partition}, headers, part);
    append_output(part, whole);
  }
  for (const OutputRecord& one : whole.records) {
    const PassedOn& passed = whole.passed_on.at(static_cast<std::size_t>(one.passed_on));
    EXPECT_EQ(find_header(whole.headers(passed), "is"), whole.key(one));
  }
}

}  // namespace
}  // namespace tidemark
