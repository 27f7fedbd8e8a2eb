// The writer: nothing is published before its transaction is committed, merged chunks hold what
// their generations held, old ones go, and a store that fails costs a checkpoint and no more.
#include "stream/checkpoint/writer.hpp"

#include <gmock/gmock.h>
#include <rapidcheck.h>
#include <rapidcheck/gtest.h>

#include <atomic>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <thread>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/compaction.hpp"

namespace tidemark {
namespace {

using testing::Each;
using testing::HasSubstr;
using testing::SizeIs;

/// In memory, and out of order when told to be.
class FakeStore : public CheckpointStore {
 public:
  void put(const std::string& name, std::string_view bytes) override {
    if (broken) throw RunError("no space left for " + name);
    if (before_put) before_put(name);
    objects[name] = bytes;
  }
  std::string get(const std::string& name) const override {
    if (!objects.contains(name)) throw RunError(name + ": is not there");
    return objects.at(name);
  }
  std::vector<StoredObject> list(const std::string& folder) const override {
    std::vector<StoredObject> found;
    for (const auto& [name, bytes] : objects) {
      if (name.starts_with(folder + "/")) found.push_back({name, bytes.size(), age});
    }
    return found;
  }
  std::vector<std::string> folders(const std::string&) const override { return {}; }
  void remove(const std::string& name) override { objects.erase(name); }
  std::string where() const override { return "memory"; }

  std::map<std::string, std::string> objects;
  std::atomic<bool> broken{false};
  std::function<void(const std::string& name)> before_put;  // on the writer's thread
  std::chrono::seconds age{0};
};

/// What a checkpoint says of merchants and ids, and a writer that is driven as the engine does it.
struct State {
  std::map<std::uint32_t, std::string> merchants;
  std::set<std::pair<std::uint64_t, std::uint32_t>> ids;  // key, slot
  bool operator==(const State&) const = default;
};

State read_state(const CheckpointStore& store, const std::string& folder,
                 const CheckpointManifest& manifest) {
  State state;
  for (const ChunkRef& chunk : manifest.chunks) {
    const std::string bytes = read_chunk(store, folder, chunk);
    for (ByteReader from(bytes); !from.at_end();) {
      if (chunk.kind == ChunkKind::merchants) {
        const MerchantEntry entry = read_merchant_entry(from);
        state.merchants[entry.slot] = entry.bytes;
      } else if (chunk.kind == ChunkKind::ids) {
        const IdEntry id = read_id_entry(from);
        state.ids.emplace(id.key, id.slot);
      } else {
        from.raw(from.left());
      }
    }
  }
  return state;
}

class Drive {
 public:
  explicit Drive(CheckpointStore& store, int keep = 2)
      : store_(store), writer(store, {.group = "g", .keep = keep, .ids_horizon_ms = 100}) {
    writer.open(0, std::nullopt);
  }

  std::uint64_t give(const std::map<std::uint32_t, std::string>& merchants,
                     const std::vector<IdEntry>& ids, std::int64_t clock_ms = 0) {
    ++generation_;
    ByteWriter out;
    for (const IdEntry& id : ids) write_entry(id, out);
    writer.add(0, generation_, ChunkKind::ids, out.take(), ids.size());
    writer.add(0, generation_, ChunkKind::rest, "rest", 1);
    for (const auto& [slot, bytes] : merchants)
      write_entry(MerchantEntry{slot, clock_ms, bytes}, out);
    writer.add(0, generation_, ChunkKind::merchants, out.take(), merchants.size());
    CheckpointManifest head;
    head.generation = generation_;
    head.group = "g";
    writer.seal(head);
    return generation_;
  }
  void commit(std::uint64_t generation) {
    writer.committed(0, generation, static_cast<std::int64_t>(generation) * 10);
    writer.settle();
  }
  std::vector<StoredManifest> manifests() const { return read_manifests(store_, folder); }
  State newest() const { return read_state(store_, folder, manifests().at(0).manifest); }

  const std::string folder = "g/p00000";

 private:
  CheckpointStore& store_;
  std::uint64_t generation_ = 0;

 public:
  CheckpointWriter writer;
};

TEST(CheckpointWriter, PublishesBehindTheCommit) {
  FakeStore store;
  Drive drive(store);
  const std::uint64_t generation = drive.give({{1, "a"}}, {{11, 5, 1}});
  drive.writer.settle();
  EXPECT_THAT(drive.manifests(), SizeIs(0));
  EXPECT_FALSE(drive.writer.status(0)->last);
  drive.commit(generation);
  ASSERT_THAT(drive.manifests(), SizeIs(1));
  EXPECT_EQ(drive.manifests()[0].manifest.journal_next, 10);
  EXPECT_EQ(drive.newest(), (State{{{1, "a"}}, {{11, 1}}}));
  EXPECT_EQ(drive.writer.status(0)->published, 1U);
}

TEST(CheckpointWriter, ForgetsWhatIsClosed) {
  FakeStore store;
  Drive drive(store);
  const std::uint64_t generation = drive.give({{1, "a"}}, {});
  drive.writer.close(0);
  drive.commit(generation);
  EXPECT_THAT(drive.manifests(), SizeIs(0));
  EXPECT_FALSE(drive.writer.status(0));
}

TEST(CheckpointWriter, KeepsTheLastStatesAndNothingElse) {
  FakeStore store;
  Drive drive(store, 2);
  const auto unnamed = [&] {
    std::set<std::string> names;
    for (const auto& [name, bytes] : store.objects) names.insert(name);
    for (const StoredManifest& stored : drive.manifests()) {
      names.erase(stored.name);
      for (const ChunkRef& c : stored.manifest.chunks) names.erase(drive.folder + "/" + c.name);
    }
    return names;
  };
  // What was merged is still there for whoever restored the partition just before, until the next.
  std::set<std::string> once;
  std::size_t kept_once = 0;
  for (int i = 0; i < 9; ++i) {
    drive.commit(drive.give({{static_cast<std::uint32_t>(i % 4), std::string(100, 'a' + i)}}, {}));
    const auto now = unnamed();
    for (const std::string& name : now) EXPECT_FALSE(once.contains(name)) << name;
    kept_once += now.size();
    once = now;
  }
  EXPECT_GT(kept_once, 0U);
  const auto all = drive.manifests();
  ASSERT_THAT(all, SizeIs(2));
  EXPECT_EQ(all[0].manifest.generation, 9U);
  EXPECT_EQ(all[1].manifest.generation, 8U);
  for (const StoredManifest& stored : all) {
    EXPECT_EQ(read_state(store, drive.folder, stored.manifest).merchants.size(), 4U);
  }
}

TEST(CheckpointWriter, LeavesOthersAloneForAnHour) {
  FakeStore store;
  // Another instance may be about to name its chunk in a manifest, or be the next owner; and topics
  // that were made anew begin at offset 0 while manifests of the old ones are still there.
  CheckpointManifest ahead;
  ahead.group = "g";
  ahead.journal_next = 1'000'000;
  const std::string manifest = manifest_name(ahead, "other");
  store.objects[manifest] = encode_manifest(ahead);
  store.objects["g/p00000/1-1-other.chunk"] = "x";
  Drive drive(store, 1);
  drive.commit(drive.give({{1, "a"}}, {}));
  EXPECT_TRUE(store.objects.contains("g/p00000/1-1-other.chunk"));
  EXPECT_TRUE(store.objects.contains(manifest));
  EXPECT_THAT(drive.manifests(), SizeIs(2));
  store.age = std::chrono::hours(2);
  drive.commit(drive.give({{2, "b"}}, {}));
  EXPECT_FALSE(store.objects.contains("g/p00000/1-1-other.chunk"));
  EXPECT_FALSE(store.objects.contains(manifest));
  EXPECT_EQ(drive.newest(), (State{{{1, "a"}, {2, "b"}}, {}}));
}

/// Stopped before its merged chunks are published, with another checkpoint committed and waiting.
/// Meanwhile the partition went to the next owner, who has restored what was published. Awake again
/// the writer publishes both, one right after the other.
TEST(CheckpointWriter, LeavesWhatTheNextOwnerRestoredWhileItSlept) {
  FakeStore store;
  Drive drive(store);
  drive.commit(drive.give({{1, "a"}}, {}));
  std::optional<CheckpointManifest> restored;
  store.before_put = [&](const std::string& name) {
    if (restored || name.find("/000000000002-1-") == std::string::npos) return;
    restored = drive.manifests().at(0).manifest;
    const std::uint64_t waiting = drive.give({{3, "c"}}, {});
    drive.writer.committed(0, waiting, 30);
  };
  drive.commit(drive.give({{2, "b"}}, {}));
  ASSERT_TRUE(restored);
  EXPECT_EQ(restored->generation, 2U);
  EXPECT_EQ(drive.writer.status(0)->published, 3U);
  EXPECT_EQ(read_state(store, drive.folder, *restored), (State{{{1, "a"}, {2, "b"}}, {}}));

  drive.commit(drive.give({{4, "d"}}, {}));
  EXPECT_THROW(read_state(store, drive.folder, *restored), RunError) << "nothing goes any more";
}

/// The next owner has published when the sleeper awakes, and longer ago than an hour.
TEST(CheckpointWriter, LeavesOthersAloneForAnHourMoreThanItSlept) {
  FakeStore store;
  Drive sleeper(store), next(store);
  sleeper.commit(sleeper.give({{1, "a"}}, {}));
  const std::uint64_t late = sleeper.give({{1, "b"}}, {});
  sleeper.writer.settle();
  next.give({{1, "b"}}, {});
  next.give({{1, "c"}}, {});
  next.commit(next.give({{1, "d"}}, {}));
  store.age = std::chrono::seconds(3'601);
  std::this_thread::sleep_for(std::chrono::milliseconds(1'500));
  sleeper.commit(late);
  EXPECT_EQ(sleeper.newest(), (State{{{1, "d"}}, {}}));
}

TEST(CheckpointWriter, BeginsAnewBehindAStoreThatFailed) {
  FakeStore store;
  Drive drive(store);
  drive.commit(drive.give({{1, "a"}, {2, "b"}}, {}));
  store.broken = true;
  const std::uint64_t lost = drive.give({{1, "c"}}, {});
  drive.writer.settle();
  store.broken = false;
  drive.commit(lost);  // a part of it is missing: it must not be published
  EXPECT_EQ(drive.newest(), (State{{{1, "a"}, {2, "b"}}, {}}));
  EXPECT_EQ(drive.writer.status(0)->failures, 1U);
  EXPECT_TRUE(drive.writer.begins_anew(0, lost + 1));
  EXPECT_FALSE(drive.writer.begins_anew(0, lost + 2));
  drive.commit(drive.give({{1, "d"}, {2, "e"}}, {}));
  EXPECT_EQ(drive.newest(), (State{{{1, "d"}, {2, "e"}}, {}}));
}

TEST(CheckpointWriter, DropsWhatStillComesOfALostGeneration) {
  FakeStore store;
  Drive drive(store);
  store.broken = true;
  const std::uint64_t lost = drive.give({{1, "a"}}, {});
  drive.writer.settle();
  store.broken = false;
  ASSERT_TRUE(drive.writer.begins_anew(0, lost + 1));
  CheckpointManifest head;
  head.generation = lost;
  head.group = "g";
  drive.writer.seal(head);
  drive.commit(lost);
  EXPECT_THAT(drive.manifests(), SizeIs(0));
}

TEST(Compaction, DropsIdsThatTheirMerchantLeftBehind) {
  FakeStore store;
  Drive drive(store);
  drive.commit(drive.give({{1, "a"}, {2, "b"}}, {{11, 5, 1}, {12, 5, 2}}, 5));
  // The clock of merchant 1 goes on by more than the horizon of 100; merchant 2 is silent.
  drive.commit(drive.give({{1, "c"}}, {{13, 200, 1}}, 200));
  EXPECT_EQ(drive.newest(), (State{{{1, "c"}, {2, "b"}}, {{12, 2}, {13, 1}}}));
}

TEST(Compaction, NamesTheChunkThatIsBroken) {
  FakeStore store;
  ChunkRef ref;
  ref.name = "x.chunk";
  store.objects["g/p00000/x.chunk"] = seal_chunk(ChunkKind::merchants, "no entries", ref) + "y";
  try {
    merge_chunks(store, "g/p00000", {{ref}}, 0, {});
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), HasSubstr("memory/g/p00000/x.chunk has another length"));
  }
}

RC_GTEST_PROP(Compaction, LosesNothing, ()) {
  FakeStore store;
  Drive drive(store, 1);
  State expected;
  std::uint64_t key = 0;
  const int generations = *rc::gen::inRange(1, 25);
  for (int g = 0; g < generations; ++g) {
    std::map<std::uint32_t, std::string> merchants;
    const int changed = *rc::gen::inRange(0, 6);
    for (int i = 0; i < changed; ++i) {
      const auto slot = static_cast<std::uint32_t>(*rc::gen::inRange(0, 9));
      const int size = *rc::gen::inRange(0, 500);
      merchants[slot] = std::to_string(g) + std::string(static_cast<std::size_t>(size), 'z');
    }
    std::vector<IdEntry> ids;
    for (const auto& [slot, bytes] : merchants) ids.push_back({++key, 0, slot});
    for (const auto& [slot, bytes] : merchants) expected.merchants[slot] = bytes;
    for (const IdEntry& id : ids) expected.ids.emplace(id.key, id.slot);
    drive.commit(drive.give(merchants, ids));
    RC_ASSERT(drive.newest() == expected);
  }
  // As often as sizes halve, and a few more.
  std::set<std::uint64_t> left;
  const CheckpointManifest last = drive.manifests()[0].manifest;
  for (const ChunkRef& chunk : last.chunks) left.insert(chunk.generation);
  RC_ASSERT(left.size() <= 12U);
}

}  // namespace
}  // namespace tidemark
