// Tables of exchange rates: refused in one line, or read, and then the oracle makes the same of any
// amount.
#include "features/oracle.hpp"
#include "kernels/base/currency.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  fuzz::accepts([&] {
    const auto rates = RateTable::parse(fuzz::text_of(data, size), "rates.csv");
    const RateRow& row = rates->rows().front();
    const std::int64_t noon_ms = row.day * 86'400'000LL + 43'200'000;
    for (const std::int64_t amount : {std::int64_t{0}, std::int64_t{12'345}, INT64_MAX}) {
      const auto rate = rates->find(row.from, row.to, noon_ms);
      const auto converted = rate ? convert_amount(amount, currency_exponent(row.from), *rate,
                                                   currency_exponent(row.to))
                                  : std::nullopt;
      fuzz::require(converted == oracle_amount(rates.get(), noon_ms, amount, row.from, row.to),
                    "an amount is what it is on paper");
    }
  });
  return 0;
}
