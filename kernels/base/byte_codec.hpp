// Bytes that any process reads back alike: little-endian, LEB128 for numbers that are mostly small,
// one way to write a value. Used by the journal and by checkpoints. No pointers, no padding, no
// allocation beyond the writer's string.
#pragma once

#include <bit>
#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>

namespace tidemark {

static_assert(std::endian::native == std::endian::little);

/// What a reader throws where the bytes are none of a writer's; the caller knows which file or
/// record it was and says so.
struct MalformedBytes {
  const char* what;
};

inline void require_bytes(bool holds, const char* what) {
  if (!holds) throw MalformedBytes{what};
}

class ByteWriter {
 public:
  void byte(std::uint8_t value) { bytes_.push_back(static_cast<char>(value)); }
  void number(std::uint64_t value) {
    for (; value >= 0x80; value >>= 7) byte(static_cast<std::uint8_t>(value | 0x80));
    byte(static_cast<std::uint8_t>(value));
  }
  void signed_number(std::int64_t value) {
    number(static_cast<std::uint64_t>(value) << 1 ^ static_cast<std::uint64_t>(value >> 63));
  }
  /// Any trivially copyable value without padding, as it lies in memory.
  template <typename T>
  void fixed(const T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    raw(&value, sizeof value);
  }
  void raw(const void* bytes, std::size_t count) {
    bytes_.append(static_cast<const char*>(bytes), count);
  }
  void text(std::string_view value) {
    number(value.size());
    bytes_ += value;
  }
  std::size_t size() const { return bytes_.size(); }
  std::string_view view() const { return bytes_; }
  std::string take() { return std::exchange(bytes_, {}); }
  void clear() { bytes_.clear(); }  // keeps the memory

 private:
  std::string bytes_;
};

/// Reads what a ByteWriter wrote, front to back. Every member throws MalformedBytes.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : bytes_(bytes) {}

  std::uint8_t byte() {
    require_bytes(at_ < bytes_.size(), "ends early");
    return static_cast<std::uint8_t>(bytes_[at_++]);
  }
  std::uint64_t number() {
    std::uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const std::uint64_t next = byte();
      require_bytes(shift < 63 || next < 2, "number is too long");
      require_bytes(shift == 0 || next != 0, "number has a needless byte");
      value |= (next & 0x7f) << shift;
      if (next < 0x80) return value;
    }
    throw MalformedBytes{"number is too long"};
  }
  std::int64_t signed_number() {
    const std::uint64_t value = number();
    return static_cast<std::int64_t>(value >> 1 ^ (~(value & 1) + 1));
  }
  /// A number that must not exceed `most`.
  std::uint64_t number_to(std::uint64_t most, const char* what) {
    const std::uint64_t value = number();
    require_bytes(value <= most, what);
    return value;
  }
  template <typename T>
  T fixed() {
    static_assert(std::is_trivially_copyable_v<T>);
    T value;
    std::memcpy(&value, raw(sizeof value).data(), sizeof value);
    return value;
  }
  std::string_view raw(std::size_t count) {
    require_bytes(count <= left(), "ends early");
    const std::string_view view = bytes_.substr(at_, count);
    at_ += count;
    return view;
  }
  std::string_view text() { return raw(number_to(left(), "text is too long")); }
  std::size_t left() const { return bytes_.size() - at_; }
  bool at_end() const { return at_ == bytes_.size(); }

 private:
  std::string_view bytes_;
  std::size_t at_ = 0;
};

}  // namespace tidemark
