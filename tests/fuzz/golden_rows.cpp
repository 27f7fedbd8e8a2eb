// Golden rows: refused in one line, or whole rows.
#include "models/golden_rows.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  static const std::vector<std::string> names{"amount", "hour"};
  fuzz::accepts([&] {
    const GoldenRows rows = load_golden_rows(fuzz::file_with(fuzz::text_of(data, size)), names);
    fuzz::require(rows.count() > 0 && rows.values.size() == rows.count() * names.size(),
                  "rows are whole");
  });
  return 0;
}
