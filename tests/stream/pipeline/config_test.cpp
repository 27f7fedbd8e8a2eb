// The configuration: every setting known, typed and in range, or an error that names its place.
#include "stream/pipeline/config.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

using testing::HasSubstr;

class ConfigTest : public testing::Test {
 protected:
  std::filesystem::path write(const std::string& text) {
    const auto* test = testing::UnitTest::GetInstance()->current_test_info();
    file_ = std::filesystem::temp_directory_path() /
            ("config_" + std::string(test->name()) + std::to_string(::getpid()) + ".yaml");
    std::ofstream(file_) << "features: {spec: f.yaml}\nbundle: b\n" << text;
    return file_;
  }
  std::string error_of(const std::string& text, const std::vector<std::string>& overrides = {}) {
    try {
      load_config(write(text), overrides);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  }
  void TearDown() override { std::filesystem::remove(file_); }
  std::filesystem::path file_;
};

TEST_F(ConfigTest, DefaultsFollowTheProfile) {
  EXPECT_EQ(load_config(write(""), {}).transaction_ms_max, 200);
  const Config latency = load_config(write("profile: latency\n"), {});
  EXPECT_EQ(latency.transaction_ms_max, 20);
  EXPECT_EQ(latency.merge_idle_ms, 5);
  EXPECT_TRUE(latency.kafka.latency_profile);
  EXPECT_GE(latency.threads, 1);
}

TEST_F(ConfigTest, AnUnknownSettingIsNamedWithItsLine) {
  EXPECT_THAT(error_of("batch: {evnts_max: 5}\n"),
              HasSubstr(":3:9: unknown setting 'batch.evnts_max'"));
  EXPECT_THAT(error_of("colour: red\n"), HasSubstr(":3:1: unknown setting 'colour'"));
}

TEST_F(ConfigTest, AStandbyHasMemoryAndGoesWithExactlyOnce) {
  EXPECT_EQ(load_config(write(""), {}).standby_bytes_max, 0U);
  EXPECT_EQ(load_config(write("standby: {memory_mb_max: 3}\n"), {}).standby_bytes_max, 3U << 20);
  EXPECT_THAT(error_of("delivery: at_least_once\nstandby: {memory_mb_max: 3}\n"),
              HasSubstr("standby.memory_mb_max: a standby goes with delivery: exactly_once"));
}

TEST_F(ConfigTest, WrongTypesAndRangesAreNamed) {
  EXPECT_THAT(error_of("threads: many\n"), HasSubstr("threads: expected a whole number"));
  EXPECT_THAT(error_of("batch: {events_max: 0}\n"), HasSubstr("batch.events_max: 0 is outside"));
  EXPECT_THAT(error_of("dead_letters: {of_last: 0}\n"),
              HasSubstr("dead_letters.of_last: 0 is outside"));
  EXPECT_THAT(error_of("kafka: {assignment: sticky}\n"),
              HasSubstr("kafka.assignment: expected classic, consumer or manual, got 'sticky'"));
  EXPECT_THAT(error_of("kafka: {instances: 2}\n"), HasSubstr("kafka.instances: a group shares"));
  EXPECT_THAT(error_of("kafka: {assignment: manual, instances: 2, ordinal: 2}\n"),
              HasSubstr("kafka.ordinal: expected 0 to instances - 1 = 1, got 2"));
  EXPECT_THAT(error_of("batch: 5\n"), HasSubstr("batch: expected a mapping"));
  EXPECT_THAT(error_of("time: {zone: Mars/Base}\n"), HasSubstr(":3:14: time.zone: 'Mars/Base'"));
  EXPECT_THAT(error_of("", {"features.spec="}), HasSubstr("features.spec: expected a file"));
  EXPECT_THAT(error_of("backend: tpu\n"), HasSubstr("expected auto, cpu or cuda"));
  EXPECT_THAT(error_of("threads: [1\n"), HasSubstr(":4:"));
}

TEST_F(ConfigTest, AMissingFileIsNamed) {
  EXPECT_THROW(load_config("/nowhere/tidemark.yaml", {}), UsageError);
}

TEST_F(ConfigTest, AFolderIsNoFile) {
  EXPECT_THROW(load_config(std::filesystem::temp_directory_path(), {}), UsageError);
}

TEST_F(ConfigTest, ASettingGivenTwiceIsNamedWithItsSecondLine) {
  EXPECT_THAT(error_of("backend: cpu\nbackend: cuda\n"), HasSubstr(":4:1: backend: stands twice"));
  EXPECT_THAT(error_of("batch: {events_max: 1, events_max: 2}\n"),
              HasSubstr(":3:24: batch.events_max: stands twice"));
}

TEST_F(ConfigTest, OverridesReachEverySetting) {
  const Config config =
      load_config(write("kafka: {group_id: a}\n"),
                  {"kafka.group_id=b", "http.port=8080", "batch.events_max=7", "backend=cpu",
                   "checkpoint.directory=/tmp/x", "kafka.client.security.protocol=ssl",
                   "kafka.topics.dead-letter=dlq", "previous_bundles=[a, b]"});
  EXPECT_THAT(config.previous_bundles, testing::ElementsAre("a", "b"));
  EXPECT_EQ(config.kafka.group_id, "b");
  EXPECT_EQ(config.http_port, 8080);
  EXPECT_EQ(config.batch_events_max, 7U);
  EXPECT_EQ(config.checkpoint_directory, "/tmp/x");
  EXPECT_EQ(config.kafka.client.at("security.protocol"), "ssl");
  EXPECT_EQ(config.kafka.output(OutputTopic::dead_letter), "dlq");
}

TEST_F(ConfigTest, CheckpointsHaveOneStore) {
  const std::string topic = "checkpoint: {topic: c.v1}\n";
  EXPECT_EQ(load_config(write(topic), {}).kafka.checkpoint_topic, "c.v1");
  EXPECT_THAT(error_of(topic, {"checkpoint.directory=/tmp/x"}),
              HasSubstr("checkpoint.topic: checkpoint.directory is given too"));
  EXPECT_EQ(load_config(write(topic), {"checkpoint.topic=", "checkpoint.directory=/tmp/x"})
                .kafka.checkpoint_topic,
            "");
  EXPECT_EQ(load_config(write(""), {}).kafka.redriven_topic, "redriven.v1");
}

TEST_F(ConfigTest, AWrongOverrideIsNamed) {
  EXPECT_THAT(error_of("", {"batch.evnts_max=7"}), HasSubstr("unknown setting 'batch.evnts_max'"));
  EXPECT_THAT(error_of("", {"threads=x"}), HasSubstr("threads: expected a whole number, got 'x'"));
  // No line of the file is to blame, so none may be named.
  EXPECT_THAT(error_of("", {"threads=x"}), testing::StartsWith("--set: "));
  EXPECT_THAT(error_of("", {"colour=red"}), testing::StartsWith("--set: unknown setting 'colour'"));
  EXPECT_THAT(error_of("", {"threads"}), HasSubstr("--set threads: expected path.to.key=value"));
  EXPECT_THAT(error_of("", {"previous_bundles=[a"}), HasSubstr("--set previous_bundles=[a: "));
  EXPECT_THAT(error_of("", {"bundle.x=1"}), HasSubstr("'bundle' is no mapping"));
}

TEST_F(ConfigTest, TheQuickstartLoads) {
  const Config config = load_config(TIDEMARK_SOURCE_DIR "/examples/quickstart/tidemark.yaml", {});
  EXPECT_EQ(config.kafka.input(Source::payments), "payments.v1");
}

}  // namespace
}  // namespace tidemark
