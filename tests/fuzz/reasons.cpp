// Reason tables: refused in one line, or every column of the plan has a code and a sentence.
#include "models/reasons.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  static const std::vector<std::string> names{"amount", "history_days", "inflow_sum_30d",
                                              "refund_ratio_30d", "hour"};
  fuzz::accepts([&] {
    const auto file = fuzz::file_with(fuzz::text_of(data, size));
    const ReasonTable table = load_reasons(file, names);
    fuzz::require(table.column_codes.size() == names.size(), "each column has a code");
    for (std::size_t c = 0; c < names.size(); ++c) {
      fuzz::require(table.column_codes[c] < table.codes.size(), "codes are in the table");
      fuzz::require(!table.column_texts[c].parts.empty(), "each column has a sentence");
    }
  });
  return 0;
}
