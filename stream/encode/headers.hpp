// Kafka headers of one record in one run of bytes: copied once, looked through in place, passed on
// whole. Made by whoever reads Kafka or writes an output; knows no names.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

namespace tidemark {

/// Of each header: length of the name, length of the value (null_header_bytes for a null value),
/// then the bytes of both. Lengths as the machine has them: the run never leaves the process.
struct HeaderLengths {
  std::uint32_t name_bytes = 0, value_bytes = 0;
};
inline constexpr std::uint32_t null_header_bytes = UINT32_MAX;

/// Bytes that a header takes.
inline std::size_t packed_header_bytes(std::size_t name_bytes, std::size_t value_bytes) {
  return sizeof(HeaderLengths) + name_bytes + value_bytes;
}

/// A value with data() == nullptr is a null.
inline void append_header(std::string_view name, std::string_view value, std::string& packed) {
  const bool null = value.data() == nullptr;
  const HeaderLengths lengths{static_cast<std::uint32_t>(name.size()),
                              null ? null_header_bytes : static_cast<std::uint32_t>(value.size())};
  packed.append(reinterpret_cast<const char*>(&lengths), sizeof lengths);
  packed.append(name);
  packed.append(value);
}

/// Calls visit(name, value) in their order. The bytes are append_header()'s.
template <typename Visit>
void for_each_header(std::string_view packed, Visit visit) {
  while (!packed.empty()) {
    HeaderLengths lengths;
    std::memcpy(&lengths, packed.data(), sizeof lengths);
    packed.remove_prefix(sizeof lengths);
    const std::string_view name = packed.substr(0, lengths.name_bytes);
    packed.remove_prefix(lengths.name_bytes);
    const bool null = lengths.value_bytes == null_header_bytes;
    const std::string_view value = packed.substr(0, null ? 0 : lengths.value_bytes);
    packed.remove_prefix(value.size());
    visit(name, null ? std::string_view() : value);
  }
}

/// The last header of that name, as Kafka's own clients read one; a null value has data() ==
/// nullptr.
inline std::optional<std::string_view> find_header(std::string_view packed, std::string_view name) {
  std::optional<std::string_view> found;
  for_each_header(packed, [&](std::string_view is, std::string_view value) {
    if (is == name) found = value;
  });
  return found;
}

}  // namespace tidemark
