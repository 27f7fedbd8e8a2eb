// Configurations, and the same text as the value of --set.
#include "stream/pipeline/config.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  const std::string text(fuzz::text_of(data, size));
  fuzz::accepts([&] { load_config(fuzz::file_with(text), {}); });
  if (text.find('\0') != std::string::npos) return 0;
  const auto option = text.substr(0, 200);
  fuzz::accepts([&] { load_config(fuzz::file_with("features: spec.yaml\n"), {option}); });
  return 0;
}
