// The smallest task of the read-out, once, for host and device: one record, just after an event (or
// with none, in a sweep), into one row of floats. Each column is one fixed expression: integers
// into doubles, one division, one rounding to float. Changes nothing but the row.
#pragma once

#include <cstdint>

#include "kernels/base/host_device.hpp"
#include "kernels/window/fraction.hpp"
#include "kernels/window/tail_body.hpp"
#include "kernels/window/window_body.hpp"

namespace tidemark {

/// What one row is read from. `event` is null in a sweep.
struct ReadSource {
  const unsigned char* record = nullptr;
  const WindowEvent* event = nullptr;
  std::uint8_t bits = 0;  // EventBit of the event
};

TIDEMARK_HD inline Fraction read_distinct(const WindowPlanView& plan, const ReadStep& step,
                                          const unsigned char* record) {
  int set = 0;
  for (std::uint32_t word = 0; word < step.b; ++word) {
    set += count_bits(field_at<std::uint64_t>(record, step.a + 8 * word));
  }
  return {plan.estimates[step.c + static_cast<std::uint32_t>(set)], 1.0};
}

/// Counts hashes while they are few, else estimates, never below what is known. More bits than that
/// are more hashes, and then no bucket is looked at; fewer bits need not be fewer hashes, as two
/// may meet in one.
TIDEMARK_HD inline Fraction read_few(const WindowPlanView& plan, const ReadStep& step,
                                     const unsigned char* record) {
  const FewScan& scan = plan.few_scans[step.a];
  const std::uint32_t most = few_hashes(scan.words);
  std::uint32_t set = 0;
  for (std::uint32_t word = 0; word < scan.words; ++word) {
    set += static_cast<std::uint32_t>(
        count_bits(field_at<std::uint64_t>(record, scan.total_offset + 8 * word)));
  }
  const Ring& ring = plan.rings[scan.ring];
  const std::uint32_t position = field_at<RingState>(record, ring.state_offset).position;
  const AgeSet ages = occupied_ages(ring, record) & ages_between(scan.age_begin, scan.age_end);
  std::uint64_t known[few_hashes_max];
  std::uint32_t count = 0;  // most + 1: too many
  for_each_age(set <= most ? ages : 0, [&](int age) {
    const unsigned char* few = bucket_of(ring, record, position, age) + scan.bucket_offset;
    const std::uint64_t kept = field_at<std::uint64_t>(few, 0);
    if (kept > most) count = most + 1;
    for (std::uint32_t i = 0; i < kept && count <= most; ++i) {
      const std::uint64_t hash = field_at<std::uint64_t>(few, 8 + 8 * i);
      std::uint32_t at = 0;
      while (at < count && known[at] != hash) ++at;
      if (at < count) continue;
      if (count < most) known[count] = hash;
      ++count;
    }
  });
  if (set <= most && count <= most) return {static_cast<double>(count), 1.0};
  const double estimate = plan.estimates[scan.estimates + set];
  return {estimate < most + 1.0 ? most + 1.0 : estimate, 1.0};
}

TIDEMARK_HD inline Fraction read_time_since(const ReadStep& step, std::int64_t clock_ms,
                                            std::uint64_t ordered) {
  if (ordered == 0) return {};
  const std::int64_t last_ms = static_cast<std::int64_t>(ordered ^ (std::uint64_t{1} << 63));
  return {static_cast<double>(clock_ms - last_ms), static_cast<double>(step.b)};
}

/// The middle of the cell in which the share `below` of the events is reached.
TIDEMARK_HD inline Fraction read_quantile(const unsigned char* record, const ReadStep& step,
                                          double below) {
  const auto cell_at = [&](std::uint32_t cell) {
    return field_at<std::int64_t>(record, step.a + 8 * cell);
  };
  std::int64_t all = 0;
  for (std::uint32_t cell = 0; cell < step.b; ++cell) all += cell_at(cell);
  if (all == 0) return {};
  const double rank = below * static_cast<double>(all);
  std::int64_t reached = 0;
  std::uint32_t cell = 0;
  for (; cell + 1 < step.b; ++cell) {
    reached += cell_at(cell);
    if (reached > 0 && static_cast<double>(reached) >= rank) break;
  }
  if (cell == 0) return {0.0, 1.0};
  const std::uint32_t parts = (step.b - 1) / histogram_octaves;
  const double octave = static_cast<double>(std::int64_t{1} << ((cell - 1) / parts));
  // The lower edge and half a part more, over one denominator: a single division in the end.
  const std::uint32_t halves = 2 * parts + 2 * ((cell - 1) % parts) + 1;
  return {octave * halves, 2.0 * parts};
}

/// Shares of the cells of payer sums: the largest, or the sum of their squares.
TIDEMARK_HD inline Fraction read_concentration(const unsigned char* record, const ReadStep& step) {
  double all = 0, largest = 0, squares = 0;
  for (std::uint32_t cell = 0; cell < step.b; ++cell) {
    const double sum = static_cast<double>(field_at<std::int64_t>(record, step.a + 8 * cell));
    all += sum;
    squares += sum * sum;
    largest = sum > largest ? sum : largest;
  }
  if (step.kind == ReadKind::largest) return {largest, all};
  return {squares, all * all};
}

/// Kinds that look at single buckets. A gap begins behind the oldest active bucket of the window.
TIDEMARK_HD inline Fraction read_scan(const WindowPlanView& plan, const ReadStep& step,
                                      const unsigned char* record) {
  const BucketScan& scan = plan.scans[step.a];
  const Ring& ring = plan.rings[scan.ring];
  const std::uint32_t position = field_at<RingState>(record, ring.state_offset).position;
  const std::int64_t unit =
      scan.is_amount ? ten_thousandths(field_at<RecordHead>(record, 0).exponent) : 1;
  std::int64_t gap = 0, longest = 0, streak = 0;
  bool any = false, unbroken = true;
  for (int age = scan.age_begin; age < scan.age_end; ++age) {
    const unsigned char* bucket = bucket_of(ring, record, position, age);
    const std::int64_t value = scan.is_amount ? field_at<std::int64_t>(bucket, scan.bucket_offset)
                                              : field_at<std::uint32_t>(bucket, scan.bucket_offset);
    const bool reached =
        static_cast<Wide>(value) * static_cast<Wide>(unit) >= static_cast<Wide>(scan.mark);
    unbroken = unbroken && reached;
    streak += unbroken ? 1 : 0;
    ++gap;
    if (!reached) continue;
    any = true;
    longest = gap - 1 > longest ? gap - 1 : longest;
    gap = 0;
  }
  if (step.kind == ReadKind::streak) return {static_cast<double>(streak), 1.0};
  if (!any) return {};
  return {static_cast<double>(longest), 1.0};
}

/// What a table says of the record's group as of its day; none where it says nothing.
TIDEMARK_HD inline Fraction read_table(const WindowPlanView& plan, const ReadStep& step,
                                       const unsigned char* record) {
  const std::uint64_t group = field_at<std::uint64_t>(record, plan.group_offset);
  if (group == 0) return {};
  const RecordHead& head = field_at<RecordHead>(record, 0);
  std::uint32_t key = 0;
  if (step.kind == ReadKind::season) {
    const std::int32_t month = month_of_day(head.day - static_cast<std::int32_t>(step.b));
    key = static_cast<std::uint32_t>(month - static_cast<std::int32_t>(floor_div(month, 12)) * 12);
  } else if (step.b != 1) {
    key = head.profile_currency != 0 ? head.profile_currency : head.first_currency;
  }
  const TableSeries& series = plan.series[step.a + group - 1];
  std::uint32_t low = series.begin, high = series.end;  // the first entry that is too late
  while (low < high) {
    const std::uint32_t middle = low + (high - low) / 2;
    const TableEntry& entry = plan.entries[middle];
    const bool before = entry.key < key || (entry.key == key && entry.day <= head.day);
    (before ? low : high) = before ? middle + 1 : middle;
  }
  if (low == series.begin || plan.entries[low - 1].key != key) return {};
  const double value = plan.entries[low - 1].value;
  if (value != value) return {};
  if (step.kind == ReadKind::season || step.b == 1) return {value, 1.0};
  // The table is in major units, numbers on their way are in minor ones.
  const double units = minor_units(head.exponent);
  if (step.b == 2) return {value * units, 1.0};
  return {value, units};
}

/// Kinds that read the record.
TIDEMARK_HD inline Fraction read_record_step(const WindowPlanView& plan, const ReadStep& step,
                                             const unsigned char* record) {
  const RecordHead& head = field_at<RecordHead>(record, 0);
  const auto total = [&](std::uint32_t offset) { return field_at<std::int64_t>(record, offset); };
  switch (step.kind) {
    case ReadKind::total:
      return {static_cast<double>(total(step.a)), 1.0};
    case ReadKind::periods:
      return {static_cast<double>(total(step.a)), static_cast<double>(step.b)};
    case ReadKind::mean:
      return {static_cast<double>(total(step.a)), static_cast<double>(total(step.b))};
    case ReadKind::deviation:
      return {spread_of(total(step.b), total(step.a), field_at<Wide>(record, step.c)),
              static_cast<double>(total(step.b))};
    case ReadKind::variation:
      return {spread_of(total(step.b), total(step.a), field_at<Wide>(record, step.c)),
              static_cast<double>(total(step.a))};
    case ReadKind::greatest:
      if (total(step.a) == 0) return {};
      return {static_cast<double>(total(step.a) - 1), 1.0};
    case ReadKind::least:
      if (total(step.a) == 0) return {};
      return {static_cast<double>(bucket_sum_max - total(step.a) + 1), 1.0};
    case ReadKind::distinct:
      return read_distinct(plan, step, record);
    case ReadKind::few:
      return read_few(plan, step, record);
    case ReadKind::quantile:
      return read_quantile(record, step, plan.estimates[step.c]);
    case ReadKind::largest:
    case ReadKind::herfindahl:
      return read_concentration(record, step);
    case ReadKind::longest_gap:
    case ReadKind::streak:
      return read_scan(plan, step, record);
    case ReadKind::decayed:
      return {static_cast<double>(total(step.a)), 65536.0};
    case ReadKind::tail_sum:
    case ReadKind::tail_mean:
    case ReadKind::tail_least:
    case ReadKind::tail_greatest:
    case ReadKind::tail_deviation:
    case ReadKind::tail_variation:
      return read_tail(plan, step, record);
    case ReadKind::fraud_share:
      return read_fraud_share(plan, step, record);
    case ReadKind::peers:
    case ReadKind::season:
      return read_table(plan, step, record);
    case ReadKind::since:
      return read_time_since(step, head.clock_ms, field_at<std::uint64_t>(record, step.a));
    case ReadKind::history:
      if ((head.flags & record_started) == 0) return {};
      return read_time_since(step, head.clock_ms, ordered_time(head.first_ms));
    default:
      return {};
  }
}

/// Kinds that read the event; in a sweep the amount is none and the rest 0.
TIDEMARK_HD inline Fraction read_event_step(const ReadStep& step, const ReadSource& from) {
  if (step.kind == ReadKind::event_amount) {
    if (from.event == nullptr) return {};
    return {static_cast<double>(from.event->amount_minor), 1.0};
  }
  bool set = false;
  if (from.event != nullptr) {
    set = step.kind == ReadKind::event_bit
              ? (from.bits & step.a) != 0
              : (step.a >> static_cast<unsigned>(from.event->type) & 1U) != 0;
  }
  return {set ? 1.0 : 0.0, 1.0};
}

TIDEMARK_HD inline Fraction read_net(const WindowPlanView& plan, const ReadStep& step,
                                     const Fraction* numbers) {
  Fraction net{0.0, 1.0};
  for (std::uint32_t o = step.a; o < step.b; ++o) {
    const std::int32_t operand = plan.operands[o];
    net.num += operand < 0 ? -numbers[~operand].num : numbers[operand].num;
  }
  return net;
}

/// Any step; it may look at the numbers of those that stand before it.
TIDEMARK_HD inline Fraction run_read_step(const WindowPlanView& plan, const ReadStep& step,
                                          const ReadSource& from, const Fraction* numbers) {
  switch (step.kind) {
    case ReadKind::event_amount:
    case ReadKind::event_type:
    case ReadKind::event_bit:
      return read_event_step(step, from);
    case ReadKind::ratio:
      return ratio_of(numbers[step.a], numbers[step.b]);
    case ReadKind::change:
      return change_of(numbers[step.a], numbers[step.b]);
    case ReadKind::difference:
      return difference_of(numbers[step.a], numbers[step.b]);
    case ReadKind::net:
      return read_net(plan, step, numbers);
    default:
      return read_record_step(plan, step, from.record);
  }
}

/// The value of a column; `units` are those of the record's currency.
TIDEMARK_HD inline float read_column(const ReadColumn& column, const Fraction* numbers,
                                     double units) {
  Fraction number = numbers[column.number];
  if (column.scale > 0) number.den *= units;
  if (column.scale < 0) number.num *= units;
  return number.den == 0 ? column.empty : static_cast<float>(number.num / number.den);
}

/// Writes the plan's columns of the row `out`. `numbers` is scratch for plan.number_count
/// fractions.
TIDEMARK_HD inline void read_row(const WindowPlanView& plan, const ReadSource& from,
                                 Fraction* numbers, float* out) {
  for (std::uint32_t s = 0; s < plan.read_count; ++s) {
    const ReadStep& step = plan.reads[s];
    numbers[step.target] = run_read_step(plan, step, from, numbers);
  }
  const double units = minor_units(field_at<RecordHead>(from.record, 0).exponent);
  for (std::uint32_t c = 0; c < plan.column_count; ++c) {
    out[plan.columns[c].column] = read_column(plan.columns[c], numbers, units);
  }
}

}  // namespace tidemark
