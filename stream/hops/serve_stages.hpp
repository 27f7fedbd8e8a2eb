// Serves whatever stages a process is to run, side by side. Where the spec has no features of
// payers that is the merchants' alone, on the calling thread, as if this were not there.
#pragma once

#include "stream/pipeline/serve.hpp"

namespace tidemark {

/// As serve(), with `hooks.ready` called when all stages are; `config` is fitted to its spec
/// (fit_stages). A stage that fails ends the others in order, and its error is thrown. Without the
/// merchants' stage the counts are empty.
SourceCounts serve_stages(const Config& config, const std::atomic<bool>& stop,
                          const ServeHooks& hooks = {});

}  // namespace tidemark
