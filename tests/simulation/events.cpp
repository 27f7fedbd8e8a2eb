// See events.hpp.
#include "tests/simulation/events.hpp"

#include <fmt/format.h>

#include <utility>

#include "stream/kafka/partitioner.hpp"

namespace tidemark::simulation {
namespace {

constexpr std::int64_t first_ms = 1'700'000'000'000;
constexpr std::int64_t hour_ms = 3'600'000;
constexpr int merchants = 7;

class Maker {
 public:
  Maker(Random& random, int partitions) : random_(random), partitions_(partitions) {}

  Upstream next(bool plain) {
    at_ms_ += static_cast<std::int64_t>(random_.below(plain ? hour_ms : 9 * hour_ms));
    ++number_;
    const std::string merchant = fmt::format("m-{}", random_.below(merchants));
    Upstream made = keyed(Source::payments, merchant, payment(merchant, at_ms_));
    if (plain) return made;
    const std::uint64_t kind = random_.below(100);
    if (kind >= 40) made = other(kind, merchant, std::move(made));
    made.aborted = random_.chance(0.04);
    if (made.entry.value.size() < 400 && random_.chance(0.1)) past_.push_back(made);
    return made;
  }

 private:
  std::string head(const std::string& merchant, const char* letter, std::int64_t at_ms) const {
    return fmt::format(R"({{"event_id":"{}-{}","merchant_id":"{}","event_time":{},)", letter,
                       number_, merchant, at_ms);
  }

  std::string payment(const std::string& merchant, std::int64_t at_ms) {
    constexpr const char* types[] = {"payment", "payment", "payment", "refund", "chargeback"};
    return head(merchant, "p", at_ms) +
           fmt::format(R"("type":"{}","amount":"{}.5","currency":"CNY"}})", types[random_.below(5)],
                       random_.below(40'000));
  }

  Upstream keyed(Source source, const std::string& key, std::string value) const {
    Upstream made;
    made.source = source;
    made.partition = partition_of(key, partitions_);
    made.entry.key = key;
    made.entry.value = std::move(value);
    made.entry.time_ms = at_ms_ + 1'000;
    return made;
  }

  Upstream other(std::uint64_t kind, const std::string& merchant, Upstream good) {
    constexpr const char* feedback[] = {"fraud", "legitimate", "appeal"};
    if (kind < 52) {
      constexpr const char* types[] = {"issued", "paid", "overdue"};
      return keyed(
          Source::invoices, merchant,
          head(merchant, "i", at_ms_) +
              fmt::format(R"("type":"{}","invoice_id":"v","amount":"{}","currency":"CNY"}})",
                          types[random_.below(3)], random_.below(900)));
    }
    if (kind < 60) {
      return keyed(Source::merchants, merchant,
                   fmt::format(R"({{"merchant_id":"{}","event_time":{},"industry":"travel",)"
                               R"("time_zone":"Asia/Shanghai"}})",
                               merchant, at_ms_));
    }
    if (kind < 62) {
      Upstream made = keyed(Source::merchants, merchant, "");
      made.entry.null_value = true;
      return made;
    }
    if (kind < 68) {
      return keyed(Source::signals, merchant,
                   head(merchant, "s", at_ms_) + R"("name":"n","value":1.5})");
    }
    if (kind < 74) {
      return keyed(Source::feedback, merchant,
                   head(merchant, "f", at_ms_) +
                       fmt::format(R"("type":"{}"}})", feedback[random_.below(3)]));
    }
    if (kind < 79) return control(merchant);
    if (kind < 85) return keyed(Source::payments, merchant, R"({"event_id":"broken")");
    if (kind < 88) {
      return keyed(Source::payments, merchant, payment(merchant, at_ms_ - 700 * 24 * hour_ms));
    }
    if (kind < 90) {
      return keyed(Source::payments, merchant, payment(merchant, at_ms_ + 90 * 24 * hour_ms));
    }
    if (kind < 92) {
      good.partition = static_cast<int>(random_.below(static_cast<std::uint64_t>(partitions_)));
      return good;
    }
    if (kind < 97 && !past_.empty()) return past_[random_.below(past_.size())];
    return good;
  }

  Upstream control(const std::string& merchant) {
    Upstream made = keyed(Source::control, merchant, "");
    made.partition = control_partition;
    made.entry.null_key = true;
    made.entry.value = fmt::format(R"({{"event_id":"c-{}","event_time":{},)", number_, at_ms_);
    switch (random_.below(5)) {
      case 0:
        made.entry.value += fmt::format(R"("type":"freeze","merchant_id":"{}"}})", merchant);
        break;
      case 1:
        made.entry.value += R"("type":"unfreeze"})";
        break;
      case 2:
        made.entry.value += R"("type":"overlay","industry":"travel","factor":0.5})";
        break;
      case 3:
        made.entry.value += R"("type":"activate_model","bundle":"elsewhere"})";
        break;
      default:
        made.entry.value = R"({"type":"overlay"})";
    }
    return made;
  }

  Random& random_;
  const int partitions_;
  std::int64_t at_ms_ = first_ms;
  int number_ = 0;
  std::vector<Upstream> past_;
};

}  // namespace

std::vector<Upstream> make_events(Random& random, int count, int partitions, bool plain) {
  Maker maker(random, partitions);
  std::vector<Upstream> all;
  for (int i = 0; i < count; ++i) all.push_back(maker.next(plain));
  return all;
}

void append(Broker& broker, const std::string& topic, Upstream&& event) {
  Log& log = broker.log(topic, event.partition);
  if (!event.aborted) {
    log.append(std::move(event.entry));
    return;
  }
  event.entry.state = EntryState::aborted;
  log.append(std::move(event.entry));
  Entry marker;
  marker.state = EntryState::marker;
  log.append(std::move(marker));
}

}  // namespace tidemark::simulation
