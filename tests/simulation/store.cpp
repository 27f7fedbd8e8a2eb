// The checkpoint store of all simulated processes, and what goes wrong with it.
#include "stream/checkpoint/store.hpp"

#include <set>
#include <utility>

#include "kernels/base/failure.hpp"
#include "tests/simulation/checks.hpp"
#include "tests/simulation/world.hpp"

namespace tidemark {

using simulation::Fault;
using simulation::StoredBytes;
using simulation::world;

namespace {

class SharedStore : public CheckpointStore {
 public:
  void put(const std::string& name, std::string_view bytes) override {
    world().scheduler.step("put " + name);
    if (world().strikes(Fault::store_refuses)) throw RunError(name + ": no space left");
    try {
      simulation::check_manifest(name, bytes);
    } catch (const simulation::Failure& failure) {
      world().scheduler.fail(failure.what());  // the writer would take it for the store's
    }
    StoredBytes& stored = world().store[name];
    stored = {std::string(bytes), world().scheduler.now_us(), true};
    if (world().strikes(Fault::store_breaks)) {
      stored.bytes.resize(world().scheduler.random().below(bytes.size()));
    }
    if (world().strikes(Fault::store_loses)) world().store.erase(name);
  }

  std::string get(const std::string& name) const override {
    world().scheduler.step("get " + name);
    const auto found = world().store.find(name);
    if (found == world().store.end()) throw RunError(name + ": there is no such file");
    return found->second.bytes;
  }

  std::vector<StoredObject> list(const std::string& folder) const override {
    world().scheduler.step("list " + folder);
    std::vector<StoredObject> found;
    std::int64_t newest_us = -1;
    std::size_t newest = 0;
    for (const auto& [name, stored] : world().store) {
      if (!name.starts_with(folder + "/")) continue;
      if (stored.made_us > newest_us) {
        newest_us = stored.made_us;
        newest = found.size();
      }
      found.push_back(
          {name, stored.bytes.size(),
           std::chrono::seconds((world().scheduler.now_us() - stored.made_us) / 1'000'000)});
    }
    if (!found.empty() && world().strikes(Fault::store_is_old)) {
      found.erase(found.begin() + static_cast<std::ptrdiff_t>(newest));
    }
    return found;
  }

  std::vector<std::string> folders(const std::string&) const override { return {}; }

  void remove(const std::string& name) override {
    world().scheduler.step("remove " + name);
    world().store.erase(name);
  }

  std::string where() const override { return "store"; }
};

}  // namespace

std::unique_ptr<CheckpointStore> open_directory_store(const std::filesystem::path&) {
  return std::make_unique<SharedStore>();
}

}  // namespace tidemark
