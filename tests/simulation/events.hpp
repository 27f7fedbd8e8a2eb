// What upstream writes into the inputs of a simulated run: good events and all kinds of others.
#pragma once

#include <string>
#include <vector>

#include "tests/simulation/broker.hpp"

namespace tidemark::simulation {

struct Upstream {
  Source source = Source::payments;
  int partition = 0;
  Entry entry;
  bool aborted = false;  // upstream's transaction is: nobody may see it
};

/// `count` records in the order of their arrival. `plain`: payments alone, all good.
std::vector<Upstream> make_events(Random& random, int count, int partitions, bool plain);

/// Appends it, with upstream's markers where it has a transaction.
void append(Broker& broker, const std::string& topic, Upstream&& event);

}  // namespace tidemark::simulation
