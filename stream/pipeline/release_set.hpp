// The release in force and those that older transactions of the journal were decided with, each
// with an engine of its own. A lane may pass from one to the next between two transactions, because
// all share one feature plan. Used by one thread.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "stream/pipeline/engine.hpp"
#include "stream/pipeline/loaded_release.hpp"

namespace tidemark {

class ReleaseSet {
 public:
  /// Loads `bundle` and `previous_bundles` of the configuration. Throws UsageError.
  ReleaseSet(const Config& config, Backend backend, Provenance provenance, ThreadPool& pool);

  const LoadedRelease& current() const { return *releases_.front().loaded; }
  Engine& engine() { return *releases_.front().engine; }
  /// The engine of a release named in the journal of `partition`. Throws RunError when no bundle of
  /// the configuration makes that release.
  Engine& engine_of(const std::string& fingerprint, int partition);
  /// The documents of all releases, for releases.v1.
  void encode_documents(OutputBatch& out) const;

 private:
  struct Entry {
    std::unique_ptr<LoadedRelease> loaded;
    std::unique_ptr<Engine> engine;
  };
  std::vector<Entry> releases_;  // the one in force first
};

}  // namespace tidemark
