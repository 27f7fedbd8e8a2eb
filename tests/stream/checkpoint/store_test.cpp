// The directory store: whole objects or none, and names for anything.
#include "stream/checkpoint/store.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <fstream>

#include "kernels/base/failure.hpp"
#include "tests/stream/checkpoint/store_conformance.hpp"

namespace tidemark {
namespace {

namespace fs = std::filesystem;
using testing::HasSubstr;
using testing::IsEmpty;

fs::path fresh_folder(const std::string& name) {
  const fs::path folder =
      fs::path(testing::TempDir()) / ("store-" + name + "-" + std::to_string(::getpid()));
  fs::remove_all(folder);
  return folder;
}

TEST(DirectoryStore, KeepsObjectsByName) {
  test::keeps_objects_by_name(*open_directory_store(fresh_folder("names")));
}

TEST(DirectoryStore, IsOneForAll) {
  const fs::path folder = fresh_folder("shared");
  test::is_one_for_all(*open_directory_store(folder), *open_directory_store(folder));
}

TEST(DirectoryStore, TakesManyWritersAndReaders) {
  const fs::path folder = fresh_folder("many");
  test::takes_many_writers_and_readers(*open_directory_store(folder),
                                       *open_directory_store(folder));
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
