// See read_file.hpp. System calls, as streams neither say why they fail nor fail for folders.
#include "kernels/base/read_file.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t step_bytes = std::size_t{1} << 16;

struct Descriptor {
  int number;
  ~Descriptor() {
    if (number >= 0) ::close(number);
  }
};

std::string size_text(std::size_t bytes) {
  return std::to_string(bytes >> 20) + " MiB";
}

}  // namespace

std::string read_file(const std::filesystem::path& file, std::size_t bytes_max) {
  const auto fail = [&](const std::string& what) { throw UsageError(file.string() + ": " + what); };
  const Descriptor in{::open(file.c_str(), O_RDONLY | O_CLOEXEC)};
  struct stat status {};
  if (in.number < 0 || ::fstat(in.number, &status) != 0) {
    fail(std::string("cannot read the file: ") + std::strerror(errno));
  }
  const auto stated = static_cast<std::size_t>(std::max<off_t>(status.st_size, 0));
  std::string bytes;
  // A size is only a hint: pipes and devices state none.
  bytes.reserve(std::min(stated, bytes_max) + 1);
  for (std::size_t taken = 0;;) {
    const std::size_t more = std::max(step_bytes, std::min(stated, bytes_max) + 1 - taken);
    bytes.resize(std::min(taken + more, bytes_max + 1));
    const ssize_t got = ::read(in.number, bytes.data() + taken, bytes.size() - taken);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail(std::string("cannot read the file: ") + std::strerror(errno));
    taken += static_cast<std::size_t>(got);
    bytes.resize(taken);
    if (got == 0) return bytes;
    if (taken > bytes_max) fail("larger than " + size_text(bytes_max));
  }
}

}  // namespace tidemark
