// What every store promises, run unchanged on each of them.
#pragma once

#include <gmock/gmock.h>

#include <string>
#include <thread>
#include <vector>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark::test {

inline std::vector<std::string> names_in(const CheckpointStore& store, const std::string& folder) {
  std::vector<std::string> names;
  for (const StoredObject& object : store.list(folder)) names.push_back(object.name);
  return names;
}

/// Bytes of every value, so that nothing is text by chance.
inline std::string some_bytes(std::size_t count, unsigned seed) {
  std::string bytes(count, '\0');
  for (char& byte : bytes) byte = static_cast<char>((seed = seed * 1664525 + 1013904223) >> 24);
  return bytes;
}

inline void keeps_objects_by_name(CheckpointStore& store) {
  using testing::ElementsAre;
  EXPECT_THAT(store.list("group/p00001"), testing::IsEmpty());
  EXPECT_THAT(store.folders("group"), testing::IsEmpty());
  const std::string large = some_bytes(3'000'000, 1);
  store.put("group/p00001/b", "two");
  store.put("group/p00001/a", large);
  store.put("group/p00001/b", "three");
  store.put("group/p00001/empty", "");
  store.put("group/p00012/a", "of another folder");
  EXPECT_THAT(names_in(store, "group/p00001"),
              ElementsAre("group/p00001/a", "group/p00001/b", "group/p00001/empty"));
  EXPECT_EQ(store.list("group/p00001")[1].bytes, 5U);
  EXPECT_LT(store.list("group/p00001")[1].age, std::chrono::seconds(60));
  EXPECT_THAT(store.folders("group"), ElementsAre("p00001", "p00012"));
  EXPECT_THAT(store.list("group"), testing::IsEmpty());
  EXPECT_EQ(store.get("group/p00001/b"), "three");
  EXPECT_EQ(store.get("group/p00001/a"), large);
  EXPECT_EQ(store.get("group/p00001/empty"), "");
  EXPECT_EQ(store.get("group/p00001/b"), "three");
  store.remove("group/p00001/b");
  store.remove("group/p00001/b");  // once more is no error
  EXPECT_THROW(store.get("group/p00001/b"), RunError);
  EXPECT_THAT(names_in(store, "group/p00001"), ElementsAre("group/p00001/a", "group/p00001/empty"));
}

/// `other` is the same store, opened by another process as it were.
inline void is_one_for_all(CheckpointStore& store, CheckpointStore& other) {
  store.put("g/p1/a", "one");
  EXPECT_EQ(other.get("g/p1/a"), "one");
  EXPECT_THAT(names_in(other, "g/p1"), testing::ElementsAre("g/p1/a"));
  other.put("g/p1/b", "two");
  other.remove("g/p1/a");
  EXPECT_THAT(names_in(store, "g/p1"), testing::ElementsAre("g/p1/b"));
  EXPECT_EQ(store.get("g/p1/b"), "two");
}

inline void takes_many_writers_and_readers(CheckpointStore& store, CheckpointStore& other) {
  constexpr int each = 6;
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      CheckpointStore& mine = t % 2 == 0 ? store : other;
      const std::string folder = "g/p" + std::to_string(t / 2);
      for (int i = 0; i < each; ++i) {
        const std::string name = folder + "/" + std::to_string(t) + "-" + std::to_string(i);
        const std::string bytes = some_bytes(700'000, static_cast<unsigned>(t * 100 + i));
        mine.put(name, bytes);
        EXPECT_EQ(mine.get(name), bytes);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const char* folder : {"g/p0", "g/p1"}) {
    EXPECT_EQ(names_in(store, folder), names_in(other, folder));
    EXPECT_EQ(names_in(store, folder).size(), 2U * each);
  }
  EXPECT_EQ(other.get("g/p0/0-3"), some_bytes(700'000, 3));
}

}  // namespace tidemark::test
