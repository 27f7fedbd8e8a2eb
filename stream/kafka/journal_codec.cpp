// The journal's bytes. Layout, all integers LEB128 unless said:
//   u8 version | partition | release | in version 2 the expected offset | per source: present,
//   first, next - first runs: count, per run source, count, gap to the run before | ticks |
//   controls | counts duplicates: count, per one source, offset - first (zigzag) | u64 LE state
//   hash | u64 LE XXH3-64
// Most runs take three bytes. No pointers, no padding, one way to write a record.
#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <limits>
#include <stdexcept>

#include "kernels/base/byte_codec.hpp"
#include "stream/kafka/journal.hpp"

namespace tidemark {

namespace {

constexpr std::uint8_t version = 1, version_with_offset = 2;
constexpr std::size_t release_bytes_max = 64;

/// What the journal reads beyond plain values.
class Cursor : public ByteReader {
 public:
  using ByteReader::ByteReader;

  /// An offset: not negative, so that sums of two cannot overflow unnoticed.
  std::int64_t offset() {
    constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max()) / 2;
    return static_cast<std::int64_t>(number_to(most, "offset is too large"));
  }
  /// How many entries follow; each takes two bytes at least, so a length that lies is seen at once.
  std::size_t count() { return number_to(left() / 2, "count is larger than the record"); }
  Source source() {
    const std::uint8_t value = byte();
    require_bytes(value < source_count, "unknown source");
    return static_cast<Source>(value);
  }
  std::string release() {
    const std::string_view view = text();
    require_bytes(view.size() <= release_bytes_max, "text is too long");
    const bool plain = std::all_of(view.begin(), view.end(), [](char c) {
      return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    });
    require_bytes(plain, "a release has other characters than a-z and 0-9");
    return std::string(view);
  }
};

std::size_t index_of(Source source) {
  return static_cast<std::size_t>(source);
}

void write_ranges(const JournalRecord& record, ByteWriter& out) {
  for (const JournalRange& range : record.ranges) {
    out.byte(range.present ? 1 : 0);
    if (!range.present) continue;
    out.number(static_cast<std::uint64_t>(range.first));
    out.number(static_cast<std::uint64_t>(range.next - range.first));
  }
}

/// The gap is what compaction and transaction markers took out: nearly always 0.
void write_runs(const JournalRecord& record, ByteWriter& out) {
  std::array<std::int64_t, source_count> at{};
  for (int i = 0; i < source_count; ++i) at[i] = record.ranges[i].first;
  out.number(record.runs.size());
  for (const JournalRun& run : record.runs) {
    std::int64_t& next = at[index_of(run.source)];
    const std::int64_t gap = run.next_offset - next - run.count;
    if (gap < 0 || run.count == 0) throw std::logic_error("a journal run goes back or is empty");
    out.byte(static_cast<std::uint8_t>(run.source));
    out.number(run.count);
    out.number(static_cast<std::uint64_t>(gap));
    next = run.next_offset;
  }
}

void read_ranges(Cursor& in, JournalRecord& record) {
  for (JournalRange& range : record.ranges) {
    const std::uint8_t present = in.byte();
    require_bytes(present < 2, "a flag is neither 0 nor 1");
    range.present = present == 1;
    if (!range.present) continue;
    range.first = in.offset();
    range.next = range.first + in.offset();
  }
}

void read_runs(Cursor& in, JournalRecord& record, std::uint64_t& rows) {
  std::array<std::int64_t, source_count> at{};
  for (int i = 0; i < source_count; ++i) at[i] = record.ranges[i].first;
  record.runs.resize(in.count());
  for (JournalRun& run : record.runs) {
    run.source = in.source();
    const JournalRange& range = record.ranges[index_of(run.source)];
    require_bytes(range.present, "a run of a source that has no range");
    const std::uint64_t count = in.number();
    require_bytes(count > 0 && count <= std::numeric_limits<std::uint32_t>::max(),
                  "a run of no size");
    run.count = static_cast<std::uint32_t>(count);
    std::int64_t& next = at[index_of(run.source)];
    const std::int64_t room = range.next - next;
    const std::int64_t gap = in.offset();
    require_bytes(gap <= room && run.count <= room - gap, "a run leaves its source's range");
    run.next_offset = next + run.count + gap;
    next = run.next_offset;
    rows += run.count;
  }
}

void read_marks(Cursor& in, JournalRecord& record, std::uint64_t rows) {
  std::uint64_t before = 0;
  const auto next_position = [&] {
    const std::uint64_t step = in.number();
    require_bytes(step <= rows - before, "a tick or control event behind the last row");
    return before += step;
  };
  record.ticks.resize(in.count());
  for (JournalTick& tick : record.ticks) {
    tick.position = next_position();
    tick.tick_ms = in.signed_number();
  }
  before = 0;
  record.controls.resize(in.count());
  for (JournalControl& control : record.controls) {
    control.position = next_position();
    control.offset = in.offset();
  }
}

void read_counts(Cursor& in, JournalRecord& record) {
  JournalCounts& counts = record.counts;
  for (std::uint64_t* count :
       {&counts.scored, &counts.applied, &counts.dead_lettered, &counts.late, &counts.duplicate}) {
    *count = in.number();
  }
  record.duplicates.resize(in.count());
  for (JournalDuplicate& duplicate : record.duplicates) {
    duplicate.source = in.source();
    const JournalRange& range = record.ranges[index_of(duplicate.source)];
    duplicate.offset = range.first + in.offset();
    require_bytes(duplicate.offset < range.next, "a duplicate outside its source's range");
  }
}

JournalRecord decode(std::string_view bytes) {
  constexpr std::size_t checksum_bytes = 8;
  require_bytes(bytes.size() > checksum_bytes, "ends early");
  const std::string_view body = bytes.substr(0, bytes.size() - checksum_bytes);
  const auto written = static_cast<std::uint8_t>(body[0]);
  require_bytes(written == version || written == version_with_offset, "unknown version");
  Cursor tail(bytes.substr(body.size()));
  require_bytes(tail.fixed<std::uint64_t>() == XXH3_64bits(body.data(), body.size()),
                "wrong checksum");
  Cursor in(body);
  in.byte();
  JournalRecord record;
  const std::uint64_t partition = in.number();
  require_bytes(partition <= std::numeric_limits<std::int32_t>::max(), "partition is too large");
  record.partition = static_cast<std::int32_t>(partition);
  record.release = in.release();
  if (written == version_with_offset) record.expected_offset = in.offset();
  read_ranges(in, record);
  std::uint64_t rows = 0;
  read_runs(in, record, rows);
  read_marks(in, record, rows);
  read_counts(in, record);
  record.state_hash = in.fixed<std::uint64_t>();
  require_bytes(in.at_end(), "bytes behind the end");
  return record;
}

}  // namespace

std::string encode_journal(const JournalRecord& record) {
  ByteWriter out;
  out.byte(record.expected_offset < 0 ? version : version_with_offset);
  out.number(static_cast<std::uint32_t>(record.partition));
  out.text(record.release);
  if (record.expected_offset >= 0) out.number(static_cast<std::uint64_t>(record.expected_offset));
  write_ranges(record, out);
  write_runs(record, out);
  std::uint64_t before = 0;
  out.number(record.ticks.size());
  for (const JournalTick& tick : record.ticks) {
    out.number(tick.position - before);
    out.signed_number(tick.tick_ms);
    before = tick.position;
  }
  before = 0;
  out.number(record.controls.size());
  for (const JournalControl& control : record.controls) {
    out.number(control.position - before);
    out.number(static_cast<std::uint64_t>(control.offset));
    before = control.position;
  }
  const JournalCounts& counts = record.counts;
  for (const std::uint64_t count :
       {counts.scored, counts.applied, counts.dead_lettered, counts.late, counts.duplicate}) {
    out.number(count);
  }
  out.number(record.duplicates.size());
  for (const JournalDuplicate& duplicate : record.duplicates) {
    out.byte(static_cast<std::uint8_t>(duplicate.source));
    out.number(static_cast<std::uint64_t>(duplicate.offset -
                                          record.ranges[index_of(duplicate.source)].first));
  }
  out.fixed(record.state_hash);
  out.fixed(XXH3_64bits(out.view().data(), out.size()));
  return out.take();
}

std::optional<JournalRecord> decode_journal(std::string_view bytes, std::string* error) {
  try {
    return decode(bytes);
  } catch (const MalformedBytes& malformed) {
    if (error != nullptr) *error = malformed.what;
    return std::nullopt;
  }
}

}  // namespace tidemark
