// See record_pages.hpp.
#include "features/record_pages.hpp"

#include <sys/mman.h>

#include <new>

namespace tidemark {
namespace {

constexpr std::size_t huge_page_bytes = std::size_t{2} << 20;

}  // namespace

std::size_t RecordPages::page_bytes() const {
  const std::size_t bytes = static_cast<std::size_t>(record_bytes_) * page_records;
  return (bytes + huge_page_bytes - 1) / huge_page_bytes * huge_page_bytes;
}

// Records are read at random: without huge pages every event would also miss the TLB, twice. They
// need alignment, so one more is mapped and what sticks out is given back. Advice only.
void RecordPages::add_page() {
  const std::size_t bytes = page_bytes();
  pages_.reserve(pages_.size() + 1);  // nothing may throw once the memory is mapped
  void* memory = mmap(nullptr, bytes + huge_page_bytes, PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (memory == MAP_FAILED) throw std::bad_alloc();
  unsigned char* const mapped = static_cast<unsigned char*>(memory);
  const std::size_t before =
      (huge_page_bytes - reinterpret_cast<std::uintptr_t>(memory) % huge_page_bytes) %
      huge_page_bytes;
  unsigned char* const page = mapped + before;
  if (before != 0) munmap(mapped, before);
  if (before != huge_page_bytes) munmap(page + bytes, huge_page_bytes - before);
  madvise(page, bytes, MADV_HUGEPAGE);
  pages_.push_back(page);
}

RecordPages::~RecordPages() {
  for (unsigned char* page : pages_) munmap(page, page_bytes());
}

}  // namespace tidemark
