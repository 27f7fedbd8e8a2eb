// The compiled layout of the record of a merchant or payer and the steps that fill and read it, as
// flat arrays. features/ compiles a spec into it; the *_body.hpp beside it run it on host and
// device. Immutable, read by any thread. It holds no key and knows no names.
#pragma once

#include <cstdint>
#include <vector>

#include "kernels/window/event_filter.hpp"

namespace tidemark {

/// Bucket sizes. Minutes and hours are UTC's; days, weeks and months the merchant's zone's.
enum class Tier : std::uint8_t { minute, hour, day, week, month };
inline constexpr int tier_count = 5;

/// Buckets of one ring, so that the occupied ones fit into one 128-bit word.
inline constexpr int ring_buckets_max = 128;

/// Ceiling of one bucket's sum, and of one event's amount inside a window: 2^55. A window has at
/// most 2^7 buckets, so a total stays below 2^62 and can never wrap. Reaching it is flagged.
inline constexpr std::int64_t bucket_sum_max = std::int64_t{1} << 55;

/// What a bucket keeps of one measure. `greatest` and `least` keep one more than the value (of
/// `least`: than bucket_sum_max minus it), so that 0 is "no event". The last four have several
/// cells: words of a sketch's bits, events by the size of their amount, sums by the payer's hash,
/// and the few hashes that stand in the words of a sketch as long as they find room.
enum class Accumulator : std::uint8_t {
  count,
  sum,
  sum_squares,
  greatest,
  least,
  sketch,
  histogram,
  payer_sums,
  few,
};
constexpr bool has_cells(Accumulator kind) {
  return kind >= Accumulator::sketch;
}

/// Whether its total is the bits of a sketch, which nothing can be taken away from.
constexpr bool has_sketch(Accumulator kind) {
  return kind == Accumulator::sketch || kind == Accumulator::few;
}

/// Hashes that a bucket of `few` with so many words keeps before it becomes a sketch.
inline constexpr std::uint32_t few_hashes_max = 16;
constexpr std::uint32_t few_hashes(std::uint32_t words) {
  return words < few_hashes_max ? words : few_hashes_max;
}

/// A histogram has a cell for 0 and this many octaves, each cut into equal parts; what is larger is
/// in the last.
inline constexpr std::uint32_t histogram_octaves = 44;

/// A window total that one accumulator feeds while a bucket's age is in [age_begin, age_end).
/// `active` counts the buckets above zero instead of adding them up.
struct WindowMember {
  std::int16_t age_begin = 0;
  std::int16_t age_end = 0;
  std::uint32_t target_offset = 0;  // of the total in the record
  bool active = false;
};

/// One accumulator that an event moves.
struct UpdateStep {
  EventFilter filter;
  Accumulator kind = Accumulator::count;
  EventValue value = EventValue::amount;
  std::uint16_t cells = 0;
  std::uint32_t bucket_offset = 0;  // inside the bucket
  std::uint32_t member_begin = 0, member_end = 0;
};

/// The steps of one event type in one ring.
struct RingUpdate {
  std::uint32_t ring = 0;
  std::uint32_t step_begin = 0, step_end = 0;
};

/// Remembers the latest event time of a measure.
struct LastStep {
  EventFilter filter;
  std::uint32_t target_offset = 0;
};

/// A sum that halves every so many buckets: 2^16 times the sum of values, each by the factor of its
/// age. Factors are Q63, the first of them for the age of one bucket; older is 0.
struct Decay {
  Tier tier = Tier::day;
  std::uint32_t target_offset = 0;
  std::uint32_t factor_begin = 0, factor_count = 0;
};
inline constexpr std::int64_t decayed_max = std::int64_t{1} << 62;

/// Adds an event to a decayed sum.
struct DecayStep {
  EventFilter filter;
  bool is_sum = false;  // of `value`, else every event is 1
  EventValue value = EventValue::amount;
  std::uint32_t decay = 0;
};

/// The last events of a measure in the order in which they were accepted: `length` entries behind
/// one another, the next of them over the oldest. An entry is a value, or a payment that feedback
/// may name later.
struct Tail {
  std::uint32_t state_offset = 0;  // its TailState
  std::uint32_t entry_offset = 0;
  std::uint32_t length = 0;
};
inline constexpr int tail_amounts_max = 64, tail_payments_max = 1024;

/// Every byte is state.
struct TailState {
  std::uint32_t next = 0;   // entry that the next event takes
  std::uint32_t count = 0;  // of events, up to the length
};
static_assert(sizeof(TailState) == 8);

/// A payment that waits for what feedback says of it.
struct JudgedPayment {
  std::uint64_t id_hash = 0;
  std::int64_t time_ms : 63 = 0;
  std::uint64_t is_fraud : 1 = 0;
};
static_assert(sizeof(JudgedPayment) == 16);

/// What an event does to a tail.
enum class TailAction : std::uint8_t { add_value, add_payment, judge_fraud, judge_legitimate };

struct TailStep {
  EventFilter filter;
  TailAction action = TailAction::add_value;
  EventValue value = EventValue::amount;
  std::uint32_t tail = 0;
};

/// An invoice that was issued and is neither paid nor cancelled; an id of 0 is no invoice.
struct OpenInvoice {
  std::uint64_t id_hash = 0;
  std::int32_t day = 0;     // local day of its issue
  std::uint32_t order = 0;  // larger ones were kept later
};
static_assert(sizeof(OpenInvoice) == 16);
inline constexpr int open_invoices_max = 1024;

struct TypeUpdates {
  std::uint32_t ring_begin = 0, ring_end = 0;
  std::uint32_t last_begin = 0, last_end = 0;
  std::uint32_t decay_begin = 0, decay_end = 0;
  std::uint32_t tail_begin = 0, tail_end = 0;
};

/// What to do with a bucket that leaves or enters a window when the clock moves.
struct ShiftStep {
  Accumulator kind = Accumulator::count;
  bool active = false;
  std::uint16_t cells = 0;
  std::uint32_t bucket_offset = 0, target_offset = 0;
};

/// All totals over the same ages of one ring.
struct WindowGroup {
  std::int16_t age_begin = 0, age_end = 0;
  std::uint32_t step_begin = 0, step_end = 0;
  bool recompute = false;  // some step is a maximum or a sketch, which cannot be subtracted
};

/// A ring of `length` buckets in the record.
struct Ring {
  Tier tier = Tier::day;
  std::int16_t length = 0;
  std::uint32_t state_offset = 0;   // its RingState
  std::uint32_t bucket_offset = 0;  // bucket 0
  std::uint32_t bucket_bytes = 0;
  std::uint32_t group_begin = 0, group_end = 0;
};

/// Which buckets hold anything, by age (bit 0: the current one), and where the current one is:
/// position is always the bucket's number modulo the length. Rings of more than 64 buckets have
/// another word of ages right after. Every byte is state.
struct RingState {
  std::uint64_t occupied = 0;
  std::uint32_t position = 0;
  std::uint32_t zero = 0;
};
static_assert(sizeof(RingState) == 16);

constexpr std::uint32_t ring_state_bytes(int length) {
  return sizeof(RingState) + (length > 64 ? 8 : 0);
}

/// The head of every record. Every byte is state, except `zone` (a number of this process).
struct RecordHead {
  std::int64_t clock_ms = 0;
  std::int64_t first_ms = 0;
  std::int32_t day = 0;  // largest local day of an applied event
  std::uint32_t first_currency = 0, profile_currency = 0;
  std::uint16_t zone = 0;
  std::uint8_t exponent = 0;  // digits after the point of the currency in force
  std::uint8_t flags = 0;     // RecordFlag
};
enum RecordFlag : std::uint8_t {
  record_started = 1,
  record_saturated = 2,
  record_forgot = 4,  // an open invoice gave way to another
};
static_assert(sizeof(RecordHead) == 32);

/// Buckets of one accumulator that a read-out looks at one by one: of ages [age_begin, age_end),
/// and the mark that a count, or a sum in ten-thousandths of the major unit, has to reach.
struct BucketScan {
  std::uint32_t ring = 0;
  std::uint32_t bucket_offset = 0;
  std::int16_t age_begin = 0, age_end = 0;
  bool is_amount = false;
  std::int64_t mark = 1;
};

/// Distinct payers of the buckets of ages [age_begin, age_end): of their hashes while they are few,
/// else of the total's bits.
struct FewScan {
  std::uint32_t ring = 0;
  std::uint32_t bucket_offset = 0, total_offset = 0;
  std::uint16_t words = 0;
  std::int16_t age_begin = 0, age_end = 0;
  std::uint32_t estimates = 0;  // first entry of its table
};

/// A number on its way to a column is num / (den * 10^(exponent * scale)), num and den exact
/// integers in a double as far as they fit: so a mean or a ratio is one division. 0 / 0 is "none".
enum class ReadKind : std::uint8_t {
  total,        // a: total                        num = total
  periods,      // a: total, b: buckets            num = total, den = b
  mean,         // a: sum, b: count
  deviation,    // a: sum, b: count, c: squares    population sigma
  variation,    // a: sum, b: count, c: squares    sigma / mean
  greatest,     // a: maximum
  least,        // a: maximum of the complement
  distinct,     // a: sketch, b: words, c: first entry of its table of estimates
  few,          // a: number of its FewScan
  quantile,     // a: histogram, b: cells, c: where in `estimates` the share below is
  largest,      // a: payer sums, b: cells         largest share of one cell
  herfindahl,   // a: payer sums, b: cells        sum of squared shares
  longest_gap,  // a: scan                        buckets before an active one, or since
  streak,       // a: scan                        newest buckets that reach the mark
  decayed,      // a: decayed sum
  since,        // a: latest time, b: milliseconds of the unit
  history,      // b: milliseconds of the unit
  peers,        // a: first series of the table, b: 1 + scale of the number
  season,       // a: first series of the table, b: days back
  tail_sum,     // a: tail, b: of so many of its newest entries
  tail_mean,
  tail_least,
  tail_greatest,
  tail_deviation,
  tail_variation,
  fraud_share,  // a: tail, b: of its newest entries, c: number of its MaturedScan
  event_amount,
  event_type,  // a, b: mask of types; 1 if the event's is one of them
  event_bit,   // a: EventBit
  ratio,       // a / b, of numbers read before
  change,      // a / b - 1
  difference,  // a - b
  net,         // sum over operands [a, b): negative numbers are ~operand, subtracted
};

struct ReadStep {
  ReadKind kind = ReadKind::total;
  std::uint32_t target = 0;  // number of the result
  std::uint32_t a = 0, b = 0, c = 0;
};

/// The newest `most` of a tail's payments that are at least `matures_ms` old.
struct MaturedScan {
  std::int64_t matures_ms = 0;
  std::uint32_t most = 0;
};

/// A line of a table: from `day` on, `value` is that of `key`: the currency in force, or the month
/// of the year from 0. NaN: none from that day on.
struct TableEntry {
  std::uint32_t key = 0;
  std::int32_t day = 0;
  double value = 0;
};

/// The entries of one table and one group of merchants, sorted by key and day.
struct TableSeries {
  std::uint32_t begin = 0, end = 0;
};

/// A column: which number, its place in the row, its unit and what it is where there is none.
struct ReadColumn {
  std::uint32_t number = 0;
  std::uint32_t column = 0;
  std::int32_t scale = 0;  // 1 money, 0 count or ratio, -1 count per money
  float empty = 0;
};

/// What goes to a kernel: pointers into a WindowPlan, or into its copy on a device.
struct WindowPlanView {
  const Ring* rings = nullptr;
  const WindowGroup* groups = nullptr;
  const ShiftStep* shifts = nullptr;
  const TypeUpdates* types = nullptr;  // by EventType
  const RingUpdate* ring_updates = nullptr;
  const UpdateStep* updates = nullptr;
  const WindowMember* members = nullptr;
  const LastStep* lasts = nullptr;
  const Decay* decays = nullptr;
  const DecayStep* decay_steps = nullptr;
  const std::uint64_t* factors = nullptr;
  const Tail* tails = nullptr;
  const TailStep* tail_steps = nullptr;
  const MaturedScan* matured_scans = nullptr;
  const BucketScan* scans = nullptr;
  const FewScan* few_scans = nullptr;
  const AmountTest* amount_tests = nullptr;
  const ReadStep* reads = nullptr;
  const std::int32_t* operands = nullptr;
  const ReadColumn* columns = nullptr;
  const double* estimates = nullptr;    // tables of linear counting, by set bits
  const TableSeries* series = nullptr;  // by table, then by group less 1
  const TableEntry* entries = nullptr;
  std::uint32_t ring_count = 0;
  std::uint32_t decay_count = 0;
  std::uint32_t tail_count = 0;
  std::uint32_t read_count = 0;
  std::uint32_t number_count = 0;  // doubles of scratch: twice this
  std::uint32_t column_count = 0;
  std::uint32_t record_bytes = 0;   // multiple of 64
  std::uint32_t open_invoices = 0;  // entries at that offset
  std::uint32_t open_invoices_offset = 0;
  std::uint32_t group_offset = 0;  // of the merchant's group, 8 bytes; 0: the plan has no tables
  std::uint32_t front_bytes = 0;   // head, ring states and totals: what a read-out touches
  std::int32_t tier_buckets[tier_count] = {};  // 0: unused; what decides that an event is late
};

/// Owner of the arrays.
struct WindowPlan {
  std::vector<Ring> rings;
  std::vector<WindowGroup> groups;
  std::vector<ShiftStep> shifts;
  std::vector<TypeUpdates> types;
  std::vector<RingUpdate> ring_updates;
  std::vector<UpdateStep> updates;
  std::vector<WindowMember> members;
  std::vector<LastStep> lasts;
  std::vector<Decay> decays;
  std::vector<DecayStep> decay_steps;
  std::vector<std::uint64_t> factors;
  std::vector<Tail> tails;
  std::vector<TailStep> tail_steps;
  std::vector<MaturedScan> matured_scans;
  std::vector<BucketScan> scans;
  std::vector<FewScan> few_scans;
  std::vector<AmountTest> amount_tests;
  std::vector<ReadStep> reads;
  std::vector<std::int32_t> operands;
  std::vector<ReadColumn> columns;
  std::vector<double> estimates;
  std::vector<TableSeries> series;
  std::vector<TableEntry> entries;
};

}  // namespace tidemark
