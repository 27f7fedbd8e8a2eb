// Training rows, proved: the features of whole merchants are computed once more from raw history,
// by the plainest code there is, and their labels from the feedback, and every value of the file
// has to have the same bits.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "stream/pipeline/replay.hpp"
#include "stream/rows/rows_writer.hpp"

namespace tidemark {

struct RowsReport {
  std::uint64_t rows = 0;      // of the file
  std::uint64_t compared = 0;  // those of the sample
  std::uint64_t merchants = 0, values = 0;
  std::uint64_t wrong = 0;
  std::map<std::string, std::uint64_t> wrong_by_column;
  std::vector<std::string> kept;  // the first of what is wrong, each a line
};

/// One object: `"result":"proved"` or `"violated"`, the counts, what is wrong by column.
std::string to_json(const RowsReport& report);

/// `inputs` are those that the rows were made of; its outputs are ignored. `sample` is a part of
/// the file's merchants, by hash. Throws UsageError where manifest, rows and configuration do not
/// belong together, and RunError for what fails.
RowsReport verify_rows(const Config& config, const std::filesystem::path& rows,
                       ReplayOptions inputs, RowsSample sample);

}  // namespace tidemark
