// FeatureMatrix, the second noun: rows x features, float32, row-major, NaN = missing. Written by
// the read-out of features/, read by every forest and by the policy. Owned by one engine batch.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

#include "kernels/base/host_device.hpp"

namespace tidemark {

/// Read-only view; trivially copyable, goes to kernels by value.
struct FeatureMatrixView {
  const float* data = nullptr;
  std::size_t rows = 0;
  std::size_t features = 0;
  std::size_t stride = 0;  // floats from one row to the next, >= features

  TIDEMARK_HD const float* row(std::size_t r) const { return data + r * stride; }
};

/// Owner. Rows are contiguous: stride == features.
class FeatureMatrix {
 public:
  /// Sets the shape; contents of the rows are unspecified until written.
  void resize(std::size_t rows, std::size_t features) {
    rows_ = rows;
    features_ = features;
    if (data_.size() < rows * features) data_.resize(rows * features);
  }
  std::size_t rows() const { return rows_; }
  std::size_t features() const { return features_; }
  std::span<float> row(std::size_t r) { return {data_.data() + r * features_, features_}; }
  std::span<const float> row(std::size_t r) const {
    return {data_.data() + r * features_, features_};
  }
  FeatureMatrixView view() const { return {data_.data(), rows_, features_, features_}; }

 private:
  std::vector<float> data_;
  std::size_t rows_ = 0, features_ = 0;
};

}  // namespace tidemark
