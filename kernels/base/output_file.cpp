// See output_file.hpp.
#include "kernels/base/output_file.hpp"

#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "kernels/base/failure.hpp"

namespace tidemark {

OutputFile::OutputFile(std::filesystem::path path)
    : path_(std::move(path)), file_(std::fopen(path_.c_str(), "wb")) {
  if (!file_) throw RunError(path_.string() + ": cannot create: " + std::strerror(errno));
}

void OutputFile::write(std::string_view bytes) {
  if (std::fwrite(bytes.data(), 1, bytes.size(), file_.get()) == bytes.size()) return;
  throw RunError(path_.string() + ": cannot write: " + std::strerror(errno));
}

void OutputFile::close() {
  if (!file_) return;
  std::FILE* file = file_.release();
  if (std::fclose(file) != 0) {
    throw RunError(path_.string() + ": cannot write: " + std::strerror(errno));
  }
}

}  // namespace tidemark
