// The partitioner against the vectors of Kafka's own Java test.
#include "stream/kafka/partitioner.hpp"

#include <gtest/gtest.h>

#include <string>

namespace tidemark {
namespace {

TEST(Partitioner, HashesAsTheJavaClientDoes) {
  // org.apache.kafka.common.utils.UtilsTest.testMurmur2
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("21")), -973932308);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("foobar")), -790332482);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-long-string")), -985981536);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("a-little-bit-longer-string")), -1486304829);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8")),
            -58897971);
  EXPECT_EQ(static_cast<std::int32_t>(murmur2("abc")), 479470107);
}

TEST(Partitioner, TakesBytesAboveSevenBits) {
  // The tail's bytes are unsigned: a sign extension would change these.
  EXPECT_NE(murmur2("\xff"), murmur2("\x7f"));
  EXPECT_EQ(murmur2(std::string_view("\xe5\x95\x86", 3)), murmur2("商"));
}

TEST(Partitioner, StaysWithinThePartitions) {
  for (int i = 0; i < 1000; ++i) {
    const int partition = partition_of("t-" + std::to_string(i), 7);
    EXPECT_GE(partition, 0);
    EXPECT_LT(partition, 7);
  }
  EXPECT_EQ(partition_of("anything", 1), 0);
}

}  // namespace
}  // namespace tidemark
