// The journal's bytes: what is written is read back, and nothing else is accepted.
#include "stream/kafka/journal.hpp"

#include <gtest/gtest.h>
#include <xxhash.h>

#include <random>

namespace tidemark {
namespace {

JournalRecord sample() {
  JournalRecord record;
  record.partition = 3;
  record.release = "9f3a1c20b7d4";
  record.ranges[0] = {100, 108, true};
  record.ranges[1] = {7, 9, true};
  record.ranges[5] = {2, 3, true};
  record.runs = {{Source::payments, 3, 103}, {Source::invoices, 2, 9}, {Source::payments, 4, 108}};
  record.ticks = {{0, -86'400'000}, {5, 1'522'540'800'000}};
  record.controls = {{9, 2}};
  record.counts = {6, 0, 1, 1, 1};
  record.duplicates = {{Source::payments, 104}};
  record.state_hash = 0xfedcba9876543210U;
  return record;
}

/// Bytes with a right checksum, so that what is behind it is tested.
std::string resealed(std::string body) {
  const std::uint64_t sum = XXH3_64bits(body.data(), body.size());
  for (int i = 0; i < 8; ++i) body.push_back(static_cast<char>(sum >> 8 * i));
  return body;
}

TEST(Journal, RoundTrip) {
  std::string why;
  const auto back = decode_journal(encode_journal(sample()), &why);
  ASSERT_TRUE(back) << why;
  EXPECT_EQ(*back, sample());
}

TEST(Journal, WhereARecordIsToLieIsKeptAndDecidesWhetherItCounts) {
  JournalRecord record = sample();
  EXPECT_TRUE(record.counts_at(17));
  record.expected_offset = 17;
  const auto back = decode_journal(encode_journal(record), nullptr);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, record);
  EXPECT_TRUE(back->counts_at(17));
  EXPECT_FALSE(back->counts_at(18));
}

TEST(Journal, AnEmptyRecordIsARecord) {
  const auto back = decode_journal(encode_journal({}), nullptr);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back, JournalRecord{});
}

TEST(Journal, TheBytesAreThoseOfVersionOne) {
  JournalRecord record;
  record.release = "r";
  record.ranges[0] = {300, 302, true};
  record.runs = {{Source::payments, 2, 302}};
  record.counts.scored = 2;
  record.state_hash = 1;
  const std::string bytes = encode_journal(record);
  const std::string body(
      "\x01\x00\x01r\x01\xac\x02\x02\x00\x00\x00\x00\x00"
      "\x01\x00\x02\x00\x00\x00\x02\x00\x00\x00\x00\x00"
      "\x01\x00\x00\x00\x00\x00\x00\x00",
      33);
  EXPECT_EQ(bytes, resealed(body));
}

TEST(Journal, RandomRecordsComeBack) {
  std::mt19937_64 random(7);
  for (int round = 0; round < 300; ++round) {
    JournalRecord record;
    record.partition = static_cast<std::int32_t>(random() % 1000);
    record.release = std::string(random() % 13, 'a');
    std::uint64_t rows = 0;
    for (int i = 0; i < source_count; ++i) {
      const auto first = static_cast<std::int64_t>(random() % (1ULL << 40));
      record.ranges[static_cast<std::size_t>(i)] = {first, first, true};
    }
    for (std::size_t i = 0; i < random() % 50; ++i) {
      const auto source = static_cast<Source>(random() % 5);
      JournalRange& range = record.ranges[static_cast<std::size_t>(source)];
      const auto count = static_cast<std::uint32_t>(1 + random() % 1000);
      range.next += count + static_cast<std::int64_t>(random() % 3);
      record.runs.push_back({source, count, range.next});
      rows += count;
    }
    for (std::size_t i = 0; i < random() % 4; ++i) {
      record.ticks.push_back({rows * i / 4, static_cast<std::int64_t>(random())});
      record.controls.push_back({rows * i / 4, static_cast<std::int64_t>(i)});
    }
    record.counts.scored = rows;
    record.state_hash = random();
    const auto back = decode_journal(encode_journal(record), nullptr);
    ASSERT_TRUE(back);
    EXPECT_EQ(*back, record);
  }
}

TEST(Journal, EveryFlippedBitIsSeen) {
  const std::string bytes = encode_journal(sample());
  for (std::size_t i = 0; i < bytes.size() * 8; ++i) {
    std::string broken = bytes;
    broken[i / 8] = static_cast<char>(broken[i / 8] ^ (1 << i % 8));
    EXPECT_FALSE(decode_journal(broken, nullptr)) << "bit " << i;
  }
}

TEST(Journal, EveryCutIsSeenEvenWithARightChecksum) {
  const std::string bytes = encode_journal(sample());
  const std::string body = bytes.substr(0, bytes.size() - 8);
  for (std::size_t length = 0; length < body.size(); ++length) {
    EXPECT_FALSE(decode_journal(body.substr(0, length), nullptr));
    EXPECT_FALSE(decode_journal(resealed(body.substr(0, length)), nullptr)) << length;
  }
  EXPECT_FALSE(decode_journal(resealed(body + '\0'), nullptr));
}

TEST(Journal, RandomBodiesWithARightChecksumNeverCrash) {
  std::mt19937 random(11);
  const std::string bytes = encode_journal(sample());
  for (int round = 0; round < 20'000; ++round) {
    std::string body = bytes.substr(0, bytes.size() - 8);
    for (int i = 0; i < 3; ++i) {
      body[1 + random() % (body.size() - 1)] = static_cast<char>(random());
    }
    std::string why;
    const auto record = decode_journal(resealed(body), &why);
    // What is accepted is a record in its own right: it encodes to the same bytes.
    if (record) {
      EXPECT_EQ(encode_journal(*record), resealed(body));
    } else {
      EXPECT_FALSE(why.empty());
    }
  }
}

TEST(Journal, RefusesToWriteARunThatGoesBack) {
  JournalRecord record = sample();
  record.runs[2].next_offset = 104;
  EXPECT_THROW(encode_journal(record), std::logic_error);
}

TEST(Journal, ShowsItselfAsJson) {
  EXPECT_EQ(to_json(sample()),
            R"({"partition":3,"release":"9f3a1c20b7d4","ranges":{"payments":[100,108],)"
            R"("invoices":[7,9],"control":[2,3]},"runs":[["payments",3,103],["invoices",2,9],)"
            R"(["payments",4,108]],"ticks":[[0,-86400000],[5,1522540800000]],"controls":[[9,2]],)"
            R"("counts":{"consumed":9,"scored":6,"applied":0,"dead_lettered":1,"late":1,)"
            R"("duplicate":1},"duplicates":[["payments",104]],"state_hash":"fedcba9876543210"})");
}

}  // namespace
}  // namespace tidemark
