// See spec_tables.hpp.
#include "features/spec_tables.hpp"

#include <filesystem>
#include <limits>
#include <tuple>

#include "features/table_file.hpp"
#include "kernels/base/read_file.hpp"

namespace tidemark {
namespace {

constexpr double none = std::numeric_limits<double>::quiet_NaN();
// A mean in major units: far beyond what is sensible, far below what overflows.
constexpr double mean_max = 1e18;

/// The words of a line that say whose it is.
std::string read_word(const TableFile& table, std::size_t column) {
  if (table.field(column).empty()) table.fail(column, "is empty");
  return table.field(column);
}

/// An empty field stands for none.
double read_number(const TableFile& table, std::size_t column, double least, double most) {
  return table.field(column).empty() ? none : table.number(column, least, most);
}

std::vector<PeerLine> read_peers(const std::string& file) {
  enum : std::size_t { as_of, feature, industry, region, currency, mean, stddev, merchants };
  const std::string text = read_file(file, table_bytes_max);
  TableFile table(text, file, peer_columns);
  std::vector<PeerLine> lines;
  const auto key = [](const PeerLine& line) {
    return std::tuple(line.day, line.feature, line.industry, line.region,
                      currency_letters(line.currency));
  };
  while (table.next()) {
    PeerLine line;
    line.day = table.day(as_of);
    line.feature = read_word(table, feature);
    line.industry = read_word(table, industry);
    line.region = read_word(table, region);
    line.currency = table.field(currency).empty() ? 0 : table.currency(currency);
    line.mean = read_number(table, mean, -mean_max, mean_max);
    line.stddev = read_number(table, stddev, 0, mean_max);
    read_number(table, merchants, 0, mean_max);  // for readers
    line.line = table.line();
    if (!lines.empty()) {
      table.check_order(key(lines.back()), key(line), "as_of, feature, industry, region, currency");
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::vector<SeasonLine> read_seasons(const std::string& file) {
  enum : std::size_t { as_of, feature, industry, month, factor };
  const std::string text = read_file(file, table_bytes_max);
  TableFile table(text, file, season_columns);
  std::vector<SeasonLine> lines;
  while (table.next()) {
    SeasonLine line;
    line.day = table.day(as_of);
    line.feature = read_word(table, feature);
    line.industry = read_word(table, industry);
    line.month = static_cast<int>(table.number(month, 1, 12));
    if (table.field(month) != std::to_string(line.month)) table.fail(month, "expected 1 to 12");
    line.factor = read_number(table, factor, season_factor_min, season_factor_max);
    const auto key = [](const SeasonLine& of) {
      return std::tie(of.day, of.feature, of.industry, of.month);
    };
    if (!lines.empty()) {
      table.check_order(key(lines.back()), key(line), "as_of, feature, industry, month");
    }
    lines.push_back(std::move(line));
  }
  return lines;
}

std::string file_beside(YamlMap& map, const std::string& key) {
  if (!map.has(key)) return "";
  const std::filesystem::path file =
      std::filesystem::path(map.origin()).parent_path() / map.text(key);
  std::error_code error;  // of a name that no file system takes, too
  if (!std::filesystem::is_regular_file(file, error)) {
    map.fail(key, "there is no file " + file.string());
  }
  return file.string();
}

}  // namespace

SpecTables read_spec_tables(YamlMap map) {
  SpecTables tables;
  tables.peers_file = file_beside(map, "peers");
  tables.seasons_file = file_beside(map, "seasons");
  map.done();
  if (!tables.peers_file.empty()) tables.peers = read_peers(tables.peers_file);
  if (!tables.seasons_file.empty()) tables.seasons = read_seasons(tables.seasons_file);
  return tables;
}

}  // namespace tidemark
