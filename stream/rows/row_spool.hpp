// Rows set aside until their labels are known: a file of plain records beside the one to be.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>

#include "kernels/base/output_file.hpp"
#include "stream/rows/labels.hpp"
#include "stream/rows/row_file.hpp"

namespace tidemark {

class RowSpool {
 public:
  RowSpool(const std::filesystem::path& path, std::size_t features);
  ~RowSpool();
  RowSpool(const RowSpool&) = delete;
  RowSpool& operator=(const RowSpool&) = delete;

  void add(const RowKey& key, const LabelledRow& row, std::span<const float> features);
  /// Once, behind the last add(): all rows in their order. Throws RunError.
  void read_back(
      const std::function<void(const RowKey&, const LabelledRow&, std::span<const float>)>& take);

 private:
  OutputFile file_;
  std::size_t features_;
  std::uint64_t rows_ = 0;
};

}  // namespace tidemark
