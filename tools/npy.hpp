// NumPy's .npy files, as far as `tidemark score` needs them: float32 matrices in C order come in,
// float64 and int32 arrays go out. Used by one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

#include "kernels/data/feature_matrix.hpp"

namespace tidemark {

/// A matrix of float32, mapped from its file; the view lives as long as this.
class NpyMatrix {
 public:
  /// `option` names the command line option in messages. Throws UsageError for any other type,
  /// order, number of dimensions or a file that is cut.
  NpyMatrix(const std::filesystem::path& file, const std::string& option);
  ~NpyMatrix();
  NpyMatrix(const NpyMatrix&) = delete;
  NpyMatrix& operator=(const NpyMatrix&) = delete;

  FeatureMatrixView view() const { return view_; }

 private:
  FeatureMatrixView view_;
  std::vector<float> copy_;  // where the data are not aligned in the file
  void* map_ = nullptr;
  std::size_t map_bytes_ = 0;
};

/// Writes values in C order. Throws RunError.
void write_npy(const std::filesystem::path& file, std::span<const double> values,
               std::span<const std::size_t> shape);
void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values,
               std::span<const std::size_t> shape);

}  // namespace tidemark
