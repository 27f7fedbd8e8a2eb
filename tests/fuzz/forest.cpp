// Model files of every kind: refused in one line, or scored as the plain walk scores them.
#include "models/load_forest.hpp"
#include "tests/fuzz/support/forest_check.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  Forest forest;
  if (fuzz::accepts([&] { forest = parse_forest(fuzz::text_of(data, size), "model"); })) {
    fuzz::check_forest(forest);
  }
  return 0;
}
