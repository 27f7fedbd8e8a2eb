// Packed headers: what goes in comes out, in order, nulls and empty values apart.
#include "stream/encode/headers.hpp"

#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace tidemark {
namespace {

TEST(Headers, ComeBackInOrder) {
  const std::string binary("\0\xff\0", 3);
  std::string packed;
  append_header("a", "one", packed);
  append_header("", binary, packed);
  append_header("a", "two", packed);
  EXPECT_EQ(packed.size(),
            packed_header_bytes(1, 3) + packed_header_bytes(0, 3) + packed_header_bytes(1, 3));
  std::vector<std::pair<std::string, std::string>> found;
  for_each_header(packed, [&](std::string_view name, std::string_view value) {
    found.emplace_back(name, value);
  });
  const std::vector<std::pair<std::string, std::string>> expected = {
      {"a", "one"}, {"", binary}, {"a", "two"}};
  EXPECT_EQ(found, expected);
  EXPECT_EQ(find_header(packed, "a"), "two") << "the last one counts";
  EXPECT_EQ(find_header(packed, "b"), std::nullopt);
  EXPECT_EQ(find_header("", "a"), std::nullopt);
}

TEST(Headers, ANullIsNoEmptyValue) {
  std::string packed;
  append_header("null", std::string_view(), packed);
  append_header("empty", std::string_view("", 0), packed);
  ASSERT_TRUE(find_header(packed, "null"));
  EXPECT_EQ(find_header(packed, "null")->data(), nullptr);
  ASSERT_TRUE(find_header(packed, "empty"));
  EXPECT_NE(find_header(packed, "empty")->data(), nullptr);
  EXPECT_TRUE(find_header(packed, "empty")->empty());
}

}  // namespace
}  // namespace tidemark
