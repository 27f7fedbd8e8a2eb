// Findings: what is wrong with many records, each in one sentence that says where. The first ones
// are kept, all are counted, so that a broken log costs no memory.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace tidemark {

class Findings {
 public:
  static constexpr std::size_t kept_max = 50;

  void add(std::string what) {
    if (kept_.size() < kept_max) kept_.push_back(std::move(what));
    ++count_;
  }
  std::uint64_t count() const { return count_; }
  const std::vector<std::string>& kept() const { return kept_; }

 private:
  std::vector<std::string> kept_;
  std::uint64_t count_ = 0;
};

}  // namespace tidemark
