// A forest in device memory and the launches over it: rows on the device in, scores on the device
// out. The scorer brings rows here and back; the device path and the benchmarks stay on the device.
// Immutable once built; several streams may use one at the same time, each with codes of its own.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "kernels/forest/forest_codes.hpp"
#include "kernels/forest/forest_cuda.hpp"
#include "kernels/forest/forest_image.hpp"
#include "kernels/runtime/device_cuda.hpp"

namespace tidemark {

class DeviceForest {
 public:
  using Codes = gpu::DeviceBuffer<std::uint32_t>;

  /// Copies the image, compiled into byte codes where it fits them.
  DeviceForest(const ForestImage& image, CudaSpread spread);

  /// Queues the raw scores of `rows` into `out`, rows x outputs doubles. Both lie on the device.
  /// `codes` is working memory; it must not be reused before the stream has passed.
  void score(FeatureMatrixView rows, Codes& codes, double* out, const gpu::Stream& stream) const;
  /// Queues the leaf numbers into `out`, rows x trees.
  void leaves(FeatureMatrixView rows, std::int32_t* out, const gpu::Stream& stream) const;

  /// The two halves of `score` for many rows, where the forest is in codes.
  bool coded() const { return threads_ > 0; }
  void quantise(FeatureMatrixView rows, Codes& codes, const gpu::Stream& stream) const;
  void walk(FeatureMatrixView rows, const Codes& codes, double* out,
            const gpu::Stream& stream) const;

  std::size_t columns() const { return columns_; }  // of a matrix, up to the last one it reads
  std::int32_t outputs() const { return image_.outputs; }
  std::int32_t trees() const { return image_.tree_count; }
  std::uint32_t chunk_rows() const { return tuning_.chunk_rows; }
  std::string_view kernel() const { return kernel_; }
  std::string_view isa() const { return isa_; }
  std::size_t bytes() const { return bytes_; }

 private:
  /// A constant of the model on the device.
  template <class T>
  class Constant {
   public:
    void set(const std::vector<T>& values);
    const T* get() const { return buffer_.get(); }

   private:
    gpu::DeviceBuffer<T> buffer_;
  };

  void set_image(const ForestImage& image);
  void set_codes(const ForestCodes& codes);
  CudaSpread spread_for(std::size_t rows) const;
  template <int kRows>
  void quantise_as(FeatureMatrixView rows, Codes& codes, const gpu::Stream& stream) const;
  template <int kRows>
  void walk_as(FeatureMatrixView rows, const Codes& codes, double* out,
               const gpu::Stream& stream) const;

  const CudaSpread spread_;
  ForestTuning tuning_{};
  std::string kernel_, isa_;
  std::size_t columns_ = 0, bytes_ = 0;
  ForestImageView image_;
  Constant<ForestImageNode> nodes_;
  Constant<ForestImageTree> trees_;
  Constant<double> leaf_values_;
  Constant<CategorySet> category_sets_;
  Constant<std::uint32_t> category_words_;
  Constant<double> base_;
  Constant<CodeFeature> features_;
  Constant<CodeChunk> chunks_;
  Constant<float> cuts_;
  Constant<CodeStage> directory_;
  Constant<unsigned char> stages_;
  int levels_ = 0;
  std::uint32_t feature_count_ = 0, chunk_count_ = 0, chunk_bytes_ = 0;
  std::uint32_t threads_ = 0, stage_bytes_ = 0;
  std::int32_t stage_count_ = 0;
};

}  // namespace tidemark
