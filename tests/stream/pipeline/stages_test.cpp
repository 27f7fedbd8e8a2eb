// Which stages a process runs, and where the merchants' payments come from.
#include "stream/pipeline/stages.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Stages : public testing::Test {
 protected:
  Stages() {
    config_.kafka.input_topics[static_cast<std::size_t>(Source::payments)] = "payments.v1";
    config_.by_payer_topic = "by.v1";
    config_.enriched_topic = "enriched.v1";
  }
  void fit(bool payers) {
    const std::string entity = payers ? "entity: payer, " : "";
    fit_stages(config_, *FeaturePlan::parse("spec: s\nmeasures:\n  paid: {" + entity +
                                                "source: payments, value: amount}\nfeatures:\n"
                                                "  - {name: a, aggregate: sum, of: paid, window: "
                                                "7d}\n",
                                            "s"));
  }
  std::string error_of(bool payers) {
    try {
      fit(payers);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "no error";
  }
  Config config_;
};

TEST_F(Stages, WithoutFeaturesOfPayersThereIsOneAndNothingElseChanges) {
  fit(false);
  EXPECT_THAT(config_.stages, ElementsAre(Stage::merchants));
  EXPECT_EQ(config_.kafka.input(Source::payments), "payments.v1");
  EXPECT_EQ(config_.kafka.payer_topics.enriched, "");
  EXPECT_FALSE(config_.kafka.keep_headers);
  config_.stages = {Stage::payers, Stage::merchants};
  EXPECT_THAT(error_of(false), HasSubstr("stages: 'payers' is for features of payers"));
}

TEST_F(Stages, WithThemAllRunAndMerchantsReadTheLastTopic) {
  fit(true);
  EXPECT_THAT(config_.stages, ElementsAre(Stage::rekey, Stage::payers, Stage::merchants));
  EXPECT_EQ(config_.kafka.input(Source::payments), "enriched.v1");
  EXPECT_EQ(config_.kafka.payer_topics.payments, "payments.v1");
  EXPECT_EQ(config_.kafka.payer_topics.by_payer, "by.v1");
  EXPECT_TRUE(config_.kafka.keep_headers);
}

TEST_F(Stages, WhereOthersKeyByPayerThereIsNothingToRekey) {
  config_.kafka.input_topics[static_cast<std::size_t>(Source::payments)] = "";
  fit(true);
  EXPECT_THAT(config_.stages, ElementsAre(Stage::payers, Stage::merchants));
  config_.kafka.input_topics[static_cast<std::size_t>(Source::payments)] = "";
  config_.stages = {Stage::rekey};
  EXPECT_THAT(error_of(true), HasSubstr("'rekey' reads kafka.topics.payments, which is empty"));
}

TEST_F(Stages, AProcessRunsWhatItIsTold) {
  config_.stages = {Stage::payers};
  fit(true);
  EXPECT_TRUE(runs(config_, Stage::payers));
  EXPECT_FALSE(runs(config_, Stage::merchants));
}

TEST_F(Stages, TheTopicsInBetweenHaveNames) {
  config_.enriched_topic = "";
  EXPECT_THAT(error_of(true), HasSubstr("payments-enriched have to have a name"));
}

}  // namespace
}  // namespace tidemark
