// NumPy files: refused in one line, or a matrix whose every value can be read.
#include "tools/npy.hpp"
#include "tests/fuzz/support/fuzz.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace tidemark;
  fuzz::accepts([&] {
    const NpyMatrix matrix(fuzz::file_with(fuzz::text_of(data, size)), "--rows");
    const FeatureMatrixView view = matrix.view();
    double sum = 0;
    for (std::size_t r = 0; r < view.rows && view.features > 0; ++r) {
      sum += view.row(r)[0] + view.row(r)[view.features - 1];
    }
    volatile double read = sum;
    static_cast<void>(read);
  });
  return 0;
}
