// See manifest.hpp. JSON is YAML, so the strict reader of configurations reads it back.
#include "stream/checkpoint/manifest.hpp"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <charconv>
#include <exception>
#include <iterator>
#include <optional>
#include <tuple>

#include "kernels/base/failure.hpp"
#include "kernels/base/strict_yaml.hpp"
#include "stream/encode/json_writer.hpp"

namespace tidemark {
namespace {

constexpr int format_version = 2;
constexpr std::string_view ending = ".manifest.json";
constexpr std::string_view opening = "{\"checksum\":\"";
constexpr std::size_t checksum_digits = 16;

std::optional<std::uint64_t> from_hex(std::string_view text) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 16);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

std::uint64_t hex_of(YamlMap& map, const std::string& key) {
  const auto value = from_hex(map.text(key));
  if (!value) map.fail(key, "expected hexadecimal digits");
  return *value;
}

std::uint64_t count_of(YamlMap& map, const std::string& key) {
  return static_cast<std::uint64_t>(map.integer(key, 0, INT64_MAX));
}

ChunkKind kind_of(YamlMap& map, const std::string& key) {
  const std::string name = map.text(key);
  for (int kind = 0; kind < chunk_kind_count; ++kind) {
    if (name == name_of(static_cast<ChunkKind>(kind))) return static_cast<ChunkKind>(kind);
  }
  map.fail(key, "unknown kind of chunk");
}

ChunkRef read_chunk(const YAML::Node& node, const std::string& origin) {
  if (!node.IsMap()) YamlMap::fail_at(origin, node, "chunks: expected an object");
  YamlMap map(node, origin, "chunks");
  ChunkRef chunk;
  chunk.name = map.text("name");
  if (chunk.name != store_name(chunk.name)) map.fail("name", "is no name of a chunk");
  chunk.kind = kind_of(map, "kind");
  chunk.generation = count_of(map, "generation");
  chunk.entries = count_of(map, "entries");
  chunk.bytes = count_of(map, "bytes");
  chunk.raw_bytes = count_of(map, "raw_bytes");
  chunk.checksum = hex_of(map, "xxh3");
  map.done();
  return chunk;
}

}  // namespace

std::string encode_manifest(const CheckpointManifest& m) {
  std::string body;
  const auto to = std::back_inserter(body);
  fmt::format_to(to,
                 "\n\"format\":{},\"partition\":{},\"generation\":{},\"revision\":{},\"group\":{},"
                 "\n\"release\":{},\"spec\":{},\"settings\":{},\"layout\":\"{:016x}\","
                 "\n\"made_at_ms\":{},\"journal_next\":{},\"next\":{{",
                 format_version, m.partition, m.generation, m.revision, json_string(m.group),
                 json_string(m.release), json_string(m.spec), json_string(m.settings), m.layout,
                 m.made_at_ms, m.journal_next);
  const char* comma = "";
  for (int s = 0; s < source_count; ++s) {
    fmt::format_to(to, "{}\"{}\":{}", comma, name_of(static_cast<Source>(s)),
                   m.next[static_cast<std::size_t>(s)]);
    comma = ",";
  }
  fmt::format_to(to, "}},\"state_hash\":\"{:016x}\",\"merchants\":{},\"chunks\":[", m.state_hash,
                 m.merchants);
  comma = "";
  for (const ChunkRef& chunk : m.chunks) {
    fmt::format_to(to,
                   "{}\n{{\"name\":{},\"kind\":\"{}\",\"generation\":{},\"entries\":{},"
                   "\"bytes\":{},\"raw_bytes\":{},\"xxh3\":\"{:016x}\"}}",
                   comma, json_string(chunk.name), name_of(chunk.kind), chunk.generation,
                   chunk.entries, chunk.bytes, chunk.raw_bytes, chunk.checksum);
    comma = ",";
  }
  body += "]}\n";
  return fmt::format("{}{:016x}\",{}", opening, XXH3_64bits(body.data(), body.size()), body);
}

CheckpointManifest decode_manifest(const std::string& text, const std::string& origin) {
  const std::size_t body = opening.size() + checksum_digits + 2;
  const auto checksum = text.size() > body && text.starts_with(opening)
                            ? from_hex(text.substr(opening.size(), checksum_digits))
                            : std::nullopt;
  if (!checksum || *checksum != XXH3_64bits(text.data() + body, text.size() - body)) {
    throw UsageError(origin + ": is no manifest, or not all of one: wrong checksum");
  }
  YamlMap map(parse_yaml(text, origin), origin);
  map.text("checksum");
  if (map.integer("format", 0, INT32_MAX) != format_version) {
    map.fail("format", "was written by another version");
  }
  CheckpointManifest m;
  m.partition = static_cast<int>(map.integer("partition", 0, INT32_MAX));
  m.generation = count_of(map, "generation");
  m.revision = count_of(map, "revision");
  m.group = map.text("group");
  m.release = map.text("release");
  m.spec = map.text("spec");
  m.settings = map.text("settings");
  m.layout = hex_of(map, "layout");
  m.made_at_ms = map.integer("made_at_ms", INT64_MIN, INT64_MAX);
  m.journal_next = map.integer("journal_next", 0, INT64_MAX);
  YamlMap next = map.map("next");
  for (int s = 0; s < source_count; ++s) {
    const std::string name{name_of(static_cast<Source>(s))};
    m.next[static_cast<std::size_t>(s)] = next.integer(name, -1, INT64_MAX);
  }
  next.done();
  m.state_hash = hex_of(map, "state_hash");
  m.merchants = static_cast<std::uint32_t>(map.integer("merchants", 0, UINT32_MAX - 1));
  for (const YAML::Node& node : map.list("chunks")) m.chunks.push_back(read_chunk(node, origin));
  map.done();
  return m;
}

std::string checkpoint_folder(const std::string& group, int partition) {
  return fmt::format("{}/p{:05}", store_name(group), partition);
}

std::vector<int> checkpoint_partitions(const CheckpointStore& store, const std::string& group) {
  std::vector<int> found;
  for (const std::string& name : store.folders(store_name(group))) {
    int number = 0;
    const char* const end = name.data() + name.size();
    if (name.size() < 6 || name[0] != 'p') continue;
    if (std::from_chars(name.data() + 1, end, number).ptr == end) found.push_back(number);
  }
  return found;
}

std::string manifest_name(const CheckpointManifest& manifest, const std::string& writer) {
  return fmt::format("{}/{:012}-{}-{}{}", checkpoint_folder(manifest.group, manifest.partition),
                     manifest.generation, manifest.revision, writer, ending);
}

bool is_manifest(const std::string& name) {
  return name.ends_with(ending);
}

std::uint64_t last_generation(const CheckpointStore& store, const std::string& folder) {
  std::uint64_t last = 0;
  for (const StoredObject& object : store.list(folder)) {
    std::uint64_t number = 0;
    const char* const begin = object.name.data() + folder.size() + 1;
    std::from_chars(begin, object.name.data() + object.name.size(), number);
    last = std::max(last, number);
  }
  return last;
}

std::vector<StoredManifest> read_manifests(const CheckpointStore& store,
                                           const std::string& folder) {
  std::vector<StoredManifest> all;
  for (const StoredObject& object : store.list(folder)) {
    if (!is_manifest(object.name)) continue;
    StoredManifest& stored = all.emplace_back();
    stored.name = object.name;
    stored.age = object.age;
    try {
      stored.manifest = decode_manifest(store.get(object.name), store.where() + "/" + object.name);
    } catch (const std::runtime_error& error) {
      stored.error = error.what();
    }
  }
  const auto age = [](const StoredManifest& stored) {
    const CheckpointManifest& m = stored.manifest;
    return std::make_tuple(!stored.error.empty(), m.journal_next, m.generation, m.revision);
  };
  std::stable_sort(all.begin(), all.end(), [&](const StoredManifest& a, const StoredManifest& b) {
    return age(a) > age(b);
  });
  return all;
}

}  // namespace tidemark
