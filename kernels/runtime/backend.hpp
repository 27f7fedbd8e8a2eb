// Where the kernels run. The CPU flavour knows the name `cuda` only to refuse it clearly.
#pragma once

#include <string_view>

namespace tidemark {

enum class Backend { cpu, cuda };

/// Resolves a setting: "cpu", "cuda" or "auto" (cuda when compiled in and a device answers).
/// Throws UsageError for another word and for "cuda" in a build without CUDA; RunError where no
/// device answers, which is the machine's fault and not that of the setting.
Backend resolve_backend(std::string_view setting);
std::string_view name_of(Backend backend);

}  // namespace tidemark
