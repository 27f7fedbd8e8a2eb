// See window_rows.hpp.
#include "features/window_rows.hpp"

#include "features/window_pass.hpp"

namespace tidemark {
namespace {

void add_profile(const EventBatch& batch, std::size_t row, const Zone& default_zone,
                 const TableGroups& groups, WindowRow& out) {
  out.role = RowRole::profile;
  out.zone = default_zone.id();
  out.currency = 0;
  if (batch.type[row] != EventType::profile || batch.profile_index[row] == no_profile) return;
  const Profile& profile = batch.profiles[static_cast<std::size_t>(batch.profile_index[row])];
  out.currency = profile.currency;
  out.group = groups.of(profile.industry, profile.region);
  if (profile.time_zone.empty()) return;
  if (const Zone* zone = find_zone(profile.time_zone)) out.zone = zone->id();
}

}  // namespace

void make_window_rows(const EventBatch& batch, const Zone& default_zone, const TableGroups& groups,
                      std::span<const std::uint32_t> matrix_row, std::vector<WindowRow>& rows) {
  rows.resize(batch.rows());
  for (std::size_t row = 0; row < batch.rows(); ++row) {
    const WindowEvent event = window_event(batch, row);
    WindowRow& out = rows[row];
    out = {event.time_ms,
           event.amount_minor,
           event.payer_hash,
           event.subject_hash,
           event.due_ms,
           batch.currency[row],
           matrix_row[row],
           0,
           0,
           event.type,
           event.bits,
           RowRole::left_out};
    if (batch.outcome[row] == Outcome::scored) out.role = RowRole::scored;
    if (batch.outcome[row] == Outcome::applied) out.role = RowRole::applied;
    if (out.role == RowRole::applied && batch.source[row] == Source::merchants) {
      add_profile(batch, row, default_zone, groups, out);
    }
  }
}

}  // namespace tidemark
