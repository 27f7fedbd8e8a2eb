// Rows as Parquet: written as CSV, then turned into Parquet by a program of its own
// (tools/parquet/rows_to_parquet.cpp). Its library brings another OpenSSL and another simdjson with
// it, under the names of ours, so it cannot live in one process with them.
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cstring>
#include <system_error>

#include "kernels/base/failure.hpp"
#include "stream/rows/row_file.hpp"

namespace tidemark {
namespace {

/// What a program says on its error stream, and how it ends.
std::string complaint_of(const std::vector<std::string>& command) {
  std::array<int, 2> ends{};
  if (pipe(ends.data()) != 0) throw std::system_error(errno, std::generic_category(), "pipe");
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addclose(&actions, ends[0]);
  posix_spawn_file_actions_addclose(&actions, ends[1]);
  std::vector<char*> arguments;
  for (const std::string& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t child = 0;
  const int failed =
      posix_spawn(&child, arguments[0], &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(ends[1]);
  std::string said;
  char bytes[512];
  for (ssize_t got = 0; (got = read(ends[0], bytes, sizeof bytes)) > 0;) {
    said.append(bytes, static_cast<std::size_t>(got));
  }
  close(ends[0]);
  if (failed != 0) return command[0] + ": " + std::strerror(failed);
  int status = 0;
  waitpid(child, &status, 0);
  if (status == 0) return {};
  while (!said.empty() && said.back() == '\n') said.pop_back();
  return said.empty() ? command[0] + " ended without a word" : said;
}

class ParquetRows : public RowFile {
 public:
  ParquetRows(const std::filesystem::path& path, const RowColumns& columns)
      : path_(path),
        csv_path_(path.string() + ".part.csv"),
        csv_(make_row_file(csv_path_, columns)) {}
  ~ParquetRows() override {
    std::error_code ignored;
    std::filesystem::remove(csv_path_, ignored);
  }

  void add(const RowKey& key, std::span<const float> features,
           std::span<const float> labels) override {
    csv_->add(key, features, labels);
  }

  std::vector<std::pair<std::string, std::filesystem::path>> finish() override {
    csv_->finish();
    const auto program = std::filesystem::read_symlink("/proc/self/exe").parent_path();
    const std::string complaint = complaint_of({program / "tidemark-parquet", csv_path_, path_});
    if (!complaint.empty()) throw RunError(path_.string() + ": cannot write: " + complaint);
    return {{"sha256", path_}};
  }

 private:
  std::filesystem::path path_, csv_path_;
  std::unique_ptr<RowFile> csv_;
};

}  // namespace

std::unique_ptr<RowFile> make_parquet_rows(const std::filesystem::path& path,
                                           const RowColumns& columns) {
  return std::make_unique<ParquetRows>(path, columns);
}

}  // namespace tidemark
