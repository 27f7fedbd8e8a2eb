// Golden rows of a bundle: equal bits pass, one other bit is refused with the row, and a file that
// is not what it should be names the line.
#include "models/golden_rows.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <string>
#include <utility>
#include <vector>

#include "kernels/base/failure.hpp"
#include "models/load_forest.hpp"

namespace tidemark {
namespace {

using ::testing::HasSubstr;

constexpr const char* model =
    "logistic:\n"
    "  intercept: 0.5\n"
    "  features:\n"
    "    a: {coefficient: 2, missing: 1}\n"
    "    b: {coefficient: -1, missing: 0}\n";

class GoldenRowsTest : public ::testing::Test {
 protected:
  GoldenRows load(const std::string& text) {
    const auto file = std::filesystem::temp_directory_path() /
                      ("tidemark-golden-rows-" + std::to_string(::getpid()) + ".csv");
    std::ofstream(file) << text;
    const std::vector<std::string> names{"a", "b"};
    try {
      GoldenRows rows = load_golden_rows(file, names);
      std::filesystem::remove(file);
      return rows;
    } catch (...) {
      std::filesystem::remove(file);
      throw;
    }
  }

  /// What is said of the rows, "" where all is well. The columns lie in another order and width.
  std::string check(const std::string& text) {
    const Forest forest = parse_forest(model, "model.yaml");
    const std::vector<std::int32_t> columns{3, 1};
    try {
      const GoldenRows rows = load(text);
      check_golden_rows(rows, *make_forest_scorer(forest, columns, Backend::cpu), columns, 5,
                        "credit");
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }
};

TEST_F(GoldenRowsTest, EqualBitsPass) {
  EXPECT_EQ(check("a,b,raw_score\n1,0.25,2.25\n,,2.5\r\n-3,1e-3,-5.5010000000474975\n"), "");
}

TEST_F(GoldenRowsTest, AnotherBitIsNamed) {
  const std::string error = check("a,b,raw_score\n1,0.25,2.25\n1,0.25,2.2500000000000004\n");
  EXPECT_THAT(error, HasSubstr("credit: golden row 2 scores 2.25, the trainer gave "));
  EXPECT_EQ(error.find('\n'), std::string::npos);
}

TEST_F(GoldenRowsTest, DamagedFilesNameTheLine) {
  const std::pair<const char*, const char*> cases[] = {
      {"", ":1: the file is empty"},
      {"a,b,raw_score\n", "no rows"},
      {"b,a,raw_score\n1,2,3\n", ":1: 'b' where the model has 'a'"},
      {"a,b,score\n1,2,3\n", ":1: the last column must be raw_score"},
      {"a,b,raw_score,c\n1,2,3\n", ":1: the last column must be raw_score"},
      {"a,b\n1,2\n", ":1: fewer fields"},
      {"a,b,raw_score\n1,2\n", ":2: fewer fields"},
      {"a,b,raw_score\n1,2,3,4\n", ":2: more fields"},
      {"a,b,raw_score\n1,x,3\n", ":2: 'x' is not a number"},
      {"a,b,raw_score\n1,2,\n", ":2: '' is not a number"},
  };
  for (const auto& [text, says] : cases) EXPECT_THAT(check(text), HasSubstr(says)) << text;
}

}  // namespace
}  // namespace tidemark
