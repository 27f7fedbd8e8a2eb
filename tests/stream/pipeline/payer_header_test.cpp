// The header with a payer's features, from one stage to the other, and where it is not taken.
#include "stream/pipeline/payer_header.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <limits>

#include "stream/encode/headers.hpp"

namespace tidemark {
namespace {

std::shared_ptr<const FeaturePlan> plan_of(const std::string& window, const std::string& got) {
  return FeaturePlan::parse(
      "spec: s\nmeasures:\n"
      "  got: {source: payments, value: amount}\n"
      "  paid: {entity: payer, source: payments, value: amount}\n"
      "features:\n"
      "  - {name: paid, aggregate: sum, of: paid, window: " +
          window +
          "}\n"
          "  - {name: got, aggregate: sum, of: got, window: " +
          got +
          "}\n"
          "  - {name: mean, aggregate: mean, of: paid, window: 1d}\n",
      "s");
}

Config settings(const std::string& zone = "UTC", std::int64_t horizon_ms = 1) {
  Config config;
  config.zone = zone;
  config.dedup_horizon_ms = horizon_ms;
  return config;
}

class PayerHeaders : public testing::Test {
 protected:
  std::string header(const PayerHeader& writer) const {
    std::string value, packed;
    writer.write(row_, value);
    append_header("tidemark-topic", "t", packed);
    append_header(PayerHeader::name, value, packed);
    return packed;
  }
  PayerHeader::Found read(const PayerHeader& reader, const std::string& headers) {
    got_ = {7, 8, 9};
    return reader.read(headers, got_);
  }

  const float odd_nan_ = std::bit_cast<float>(0x7fc12345U);
  std::vector<float> row_ = {0.1F, 0.2F, odd_nan_}, got_;
  std::shared_ptr<const FeaturePlan> plan_ = plan_of("7d", "7d");
  const PayerHeader here_{*plan_, settings()};
};

TEST_F(PayerHeaders, TheSameBitsArriveInThePayersColumnsAlone) {
  EXPECT_EQ(read(here_, header(here_)), PayerHeader::Found::features);
  EXPECT_EQ(got_[0], 0.1F);
  EXPECT_EQ(got_[1], 8) << "the merchant's column stays";
  EXPECT_EQ(std::bit_cast<std::uint32_t>(got_[2]), 0x7fc12345U);
}

TEST_F(PayerHeaders, OfAnotherSpecOrOtherSettingsTheyAreMissing) {
  const auto other = plan_of("30d", "7d");
  for (const PayerHeader& foreign :
       {PayerHeader{*other, settings()}, PayerHeader{*plan_, settings("Asia/Tokyo")},
        PayerHeader{*plan_, settings("UTC", 2)}}) {
    EXPECT_EQ(read(here_, header(foreign)), PayerHeader::Found::foreign);
    EXPECT_TRUE(std::isnan(got_[0]) && std::isnan(got_[2]));
    EXPECT_EQ(got_[1], 8);
  }
}

TEST_F(PayerHeaders, TheMerchantsFeaturesDoNotMatterToThem) {
  const auto other = plan_of("7d", "30d");
  EXPECT_NE(other->fingerprint(), plan_->fingerprint());
  EXPECT_EQ(read(here_, header({*other, settings()})), PayerHeader::Found::features);
}

TEST_F(PayerHeaders, WithoutOneOrWithBytesOfOthersThereAreNone) {
  EXPECT_EQ(read(here_, ""), PayerHeader::Found::none);
  EXPECT_TRUE(std::isnan(got_[0]) && std::isnan(got_[2]));
  std::string value;
  here_.write(row_, value);
  for (std::size_t bytes = 0; bytes <= value.size() + 1; ++bytes) {
    if (bytes == value.size()) continue;
    std::string packed;
    append_header(PayerHeader::name, (value + "x").substr(0, bytes), packed);
    EXPECT_EQ(read(here_, packed), PayerHeader::Found::foreign) << bytes;
    EXPECT_TRUE(std::isnan(got_[0]) && std::isnan(got_[2]));
  }
  std::string null;
  append_header(PayerHeader::name, std::string_view(), null);
  EXPECT_EQ(read(here_, null), PayerHeader::Found::foreign);
}

}  // namespace
}  // namespace tidemark
