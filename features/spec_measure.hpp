// Measures of a spec: which events, of whom, with which facts and amounts. Used by spec.cpp alone.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "features/spec.hpp"
#include "kernels/base/strict_yaml.hpp"

namespace tidemark {

template <typename Value, std::size_t N>
std::optional<Value> look_up(const std::array<std::pair<std::string_view, Value>, N>& table,
                             std::string_view name) {
  for (const auto& [key, value] : table) {
    if (key == name) return value;
  }
  return std::nullopt;
}

/// The facts that measures filter by and that features show.
inline constexpr std::array<std::pair<std::string_view, std::uint8_t>, 7> event_bits = {{
    {"night", event_bit_night},
    {"weekend", event_bit_weekend},
    {"certified", event_bit_certified},
    {"payer", event_bit_payer},
    {"invoice", event_bit_invoice},
    {"order", event_bit_order},
    {"due", event_bit_due},
}};

/// An amount in the major unit, as ten-thousandths; 0 when the key is absent.
std::int64_t read_amount_e4(YamlMap& map, const std::string& key);
/// One bit for each event type of a source.
std::uint32_t types_of(Source source);
/// The types listed under `types`, all of `possible` when the key is absent.
std::uint32_t read_types(YamlMap& map, std::uint32_t possible);
/// The entity named under `entity`, the merchant when the key is absent.
Entity read_entity(YamlMap& map);
/// The mapping of one measure.
Measure read_measure(const std::string& name, YamlMap map);

}  // namespace tidemark
