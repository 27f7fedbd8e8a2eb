// Policies: refused in one line, or read.
#include "models/policy_config.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  fuzz::accepts([&] {
    const PolicyConfig policy = load_policy(fuzz::file_with(fuzz::text_of(data, size)));
    fuzz::require(policy.text.size() == size, "the release tells the file as it was read");
  });
  return 0;
}
