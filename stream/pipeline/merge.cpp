// See merge.hpp.
#include "stream/pipeline/merge.hpp"

#include <algorithm>
#include <utility>

namespace tidemark {

void SourceMerge::push(Source source, std::unique_ptr<EventBatch> rows, MonotonicTime read_at) {
  if (rows->empty()) return;
  Chunk chunk;
  chunk.merge_time_ms.resize(rows->rows());
  // A record whose own time cannot be trusted keeps its place behind the record before it.
  std::int64_t& last = last_time_ms_[index(source)];
  for (std::size_t row = 0; row < rows->rows(); ++row) {
    if (passes_stateless_checks(*rows, row) &&
        rows->event_time_ms[row] <= rows->kafka_time_ms[row]) {
      last = rows->event_time_ms[row];
    }
    chunk.merge_time_ms[row] = last;
    queued_bytes_[index(source)] += rows->raw_value[row].size();
  }
  queued_[index(source)] += rows->rows();
  chunk.rows = std::move(rows);
  chunk.read_at = read_at;
  queues_[index(source)].push_back(std::move(chunk));
}

bool SourceMerge::empty() const {
  return std::all_of(queued_.begin(), queued_.end(), [](std::size_t n) { return n == 0; });
}

bool SourceMerge::choose(MonotonicTime now, std::size_t& best, std::int64_t& until_ms,
                         std::size_t& rival) const {
  constexpr std::size_t nobody = source_count;
  best = rival = nobody;
  std::int64_t best_ms = 0;
  until_ms = INT64_MAX;
  bool somebody_may_come = false;
  for (std::size_t s = 0; s < source_count; ++s) {
    if (queues_[s].empty()) {
      if (states_[s] == SourceState::catching_up) return false;
      somebody_may_come |= states_[s] == SourceState::live_end;
      continue;
    }
    const Chunk& head = queues_[s].front();
    const std::int64_t time_ms = head.merge_time_ms[head.next];
    if (best == nobody || time_ms < best_ms) {
      if (best != nobody) {
        until_ms = best_ms;
        rival = best;
      }
      best = s;
      best_ms = time_ms;
    } else if (rival == nobody || time_ms < until_ms) {
      until_ms = time_ms;
      rival = s;
    }
  }
  if (best == nobody) return false;
  return !somebody_may_come || now - queues_[best].front().read_at >= idle_;
}

std::size_t SourceMerge::move(EventBatch& out, std::size_t source, std::size_t count) {
  Chunk& chunk = queues_[source].front();
  for (std::size_t row = chunk.next; row < chunk.next + count; ++row) {
    queued_bytes_[source] -= chunk.rows->raw_value[row].size();
  }
  if (out.empty() && chunk.next == 0 && count == chunk.rows->rows()) {
    std::swap(out, *chunk.rows);  // the whole chunk, no copy
  } else {
    out.append(*chunk.rows, chunk.next, count);
  }
  chunk.next += count;
  taken_time_ms_[source] = chunk.merge_time_ms[chunk.next - 1];
  queued_[source] -= count;
  if (chunk.next == chunk.merge_time_ms.size()) queues_[source].pop_front();
  return count;
}

std::size_t SourceMerge::take(EventBatch& out, std::size_t rows_max, const Cut& cut,
                              MonotonicTime now) {
  std::size_t taken = 0;
  std::size_t best = 0, rival = 0;
  std::int64_t until_ms = 0;
  while (out.rows() < rows_max && choose(now, best, until_ms, rival)) {
    const Chunk& chunk = queues_[best].front();
    const auto source = static_cast<Source>(best);
    const std::size_t room =
        std::min(rows_max - out.rows(), chunk.merge_time_ms.size() - chunk.next);
    std::size_t count = 0;
    if (source == Source::control) {
      if (!out.empty()) break;
      count = cuts(chunk, chunk.next, cut) ? 0 : 1;
    } else {
      const bool wins_ties = best < rival;
      while (count < room) {
        const std::size_t row = chunk.next + count;
        const std::int64_t time_ms = chunk.merge_time_ms[row];
        if (rival != source_count && (wins_ties ? time_ms > until_ms : time_ms >= until_ms)) break;
        if (cuts(chunk, row, cut)) break;
        ++count;
      }
    }
    if (count == 0) break;
    taken += move(out, best, count);
    if (source == Source::control) break;
  }
  return taken;
}

std::size_t SourceMerge::take_recorded(EventBatch& out, Source source, std::size_t count,
                                       const Cut& cut) {
  const std::size_t s = index(source);
  std::size_t taken = 0;
  while (taken < count && !queues_[s].empty()) {
    const Chunk& chunk = queues_[s].front();
    if (source == Source::control && !out.empty()) break;
    const std::size_t room = std::min(count - taken, chunk.merge_time_ms.size() - chunk.next);
    std::size_t run = 0;
    while (run < room && !cuts(chunk, chunk.next + run, cut)) {
      ++run;
      if (source == Source::control) break;
    }
    if (run == 0) break;
    taken += move(out, s, run);
    if (source == Source::control) break;
  }
  return taken;
}

std::optional<SourceMerge::Crossing> SourceMerge::crossing(const Cut& cut,
                                                           MonotonicTime now) const {
  std::size_t best = 0, rival = 0;
  std::int64_t until_ms = 0;
  if (!choose(now, best, until_ms, rival)) return std::nullopt;
  return crossing_recorded(static_cast<Source>(best), cut);
}

std::optional<SourceMerge::Crossing> SourceMerge::crossing_recorded(Source recorded,
                                                                    const Cut& cut) const {
  const auto& queue = queues_[index(recorded)];
  if (queue.empty()) return std::nullopt;
  const Chunk& head = queue.front();
  if (!cuts(head, head.next, cut)) return std::nullopt;
  return Crossing{head.rows->event_time_ms[head.next], recorded, head.rows->partition[head.next],
                  head.rows->offset[head.next]};
}

void SourceMerge::forget() {
  for (auto& queue : queues_) queue.clear();
  queued_.fill(0);
  queued_bytes_.fill(0);
  last_time_ms_ = taken_time_ms_;
}

MonotonicTime SourceMerge::next_release() const {
  MonotonicTime soonest = MonotonicTime::max();
  for (const auto& queue : queues_) {
    if (!queue.empty()) soonest = std::min(soonest, queue.front().read_at + idle_);
  }
  return soonest;
}

}  // namespace tidemark
