// Manifests and chunks: what was written is read back, anything else is refused by name.
#include "stream/checkpoint/manifest.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

CheckpointManifest example() {
  CheckpointManifest m;
  m.partition = 7;
  m.generation = 12;
  m.revision = 1;
  m.group = "limits \"eu\"\n";
  m.release = "0123abcd";
  m.spec = "feed";
  m.settings = "zone=UTC";
  m.layout = 0xfedcba9876543210ULL;
  m.made_at_ms = 1'700'000'000'123;
  m.journal_next = 99;
  m.next = {5, 6, -1, 8, 9, 0};
  m.state_hash = 0x8000000000000001ULL;
  m.merchants = 3;
  m.chunks = {{"000000000001-000001-ab.chunk", ChunkKind::ids, 1, 10, 200, 300, 0xffULL},
              {"000000000012-000002-ab.chunk", ChunkKind::rest, 12, 1, 20, 30, 1}};
  return m;
}

TEST(CheckpointManifest, ReadsBackWhatWasWritten) {
  const CheckpointManifest m = example();
  const std::string text = encode_manifest(m);
  const CheckpointManifest back = decode_manifest(text, "m");
  EXPECT_EQ(encode_manifest(back), text);
  EXPECT_EQ(back.group, m.group);
  EXPECT_EQ(back.next, m.next);
  EXPECT_EQ(back.state_hash, m.state_hash);
  EXPECT_EQ(back.chunks.size(), 2U);
  EXPECT_EQ(back.chunks[0].name, m.chunks[0].name);
  EXPECT_EQ(back.bytes(), 220U);
}

TEST(CheckpointManifest, RefusesEveryChangedByteAndEveryCut) {
  const std::string text = encode_manifest(example());
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string changed = text;
    changed[i] = static_cast<char>(changed[i] ^ 0x04);
    EXPECT_THROW(decode_manifest(changed, "m"), UsageError) << i;
    EXPECT_THROW(decode_manifest(text.substr(0, i), "m"), UsageError) << i;
  }
}

TEST(CheckpointManifest, HasRoomForManyChunks) {
  CheckpointManifest m = example();
  for (int i = 0; i < 5'000; ++i) m.chunks.push_back(m.chunks[0]);
  EXPECT_EQ(decode_manifest(encode_manifest(m), "m").chunks.size(), 5'002U);
}

TEST(CheckpointManifest, StandNewestFirstBehindTheUnreadable) {
  const auto folder =
      std::filesystem::path(testing::TempDir()) / ("manifests-" + std::to_string(::getpid()));
  std::filesystem::remove_all(folder);
  const auto store = open_directory_store(folder);
  CheckpointManifest m = example();
  for (const auto& [journal, generation] : {std::pair{20, 3}, {40, 2}, {40, 5}, {30, 9}}) {
    m.journal_next = journal;
    m.generation = static_cast<std::uint64_t>(generation);
    store->put(manifest_name(m, "w"), encode_manifest(m));
  }
  store->put(checkpoint_folder(m.group, 7) + "/0-x.manifest.json", "{");
  store->put(checkpoint_folder(m.group, 7) + "/0-x.chunk", "other");
  const auto all = read_manifests(*store, checkpoint_folder(m.group, 7));
  ASSERT_EQ(all.size(), 5U);
  EXPECT_THAT(all[0].error, testing::HasSubstr("checksum"));
  EXPECT_EQ(all[1].manifest.generation, 5U);
  EXPECT_EQ(all[2].manifest.generation, 2U);
  EXPECT_EQ(all[3].manifest.generation, 9U);
  EXPECT_EQ(all[4].manifest.generation, 3U);
  EXPECT_THAT(checkpoint_partitions(*store, m.group), testing::ElementsAre(7));
}

TEST(CheckpointChunk, RefusesEveryChangedByte) {
  ByteWriter out;
  for (std::uint32_t slot = 0; slot < 40; ++slot) {
    write_entry(MerchantEntry{slot, -5 - std::int64_t{slot}, std::string(slot, 'a')}, out);
  }
  ChunkRef ref;
  const std::string bytes = seal_chunk(ChunkKind::merchants, out.view(), ref);
  EXPECT_EQ(open_chunk(bytes, ref), out.view());
  for (std::size_t i = 0; i < bytes.size(); ++i) {
    std::string changed = bytes;
    changed[i] = static_cast<char>(changed[i] ^ 0x10);
    EXPECT_THROW(open_chunk(changed, ref), MalformedBytes);
    EXPECT_THROW(open_chunk(bytes.substr(0, i), ref), MalformedBytes);
  }
  ByteReader from(out.view());
  for (std::uint32_t slot = 0; slot < 40; ++slot) {
    const MerchantEntry entry = read_merchant_entry(from);
    EXPECT_EQ(entry.slot, slot);
    EXPECT_EQ(entry.clock_ms, -5 - std::int64_t{slot});
    EXPECT_EQ(entry.bytes.size(), slot);
  }
  EXPECT_TRUE(from.at_end());
}

}  // namespace
}  // namespace tidemark
