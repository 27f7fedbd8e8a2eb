// Lines of letters as people edit them: refused in one line, or read and written again without
// loss.
#include "stream/redrive/letter_line.hpp"

#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  std::string error;
  const auto letter = read_letter_line(fuzz::text_of(data, size), error);
  if (!letter) {
    fuzz::require_one_line(error);
    return 0;
  }
  const std::string line = letter_line(*letter);
  const auto again = read_letter_line(line, error);
  fuzz::require(again.has_value(), "what was written can be read");
  fuzz::require(letter_line(*again) == line, "and is the same");
  return 0;
}
