// The window records of one kind of key: zeroed, of one size, in pages that are added as keys come
// and never move. Admission adds, workers read and write records of different slots.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace tidemark {

class RecordPages {
 public:
  static constexpr std::uint32_t page_shift = 12;  // 4096 records: 22 MiB with the default spec
  static constexpr std::uint32_t page_records = 1U << page_shift;

  explicit RecordPages(std::uint32_t record_bytes) : record_bytes_(record_bytes) {}
  ~RecordPages();
  RecordPages(const RecordPages&) = delete;
  RecordPages& operator=(const RecordPages&) = delete;

  /// Makes room for one more page of records. Throws std::bad_alloc.
  void add_page();
  unsigned char* at(std::uint32_t slot) const {
    return pages_[slot >> page_shift] +
           static_cast<std::size_t>(slot & (page_records - 1)) * record_bytes_;
  }
  std::size_t bytes() const { return pages_.size() * page_bytes(); }

 private:
  std::size_t page_bytes() const;

  std::uint32_t record_bytes_;
  std::vector<unsigned char*> pages_;
};

}  // namespace tidemark
