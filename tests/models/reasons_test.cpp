// The reason table: sentences cut into parts, codes shared by features, defaults for the rest.
#include "models/reasons.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

TEST(ReasonText, IsCutIntoLiteralsAndPlaces) {
  const ReasonText text = parse_reason_text("{value:count} payments, {typical}", "here");
  ASSERT_EQ(text.parts.size(), 3u);
  EXPECT_EQ(text.parts[0].kind, SlotKind::value_count);
  EXPECT_EQ(text.parts[1].kind, SlotKind::literal);
  EXPECT_EQ(text.parts[1].literal, " payments, ");
  EXPECT_EQ(text.parts[2].kind, SlotKind::typical);
  EXPECT_TRUE(parse_reason_text("", "here").parts.empty());
}

TEST(ReasonText, MistakesNameTheirPlace) {
  for (const char* wrong : {"{value", "{}", "{values}", "{value:euro}"}) {
    try {
      (void)parse_reason_text(wrong, "reasons.yaml: features.amount");
      ADD_FAILURE() << wrong << " was accepted";
    } catch (const UsageError& error) {
      EXPECT_TRUE(std::string(error.what()).starts_with("reasons.yaml: features.amount: "));
    }
  }
}

class ReasonTableTest : public ::testing::Test {
 protected:
  ReasonTable load(const std::string& yaml, const std::vector<std::string>& names) {
    const auto file = std::filesystem::path(::testing::TempDir()) /
                      ("reason_table_" + std::to_string(::getpid()) + ".yaml");
    std::ofstream(file, std::ios::binary) << yaml;
    return load_reasons(file, names);
  }
};

TEST_F(ReasonTableTest, FeaturesShareACode) {
  const ReasonTable table =
      load("features:\n  a_1h: {code: PACE, text: one}\n  a_7d: {code: PACE, text: two}\n",
           {"a_1h", "other", "a_7d"});
  EXPECT_EQ(table.column_codes[0], table.column_codes[2]);
  EXPECT_EQ(table.codes[table.column_codes[1]], "OTHER");
  EXPECT_EQ(table.sentence(table.column_codes[2], 2).parts[0].literal, "two");
  EXPECT_EQ(table.codes.size(), rule_reason_count + 2);
}

TEST_F(ReasonTableTest, RulesHaveSentencesThatCanBeWordedAnew) {
  const ReasonTable plain = load("features: {}\n", {});
  ASSERT_EQ(plain.rule_texts.size(), rule_reason_count);
  for (const ReasonText& text : plain.rule_texts) EXPECT_FALSE(text.parts.empty());
  const ReasonTable worded = load("rules: {FROZEN: Halted}\n", {});
  const auto frozen = static_cast<std::uint16_t>(RuleReason::frozen);
  EXPECT_EQ(worded.sentence(frozen, no_feature).parts[0].literal, "Halted");
  EXPECT_THROW(load("rules: {FROZZEN: Halted}\n", {}), UsageError);
}

TEST_F(ReasonTableTest, AFeatureNamedAsARuleIsNotMistakenForIt) {
  const ReasonTable table = load("features: {}\n", {"season"});
  EXPECT_EQ(table.codes[table.column_codes[0]], "SEASON_VALUE");
}

TEST_F(ReasonTableTest, CodesAreCapitals) {
  EXPECT_THROW(load("features: {a: {code: pace, text: x}}\n", {"a"}), UsageError);
  EXPECT_THROW(load("features: {a: {code: PACE}}\n", {"a"}), UsageError);
  EXPECT_THROW(load("features: {a: {code: PACE, text: x, hint: y}}\n", {"a"}), UsageError);
}

}  // namespace
}  // namespace tidemark
