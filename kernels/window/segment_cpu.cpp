// Segmentation on the host: a stable radix sort, least significant digit first, over the digits
// that the largest slot of the batch needs. One thread; each segmenter keeps its own scratch
// memory.
#include <algorithm>
#include <array>
#include <stdexcept>
#include <utility>

#include "kernels/window/segment_body.hpp"
#include "kernels/window/segment_drivers.hpp"

namespace tidemark {
namespace {

// 11 bits: three digits cover 32 bits, and a table of 2,048 counters stays in the first-level
// cache.
constexpr int digit_bits = 11;
constexpr std::uint32_t digit_count = 1u << digit_bits;
constexpr int digits_max = 3;
// Below this, clearing and summing the tables costs more than inserting.
constexpr std::size_t insertion_rows_max = 48;

/// A key and its row in one word: one store a row and pass.
using Entry = std::uint64_t;
constexpr Entry make_entry(std::uint32_t key, std::size_t row) {
  return static_cast<Entry>(key) << 32 | row;
}
constexpr std::uint32_t key_of(Entry entry) {
  return static_cast<std::uint32_t>(entry >> 32);
}
constexpr std::uint32_t digit_of(Entry entry, int digit) {
  return key_of(entry) >> (digit * digit_bits) & (digit_count - 1);
}

class CpuSegmenter final : public Segmenter {
 public:
  void run(std::span<const std::uint32_t> slots, std::uint32_t slot_count, Segments& out) override {
    if (slots.size() > UINT32_MAX) throw std::length_error("segment: more than 2^32 - 1 rows");
    const std::size_t kept = collect(slots, slot_count);
    if (kept <= insertion_rows_max) {
      insert(kept);
    } else {
      sort(kept);
    }
    write(kept, out);
  }

 private:
  /// Entries of the rows to keep, in input order; also the largest key, which bounds the passes.
  std::size_t collect(std::span<const std::uint32_t> slots, std::uint32_t slot_count) {
    if (entries_.size() < slots.size()) {
      entries_.resize(slots.size());
      spare_.resize(slots.size());
    }
    std::size_t kept = 0;
    largest_ = 0;
    for (std::size_t row = 0; row < slots.size(); ++row) {
      const std::uint32_t key = segment_key(slots[row], slot_count);
      const bool keep = key != slot_count;
      entries_[kept] = make_entry(key, row);
      kept += keep;
      largest_ = keep ? std::max(largest_, key) : largest_;
    }
    return kept;
  }

  void insert(std::size_t kept) {
    for (std::size_t i = 1; i < kept; ++i) {
      const Entry entry = entries_[i];
      std::size_t to = i;
      // Rows ascend, so comparing whole entries keeps equal keys in input order.
      for (; to > 0 && entries_[to - 1] > entry; --to) entries_[to] = entries_[to - 1];
      entries_[to] = entry;
    }
  }

  void sort(std::size_t kept) {
    const int passes = (segment_key_bits(largest_) + digit_bits - 1) / digit_bits;
    for (int digit = 0; digit < passes; ++digit) counts_[static_cast<std::size_t>(digit)].fill(0);
    for (std::size_t i = 0; i < kept; ++i) {
      for (int digit = 0; digit < passes; ++digit) {
        ++counts_[static_cast<std::size_t>(digit)][digit_of(entries_[i], digit)];
      }
    }
    for (int digit = 0; digit < passes; ++digit) {
      auto& next = counts_[static_cast<std::size_t>(digit)];
      std::uint32_t before = 0;
      for (std::uint32_t& count : next) before += std::exchange(count, before);
      for (std::size_t i = 0; i < kept; ++i) {
        spare_[next[digit_of(entries_[i], digit)]++] = entries_[i];
      }
      entries_.swap(spare_);
    }
  }

  void write(std::size_t kept, Segments& out) {
    out.order.resize(kept);
    out.begins.clear();
    for (std::size_t i = 0; i < kept; ++i) {
      out.order[i] = static_cast<std::uint32_t>(entries_[i]);
      if (i == 0 || key_of(entries_[i]) != key_of(entries_[i - 1])) {
        out.begins.push_back(static_cast<std::uint32_t>(i));
      }
    }
    out.begins.push_back(static_cast<std::uint32_t>(kept));
  }

  std::vector<Entry> entries_, spare_;
  std::array<std::array<std::uint32_t, digit_count>, digits_max> counts_;
  std::uint32_t largest_ = 0;
};

}  // namespace

std::unique_ptr<Segmenter> make_segmenter_cpu() {
  return std::make_unique<CpuSegmenter>();
}

}  // namespace tidemark
