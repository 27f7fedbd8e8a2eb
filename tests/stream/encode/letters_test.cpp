// Letters give back the very bytes; in files they are one object a line.
#include <gtest/gtest.h>

#include "stream/encode/encoder.hpp"

namespace tidemark {
namespace {

EventBatch one_event(std::string_view value, std::string_view key) {
  EventBatch events;
  events.grow(1);
  events.source[0] = Source::invoices;
  events.partition[0] = 2;
  events.offset[0] = 77;
  events.raw_value[0] = value;
  events.raw_key[0] = key;
  events.error[0] = RowError::negative_amount;
  events.error_message[0] = "amount: \"-1\" is negative";
  return events;
}

TEST(Letters, DeadLetterKeepsBytesAndNamesTheCause) {
  const std::string value("\x00{\xFF", 3);
  OutputBatch out;
  encode_dead_letter(one_event(value, "m-1"), 0, out);
  const OutputRecord& record = out.records.at(0);
  EXPECT_EQ(record.topic, OutputTopic::dead_letter);
  EXPECT_EQ(out.value(record), value);
  EXPECT_EQ(out.key(record), "m-1");
  const LetterHeaders& headers = out.letters.at(0);
  EXPECT_EQ(headers.error, "negative_amount");
  EXPECT_EQ(headers.source, Source::invoices);
  EXPECT_EQ(headers.offset, 77);
  EXPECT_EQ(file_json(out, record),
            R"({"error":"negative_amount","message":"amount: \"-1\" is negative",)"
            R"("topic":"invoices","partition":2,"offset":77,"key_base64":"bS0x",)"
            R"("value_base64":"AHv/"})");
}

TEST(Letters, NullsStayNulls) {
  OutputBatch out;
  encode_late(one_event({}, {}), 0, "older than every window", out);
  const OutputRecord& record = out.records.at(0);
  EXPECT_TRUE(record.null_key);
  EXPECT_TRUE(record.null_value);
  EXPECT_EQ(record.topic, OutputTopic::late);
  EXPECT_EQ(file_json(out, record),
            R"({"error":"late","message":"older than every window","topic":"invoices",)"
            R"("partition":2,"offset":77,"value_base64":null})");
}

TEST(Letters, Base64PadsEveryLength) {
  const std::vector<std::pair<std::string, std::string>> table = {
      {"", ""}, {"f", "Zg=="}, {"fo", "Zm8="}, {"foo", "Zm9v"}, {"foob", "Zm9vYg=="}};
  for (const auto& [value, encoded] : table) {
    OutputBatch out;
    encode_late(one_event(value, {}), 0, "", out);
    EXPECT_NE(file_json(out, out.records[0]).find("\"value_base64\":\"" + encoded + "\"}"),
              std::string::npos)
        << value;
  }
}

TEST(Letters, JoiningBatchesKeepsEveryRange) {
  OutputBatch all, part;
  encode_release("abc", "{}", all);
  encode_late(one_event("first", "k1"), 0, "x", all);
  encode_late(one_event("second", "k2"), 0, "y", part);
  append_output(part, all);
  ASSERT_EQ(all.records.size(), 3u);
  EXPECT_EQ(all.key(all.records[0]), "abc");
  EXPECT_EQ(all.value(all.records[2]), "second");
  EXPECT_EQ(all.key(all.records[2]), "k2");
  EXPECT_EQ(all.letters[static_cast<std::size_t>(all.records[2].letter)].message, "y");
}

}  // namespace
}  // namespace tidemark
