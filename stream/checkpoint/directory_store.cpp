// Files in a directory: written under another name, synced, renamed, and the directory synced, so
// that a name never stands for half a file.
#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "kernels/base/failure.hpp"
#include "stream/checkpoint/store.hpp"

namespace tidemark {
namespace {

namespace fs = std::filesystem;

[[noreturn]] void fail(const fs::path& path, std::string_view what, int error) {
  throw RunError(fmt::format("checkpoint store: {} {}: {}", what, path.string(),
                             std::generic_category().message(error)));
}

class File {
 public:
  File(const fs::path& path, int flags)
      : path_(path), descriptor_(open(path.c_str(), flags, 0644)) {
    if (descriptor_ < 0) fail(path, "cannot open", errno);
  }
  ~File() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  void write_all(std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t written = write(descriptor_, bytes.data(), bytes.size());
      if (written < 0 && errno == EINTR) continue;
      if (written < 0) fail(path_, "cannot write", errno);
      bytes.remove_prefix(static_cast<std::size_t>(written));
    }
  }
  std::string read_all() {
    std::string bytes;
    constexpr std::size_t step = std::size_t{1} << 20;
    while (true) {
      const std::size_t before = bytes.size();
      bytes.resize(before + step);
      const ssize_t got = read(descriptor_, bytes.data() + before, step);
      if (got < 0 && errno != EINTR) fail(path_, "cannot read", errno);
      bytes.resize(before + static_cast<std::size_t>(std::max<ssize_t>(got, 0)));
      if (got == 0) return bytes;
    }
  }
  void sync() {
    if (fsync(descriptor_) != 0) fail(path_, "cannot sync", errno);
  }

 private:
  fs::path path_;
  int descriptor_;
};

class DirectoryStore : public CheckpointStore {
 public:
  explicit DirectoryStore(fs::path root) : root_(std::move(root)) {}

  void put(const std::string& name, std::string_view bytes) override {
    const fs::path path = root_ / name;
    std::error_code error;
    fs::create_directories(path.parent_path(), error);
    if (error) fail(path.parent_path(), "cannot make the directory", error.value());
    // Two instances may write the same name at once: each has a file of its own until the rename.
    static std::atomic<std::uint64_t> number{0};
    const fs::path draft =
        path.parent_path() / fmt::format("{}.{}-{}{}", path.filename().string(), getpid(),
                                         number.fetch_add(1), draft_ending);
    try {
      File file(draft, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC);
      file.write_all(bytes);
      file.sync();
      if (rename(draft.c_str(), path.c_str()) != 0) fail(path, "cannot rename to", errno);
      File(path.parent_path(), O_RDONLY | O_DIRECTORY | O_CLOEXEC).sync();
    } catch (...) {
      fs::remove(draft, error);
      throw;
    }
  }

  std::string get(const std::string& name) const override {
    return File(root_ / name, O_RDONLY | O_CLOEXEC).read_all();
  }

  std::vector<StoredObject> list(const std::string& folder) const override {
    std::vector<StoredObject> found;
    for (const fs::directory_entry& entry : entries(folder)) {
      std::error_code error;
      if (!entry.is_regular_file(error)) continue;
      const std::uint64_t bytes = entry.file_size(error);
      if (error) continue;  // removed meanwhile
      const auto age = fs::file_time_type::clock::now() - entry.last_write_time(error);
      if (error) continue;
      found.push_back({folder + "/" + entry.path().filename().string(), bytes,
                       std::chrono::duration_cast<std::chrono::seconds>(age)});
    }
    std::sort(found.begin(), found.end(),
              [](const StoredObject& a, const StoredObject& b) { return a.name < b.name; });
    return found;
  }

  std::vector<std::string> folders(const std::string& folder) const override {
    std::vector<std::string> found;
    for (const fs::directory_entry& entry : entries(folder)) {
      std::error_code error;
      if (entry.is_directory(error)) found.push_back(entry.path().filename().string());
    }
    std::sort(found.begin(), found.end());
    return found;
  }

  void remove(const std::string& name) override {
    std::error_code error;
    fs::remove(root_ / name, error);
    if (error) fail(root_ / name, "cannot remove", error.value());
  }

  std::string where() const override { return root_.string(); }

 private:
  static constexpr std::string_view draft_ending = ".draft";

  std::vector<fs::directory_entry> entries(const std::string& folder) const {
    const fs::path path = root_ / folder;
    std::error_code error;
    fs::directory_iterator at(path, error);
    if (error == std::errc::no_such_file_or_directory) return {};
    if (error) fail(path, "cannot list", error.value());
    std::vector<fs::directory_entry> all;
    for (; at != fs::directory_iterator(); at.increment(error)) {
      if (error) fail(path, "cannot list", error.value());
      all.push_back(*at);
    }
    return all;
  }

  fs::path root_;
};

}  // namespace

std::unique_ptr<CheckpointStore> open_directory_store(const std::filesystem::path& directory) {
  return std::make_unique<DirectoryStore>(directory);
}

}  // namespace tidemark
