// The identity: an unsettled record is found, in whichever partition and source it is.
#include "stream/pipeline/accounting.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

TEST(Accounting, EveryOutcomeBalances) {
  SourceCounts counts{};
  for (const Outcome outcome : {Outcome::scored, Outcome::applied, Outcome::dead_lettered,
                                Outcome::late, Outcome::duplicate}) {
    ++counts[1].consumed;
    counts[1].add(outcome);
  }
  EXPECT_NO_THROW(check_identity(counts, 0));
}

TEST(Accounting, APendingRecordStopsTheEngine) {
  SourceCounts counts{};
  ++counts[1].consumed;
  counts[1].add(Outcome::pending);
  try {
    check_identity(counts, 3);
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), testing::HasSubstr("partition 3 of invoices"));
  }
}

TEST(Accounting, TotalsStandBesideTheSources) {
  SourceCounts counts{};
  counts[0] = {2, 1, 0, 1, 0, 0};
  counts[4] = {1, 0, 1, 0, 0, 0};
  const std::string json = counts_json(counts);
  EXPECT_THAT(json,
              testing::StartsWith(R"("consumed":3,"scored":1,"applied":1,"dead_lettered":1)"));
  EXPECT_THAT(json, testing::HasSubstr(R"("feedback":{"consumed":1,)"));
}

}  // namespace
}  // namespace tidemark
