// Where checkpoints live: named byte strings that are there whole or not at all. A directory for
// one machine or a shared disk, a compacted topic for clusters without one. Any thread.
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "stream/kafka/settings.hpp"

namespace tidemark {

struct StoredObject {
  std::string name;  // with its folder
  std::uint64_t bytes = 0;
  std::chrono::seconds age{};
};

/// Names are folders and a file between slashes, of letters, digits and `._-`.
class CheckpointStore {
 public:
  virtual ~CheckpointStore() = default;
  /// When it returns, the object survives a power cut; whatever happens before, readers see all of
  /// it or the one before it. Throws RunError.
  virtual void put(const std::string& name, std::string_view bytes) = 0;
  /// Throws RunError where there is none or it cannot be read.
  virtual std::string get(const std::string& name) const = 0;
  /// What a folder holds, by name; nothing where there is no folder. Throws RunError.
  virtual std::vector<StoredObject> list(const std::string& folder) const = 0;
  /// The folders in a folder, by name. Throws RunError.
  virtual std::vector<std::string> folders(const std::string& folder) const = 0;
  /// No error where there is none. Throws RunError.
  virtual void remove(const std::string& name) = 0;
  /// For messages.
  virtual std::string where() const = 0;
};

/// A directory, made when it is first written to.
std::unique_ptr<CheckpointStore> open_directory_store(const std::filesystem::path& directory);

/// A compacted topic that `topics --create` makes. Asks no broker yet; what is waited for later is
/// waited for as the settings say (KafkaSettings::outlast_outages).
std::unique_ptr<CheckpointStore> open_topic_store(const KafkaSettings& settings,
                                                  const std::string& topic);

/// A name for anything: letters, digits and `._-` stay, other bytes become %hex.
std::string store_name(std::string_view text);

}  // namespace tidemark
