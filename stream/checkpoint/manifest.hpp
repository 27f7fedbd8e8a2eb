// The manifest: what a checkpoint of one partition is, written when all its chunks are there and
// the transaction that it stands behind is committed. One JSON object for people and programs.
#pragma once

#include <array>
#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/data/event.hpp"
#include "stream/checkpoint/chunk.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark {

struct CheckpointManifest {
  int partition = 0;
  std::uint64_t generation = 0;  // 1, 2, ... along the partition's history
  std::uint64_t revision = 0;    // 1, 2, ...: the same state in fewer chunks
  std::string group;             // consumer group whose committed offsets it belongs to
  std::string release;           // in force when it was made
  std::string spec;              // fingerprint of the feature spec
  std::string settings;          // those that change the state
  std::uint64_t layout = 0;      // of the records
  std::int64_t made_at_ms = 0;   // wall time
  // Where a recovery goes on: the first journal record that may not be in the state, and the first
  // input offset of each source that is not, -1 where nothing is.
  std::int64_t journal_next = 0;
  std::array<std::int64_t, source_count> next{};
  std::uint64_t state_hash = 0;
  std::uint32_t merchants = 0;   // slots
  std::vector<ChunkRef> chunks;  // earlier generations first

  std::uint64_t bytes() const {
    std::uint64_t sum = 0;
    for (const ChunkRef& chunk : chunks) sum += chunk.bytes;
    return sum;
  }
};

std::string encode_manifest(const CheckpointManifest& manifest);
/// Throws UsageError naming `origin` for anything that encode_manifest() did not write.
CheckpointManifest decode_manifest(const std::string& text, const std::string& origin);

/// The folder of a partition: <group>/p00003.
std::string checkpoint_folder(const std::string& group, int partition);
/// Partition numbers of a group in the store.
std::vector<int> checkpoint_partitions(const CheckpointStore& store, const std::string& group);
std::string manifest_name(const CheckpointManifest& manifest, const std::string& writer);
bool is_manifest(const std::string& name);
/// The largest generation that a name in the folder has, of manifests and chunks, readable or not;
/// 0 where there is none. The next owner counts on from it, so that no two states share a number.
std::uint64_t last_generation(const CheckpointStore& store, const std::string& folder);

struct StoredManifest {
  std::string name;
  CheckpointManifest manifest;
  std::chrono::seconds age{};
  std::string error;  // why it cannot be read; then the manifest is empty
};
/// All of a partition: those that cannot be read first, then the newest state and so on.
std::vector<StoredManifest> read_manifests(const CheckpointStore& store, const std::string& folder);

}  // namespace tidemark
