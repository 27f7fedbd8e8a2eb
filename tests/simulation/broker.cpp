// Logs and transactions: see broker.hpp.
#include "tests/simulation/broker.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace tidemark::simulation {
namespace {

constexpr std::int64_t transaction_timeout_us = 400'000;

}  // namespace

std::int64_t Log::stable_end() const {
  std::int64_t stable = end();
  for (const auto& [transaction, first] : open_) stable = std::min(stable, first);
  return stable;
}

void Log::append(Entry entry) {
  if (entry.transaction != 0) {
    entry.state = EntryState::open;
    open_.emplace(entry.transaction, end());
  }
  entries_.push_back(std::move(entry));
}

void Log::settle(std::uint64_t transaction, bool commit) {
  const auto first = open_.find(transaction);
  if (first == open_.end()) return;
  for (std::int64_t at = first->second; at < end(); ++at) {
    Entry& entry = entries_[static_cast<std::size_t>(at)];
    if (entry.transaction != transaction) continue;
    entry.state = commit ? EntryState::committed : EntryState::aborted;
  }
  open_.erase(first);
  Entry marker;
  marker.state = EntryState::marker;
  entries_.push_back(std::move(marker));
}

int Broker::init_producer(const std::string& id) {
  Transaction& transaction = transactions_[id];
  if (transaction.number != 0 && !transaction.ending) begin_end(transaction, false);
  return ++transaction.epoch;
}

bool Broker::is_idle(const std::string& id) const {
  const auto found = transactions_.find(id);
  return found == transactions_.end() || found->second.number == 0;
}

std::string Broker::left_open(int partition, std::int64_t taken_us) const {
  for (const auto& [id, transaction] : transactions_) {
    if (transaction.number == 0 || transaction.began_us >= taken_us) continue;
    const auto left = left_us_.find(id);
    if (holder_of(id) != nullptr || left == left_us_.end() || left->second >= taken_us) continue;
    for (const Source source : keyed_sources) {
      if (committer({source, partition}) == id) return id;
    }
  }
  return {};
}

Broker::Transaction* Broker::current(const std::string& id, int epoch) {
  Transaction& transaction = transactions_[id];
  return transaction.epoch == epoch ? &transaction : nullptr;
}

void Broker::begin_end(Transaction& transaction, bool commit) {
  transaction.ending = true;
  transaction.commit = commit;
}

Answer Broker::produce(const std::string& id, int epoch, const Place& place, Entry entry) {
  Transaction* const transaction = current(id, epoch);
  if (transaction == nullptr) return Answer::fenced;
  if (transaction->number == 0) {
    transaction->number = ++last_transaction_;
    transaction->began_us = scheduler_.now_us();
  }
  entry.transaction = transaction->number;
  transaction->places.insert(place);
  logs_[place].append(std::move(entry));
  return Answer::done;
}

Answer Broker::send_offsets(const std::string& id, int epoch, const std::string& member,
                            int generation, const std::map<Input, std::int64_t>& next) {
  Transaction* const transaction = current(id, epoch);
  if (transaction == nullptr) return Answer::fenced;
  if (!is_current(member, generation)) return Answer::not_a_member;
  if (transaction->number == 0) {
    transaction->number = ++last_transaction_;
    transaction->began_us = scheduler_.now_us();
  }
  for (const auto& [input, offset] : next) transaction->offsets[input] = offset;
  return Answer::done;
}

Answer Broker::end_transaction(const std::string& id, int epoch, bool commit) {
  Transaction* const transaction = current(id, epoch);
  if (transaction == nullptr) return Answer::fenced;
  if (transaction->number != 0) begin_end(*transaction, commit);
  return Answer::done;
}

Answer Broker::commit(const std::string& member, int generation,
                      const std::map<Input, std::int64_t>& next) {
  if (!is_current(member, generation)) return Answer::not_a_member;
  apply(next);
  return Answer::done;
}

void Broker::apply(const std::map<Input, std::int64_t>& next) {
  const auto before = committed_;
  for (const auto& [input, offset] : next) {
    std::int64_t& known = committed_.try_emplace(input, offset_none).first->second;
    if (offset < known) {
      throw Failure(fmt::format("{} [{}]: the committed offset goes back from {} to {}",
                                name_of(input.first), input.second, known, offset));
    }
    known = offset;
    committed_before_[input.second] = before;
  }
}

std::optional<std::int64_t> Broker::committed(const Input& input) const {
  for (const auto& [id, transaction] : transactions_) {
    if (transaction.offsets.count(input) != 0) return std::nullopt;
  }
  return committed_so_far(input);
}

std::int64_t Broker::committed_so_far(const Input& input) const {
  const auto found = committed_.find(input);
  return found == committed_.end() ? offset_none : found->second;
}

std::optional<std::int64_t> Broker::committed_before(const Input& input) const {
  const auto before = committed_before_.find(input.second);
  if (before == committed_before_.end()) return std::nullopt;
  const auto found = before->second.find(input);
  return found == before->second.end() ? offset_none : found->second;
}

std::string Broker::committer(const Input& input) const {
  const auto found = committers_.find(input);
  return found == committers_.end() ? std::string() : found->second;
}

std::int64_t Broker::decided(const Input& input) const {
  std::int64_t next = committed_so_far(input);
  for (const auto& [id, transaction] : transactions_) {
    const auto sent = transaction.offsets.find(input);
    if (!transaction.commit || sent == transaction.offsets.end()) continue;
    next = std::max(next, sent->second);
  }
  return next;
}

bool Broker::has_work() const {
  for (const auto& [id, transaction] : transactions_) {
    if (transaction.ending) return true;
    if (transaction.number != 0 &&
        scheduler_.now_us() - transaction.began_us > transaction_timeout_us) {
      return true;
    }
  }
  for (const auto& [id, member] : members_) {
    if (is_expired(member)) return true;
  }
  const bool all_joined = std::all_of(members_.begin(), members_.end(),
                                      [](const auto& one) { return one.second.joined; });
  return rebalancing_ && (all_joined || scheduler_.now_us() > rebalance_until_us_);
}

bool Broker::work() {
  for (auto& [id, transaction] : transactions_) {
    if (transaction.ending) {
      // One marker or all offsets at a time, in an order that nobody can rely on.
      const std::size_t left = transaction.places.size() + (transaction.offsets.empty() ? 0 : 1);
      const std::size_t chosen = left == 0 ? 0 : scheduler_.random().below(left);
      if (chosen < transaction.places.size()) {
        const auto place = std::next(transaction.places.begin(), static_cast<long>(chosen));
        logs_[*place].settle(transaction.number, transaction.commit);
        transaction.places.erase(place);
      } else if (left > 0) {
        if (transaction.commit) {
          apply(transaction.offsets);
          for (const auto& [input, offset] : transaction.offsets) committers_[input] = id;
        }
        transaction.offsets.clear();
      }
      if (left <= 1) {
        transaction.number = 0;
        transaction.ending = transaction.commit = false;
      }
      return true;
    }
    if (transaction.number != 0 &&
        scheduler_.now_us() - transaction.began_us > transaction_timeout_us) {
      ++transaction.epoch;  // whoever left it open is fenced
      begin_end(transaction, false);
      return true;
    }
  }
  for (auto& [id, member] : members_) {
    if (!is_expired(member)) continue;
    drop(std::string(id));
    return true;
  }
  const bool before = rebalancing_;
  settle_rebalance();
  return before != rebalancing_;
}

}  // namespace tidemark::simulation
