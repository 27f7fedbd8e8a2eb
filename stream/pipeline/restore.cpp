// See restore.hpp. Generations go from the newest to the oldest and the first entry of a merchant
// counts; the chunks of one generation have each merchant at most once, so workers share them out.
#include "stream/pipeline/restore.hpp"

#include <fmt/format.h>
#include <spdlog/spdlog.h>

#include <chrono>
#include <exception>
#include <mutex>
#include <span>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/compaction.hpp"

namespace tidemark {
namespace {

/// Fills a lane from chunks. Not to be used again after it threw: the lane is half of something.
class LaneFiller {
 public:
  LaneFiller(const CheckpointStore& store, const std::string& folder, Lane& lane, ThreadPool& pool,
             std::uint32_t merchants)
      : store_(store), folder_(folder), lane_(lane), pool_(pool), filled_(merchants, 0) {}

  void merchants(std::span<const ChunkRef> chunks) {
    for (std::size_t end = chunks.size(); end > 0;) {
      std::size_t begin = end - 1;
      while (begin > 0 && chunks[begin - 1].generation == chunks[end - 1].generation) --begin;
      one_generation(chunks.subspan(begin, end - begin));
      end = begin;
    }
    lane_.end_restore(pool_);
  }

  void ids(std::span<const ChunkRef> chunks) {
    each(chunks, ChunkKind::ids, [&](ByteReader& from) {
      while (!from.at_end()) {
        const IdEntry id = read_id_entry(from);
        lane_.table.restore_id({id.key, id.time_ms, id.slot, 0});
      }
    });
  }

  void rest(std::span<const ChunkRef> chunks) {
    int found = 0;
    each(chunks, ChunkKind::rest, [&](ByteReader& from) {
      lane_.restore_rest(from);
      ++found;
    });
    require_bytes(found == 1, "has not one chunk of the partition's own state");
  }

 private:
  template <typename Take>
  void each(std::span<const ChunkRef> chunks, ChunkKind kind, const Take& take) {
    for (const ChunkRef& chunk : chunks) {
      if (chunk.kind == kind) one(chunk, take);
    }
  }

  template <typename Take>
  void one(const ChunkRef& chunk, const Take& take) {
    const std::string bytes = read_chunk(store_, folder_, chunk);
    try {
      ByteReader from(bytes);
      take(from);
    } catch (const MalformedBytes& malformed) {
      throw RunError(fmt::format("checkpoint chunk {}/{}/{} {}", store_.where(), folder_,
                                 chunk.name, malformed.what));
    }
  }

  void one_generation(std::span<const ChunkRef> chunks) {
    std::mutex mutex;
    std::exception_ptr failure;  // the first: an exception must not leave a worker
    pool_.parallel_for(chunks.size(), 1, [&](std::size_t begin, std::size_t end, int) {
      try {
        each(chunks.subspan(begin, end - begin), ChunkKind::merchants, [&](ByteReader& from) {
          while (!from.at_end()) fill(read_merchant_entry(from));
        });
      } catch (...) {
        const std::lock_guard lock(mutex);
        if (!failure) failure = std::current_exception();
      }
    });
    if (failure) std::rethrow_exception(failure);
  }

  void fill(const MerchantEntry& entry) {
    require_bytes(entry.slot < filled_.size(), "has a slot beyond the number of merchants");
    if (filled_[entry.slot] != 0) return;  // a later generation had it
    ByteReader bytes(entry.bytes);
    lane_.restore_merchant(entry.slot, bytes);
    filled_[entry.slot] = 1;
  }

  const CheckpointStore& store_;
  const std::string& folder_;
  Lane& lane_;
  ThreadPool& pool_;
  std::vector<std::uint8_t> filled_;  // [slot]
};

}  // namespace

std::string state_settings(const Config& config) {
  return fmt::format("zone={};dedup_horizon_ms={};sweep_interval_ms={}", config.zone,
                     config.dedup_horizon_ms, config.sweep_interval_ms);
}

std::string unfit(const CheckpointManifest& manifest, const Config& config, const FeaturePlan& plan,
                  const std::array<std::int64_t, source_count>& committed) {
  if (manifest.spec != plan.fingerprint()) return "it is of another feature spec";
  if (manifest.layout != record_layout(plan)) return "its records are laid out otherwise";
  if (manifest.settings != state_settings(config)) {
    return fmt::format("it was made with the settings {}, now they are {}", manifest.settings,
                       state_settings(config));
  }
  for (int s = 0; s < source_count; ++s) {
    const auto source = static_cast<Source>(s);
    if (source == Source::control) continue;  // its offsets are in the journal alone
    const std::int64_t next = manifest.next[static_cast<std::size_t>(s)];
    const std::int64_t done = committed[static_cast<std::size_t>(s)];
    if (next > done) {
      return fmt::format("it stands at offset {} of {}, the group has committed {}", next,
                         name_of(source), done);
    }
  }
  return {};
}

std::uint64_t ids_in(const CheckpointManifest& manifest) {
  std::uint64_t ids = 0;
  for (const ChunkRef& chunk : manifest.chunks) {
    if (chunk.kind == ChunkKind::ids) ids += chunk.entries;
  }
  return ids;
}

std::unique_ptr<Lane> restore_lane(const CheckpointStore& store, const std::string& folder,
                                   const CheckpointManifest& manifest,
                                   const std::function<std::unique_ptr<Lane>()>& make_lane,
                                   ThreadPool& pool) {
  std::unique_ptr<Lane> lane = make_lane();
  try {
    lane->begin_restore(manifest.merchants, ids_in(manifest));
    LaneFiller fill(store, folder, *lane, pool, manifest.merchants);
    fill.merchants(manifest.chunks);
    lane->table.list_accepted_ids();
    fill.ids(manifest.chunks);
    lane->table.take_accepted_ids();  // they are in a chunk already
    fill.rest(manifest.chunks);
  } catch (const MalformedBytes& malformed) {
    throw RunError(fmt::format("the checkpoint {}", malformed.what));
  }
  if (lane->state_hash() != manifest.state_hash) {
    throw RunError(fmt::format("the restored state has hash {:016x}, the manifest says {:016x}",
                               lane->state_hash(), manifest.state_hash));
  }
  return lane;
}

std::optional<RestoredLane> restore_newest(const CheckpointStore& store, const RestoreTerms& terms,
                                           int partition,
                                           const std::function<std::unique_ptr<Lane>()>& make_lane,
                                           ThreadPool& pool) {
  const std::string folder = checkpoint_folder(terms.config.kafka.group_id, partition);
  for (StoredManifest& stored : read_manifests(store, folder)) {
    std::string why = stored.error;
    try {
      const auto began = std::chrono::steady_clock::now();
      if (why.empty()) why = unfit(stored.manifest, terms.config, terms.plan, terms.committed);
      if (why.empty() && terms.foreign) why = terms.foreign(stored.manifest);
      if (why.empty()) {
        RestoredLane restored{restore_lane(store, folder, stored.manifest, make_lane, pool),
                              std::move(stored.manifest)};
        const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
        spdlog::info("partition {}: checkpoint {} of {} merchants restored in {:.2f} s", partition,
                     restored.manifest.generation, restored.manifest.merchants, took.count());
        return restored;
      }
    } catch (const RunError& error) {
      why = error.what();
    }
    spdlog::warn("partition {}: checkpoint {} is passed over: {}", partition, stored.name, why);
    if (terms.passed_over != nullptr)
      *terms.passed_over += fmt::format("; {}: {}", stored.name, why);
  }
  return std::nullopt;
}

}  // namespace tidemark
