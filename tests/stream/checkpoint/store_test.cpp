// The directory store: whole objects or none, and names for anything.
#include "stream/checkpoint/store.hpp"

#include <gmock/gmock.h>

#include <fstream>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

fs::path fresh_folder(const std::string& name) {
  const fs::path folder = fs::path(testing::TempDir()) / ("store-" + name);
  fs::remove_all(folder);
  return folder;
}

TEST(DirectoryStore, KeepsObjectsByName) {
  const auto store = open_directory_store(fresh_folder("names"));
  EXPECT_THAT(store->list("group/p00001"), IsEmpty());
  EXPECT_THAT(store->folders("group"), IsEmpty());
  store->put("group/p00001/b", "two");
  store->put("group/p00001/a", std::string(3'000'000, 'x'));
  store->put("group/p00001/b", "three");
  std::vector<std::string> names;
  for (const StoredObject& object : store->list("group/p00001")) names.push_back(object.name);
  EXPECT_THAT(names, ElementsAre("group/p00001/a", "group/p00001/b"));
  EXPECT_EQ(store->list("group/p00001")[1].bytes, 5U);
  EXPECT_THAT(store->folders("group"), ElementsAre("p00001"));
  EXPECT_EQ(store->get("group/p00001/b"), "three");
  EXPECT_EQ(store->get("group/p00001/a").size(), 3'000'000U);
  store->remove("group/p00001/b");
  store->remove("group/p00001/b");  // once more is no error
  EXPECT_THROW(store->get("group/p00001/b"), RunError);
}

TEST(DirectoryStore, NamesWhatCannotBeWritten) {
  const fs::path folder = fresh_folder("blocked");
  fs::create_directories(folder);
  std::ofstream(folder / "group") << "a file where a folder has to be";
  const auto store = open_directory_store(folder);
  try {
    store->put("group/p00001/a", "bytes");
    FAIL();
  } catch (const RunError& error) {
    EXPECT_THAT(error.what(), HasSubstr("group/p00001"));
  }
}

TEST(DirectoryStore, LeavesNoDraftsBehind) {
  const fs::path folder = fresh_folder("drafts");
  fs::create_directories(folder / "g" / "taken");  // a name that cannot be renamed to
  const auto store = open_directory_store(folder);
  EXPECT_THROW(store->put("g/taken", "bytes"), RunError);
  EXPECT_THAT(store->list("g"), IsEmpty());
}

TEST(StoreName, MakesANameOfAnything) {
  EXPECT_EQ(store_name("tidemark-1.a_B"), "tidemark-1.a_B");
  EXPECT_EQ(store_name("../a b/%"), "%2e.%2fa%20b%2f%25");
}

}  // namespace
}  // namespace tidemark
