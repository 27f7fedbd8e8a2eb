// Small files that are read whole at load: configurations, specs, bundles, models. Bounded,
// whatever stands behind the name. Called by one thread.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string>

namespace tidemark {

/// The bytes of a file, a pipe too. Throws UsageError, one line naming the file, where it cannot be
/// read or holds more than `bytes_max`; no more than that is read and kept.
std::string read_file(const std::filesystem::path& file, std::size_t bytes_max);

}  // namespace tidemark
