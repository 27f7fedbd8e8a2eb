// The ISO 4217 list as a table over all 26^3 codes, built by the compiler: one load a lookup.
#include "kernels/base/currency.hpp"

#include <array>

namespace tidemark {
namespace {

constexpr std::string_view codes_of_0_digits =
    "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF ";
constexpr std::string_view codes_of_2_digits =
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN "
    "BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP "
    "GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP "
    "LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR "
    "NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN "
    "SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER "
    "ZAR ZMW ZWG "
    // Withdrawn since 2015.
    "CUC HRK MRO SLL STD VEF ZWL ";
constexpr std::string_view codes_of_3_digits = "BHD IQD JOD KWD LYD OMR TND ";
constexpr std::string_view codes_of_4_digits = "CLF UYW ";

constexpr std::size_t index_of(std::uint32_t code) {
  const auto letter = [&](int i) {
    return static_cast<std::size_t>((code >> (8 * i)) & 0xff) - 'A';
  };
  return (letter(0) * 26 + letter(1)) * 26 + letter(2);
}

using Table = std::array<std::int8_t, currency_table_bytes>;

constexpr void put(Table& table, std::string_view list, std::int8_t exponent) {
  for (std::size_t at = 0; at + 3 <= list.size(); at += 4) {
    table[index_of(pack_currency(list.substr(at, 3)))] = exponent;
  }
}

constexpr Table make_table() {
  Table table{};
  for (auto& exponent : table) exponent = unknown_currency_exponent;
  put(table, codes_of_0_digits, 0);
  put(table, codes_of_2_digits, 2);
  put(table, codes_of_3_digits, 3);
  put(table, codes_of_4_digits, 4);
  return table;
}

constexpr Table exponents = make_table();

}  // namespace

int currency_exponent(std::uint32_t code) {
  return exponent_in(exponents.data(), code);
}

const std::int8_t* currency_table() {
  return exponents.data();
}

std::string currency_letters(std::uint32_t code) {
  if (code == 0) return {};
  return {static_cast<char>(code & 0xff), static_cast<char>((code >> 8) & 0xff),
          static_cast<char>((code >> 16) & 0xff)};
}

}  // namespace tidemark
