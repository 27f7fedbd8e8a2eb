// Whether a fence means what it says. A broker that comes back may know a member of the past, or
// end a transaction that an outage held open: both look to us like another instance with our id.
// Only a living one stays in the group, because only it sends heartbeats. Internal to this folder.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "stream/kafka/settings.hpp"

namespace tidemark::kafka {

/// Looks for longer than a session lasts, so it takes seconds; says whether somebody other than
/// `own_member_id()` holds our group.instance.id then. Waits out an outage. True as well where the
/// brokers do not say who is in the group.
bool another_instance_lives(const KafkaSettings& settings, std::chrono::milliseconds session,
                            const std::function<std::string()>& own_member_id);

/// After a place in the group was lost, before it is joined again: joining as a static member would
/// fence whoever has taken the place meanwhile. Throws RunError where that is another than the
/// member we were. Members of KIP-848 have no such place: there it does nothing.
void throw_if_replaced(const KafkaSettings& settings, const std::string& former_member_id);

[[noreturn]] void throw_fenced(const KafkaSettings& settings);

}  // namespace tidemark::kafka
