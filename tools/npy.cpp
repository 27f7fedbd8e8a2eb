#include "tools/npy.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <cstring>
#include <fstream>
#include <string_view>

#include "kernels/base/failure.hpp"
#include "kernels/base/utf8.hpp"

namespace tidemark {
namespace {

/// The Python dictionary at the head of the file: just the three keys that NumPy writes.
class Header {
 public:
  Header(std::string_view text, std::string where) : text_(text), where_(std::move(where)) {}

  [[noreturn]] void fail(const std::string& what) const {
    throw UsageError(fmt::format("{}: {}", where_, what));
  }

  /// What follows `'key':`, without leading blanks.
  std::string_view after(std::string_view key) const {
    const std::string quoted = fmt::format("'{}':", key);
    const std::size_t at = text_.find(quoted);
    if (at == std::string_view::npos) fail(fmt::format("the header has no '{}'", key));
    std::string_view rest = text_.substr(at + quoted.size());
    while (!rest.empty() && rest.front() == ' ') rest.remove_prefix(1);
    return rest;
  }

  std::vector<std::size_t> shape() const {
    std::string_view rest = after("shape");
    const std::size_t close = rest.find(')');
    if (rest.empty() || rest.front() != '(' || close == std::string_view::npos) {
      fail("the header's shape is not a tuple");
    }
    rest = rest.substr(1, close - 1);
    std::vector<std::size_t> shape;
    while (!rest.empty()) {
      while (!rest.empty() && (rest.front() == ' ' || rest.front() == ',')) rest.remove_prefix(1);
      if (rest.empty()) break;
      std::size_t value = 0;
      const auto got = std::from_chars(rest.data(), rest.data() + rest.size(), value);
      if (got.ec != std::errc()) fail("the header's shape is not made of integers");
      shape.push_back(value);
      rest.remove_prefix(static_cast<std::size_t>(got.ptr - rest.data()));
    }
    return shape;
  }

 private:
  std::string_view text_;
  std::string where_;
};

std::string dimensions(const std::vector<std::size_t>& shape) {
  return one_line(fmt::format("({})", fmt::join(shape, ", ")), 80);
}

/// Where the matrix lies in the file's bytes.
struct Located {
  std::size_t at = 0, rows = 0, columns = 0;
};

Located locate(std::string_view bytes, const std::string& where) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(bytes[i]); };
  const auto fail = [&](const std::string& what) {
    throw UsageError(fmt::format("{}: {}", where, what));
  };
  if (bytes.substr(0, 6) != std::string_view("\x93NUMPY", 6) || byte(6) < 1 || byte(6) > 3) {
    fail("not a .npy file of version 1, 2 or 3");
  }
  const std::size_t start = byte(6) == 1 ? 10 : 12;
  std::size_t header_bytes = byte(8) | (std::size_t{byte(9)} << 8);
  if (start == 12 && bytes.size() >= 12) {
    header_bytes |= (std::size_t{byte(10)} << 16) | (std::size_t{byte(11)} << 24);
  }
  if (start + header_bytes > bytes.size()) fail("the header is cut");
  const Header header(bytes.substr(start, header_bytes), where);
  const std::string_view type = header.after("descr");
  if (type.substr(0, 5) != "'<f4'") {
    fail(fmt::format("float32 ('<f4') is needed, the file has {}",
                     one_line(type.substr(0, type.find_first_of(",}")), 80)));
  }
  if (header.after("fortran_order").substr(0, 5) != "False") fail("C order is needed");
  const std::vector<std::size_t> shape = header.shape();
  if (shape.size() != 2) {
    fail(fmt::format("rows x features are needed, the file's shape is {}", dimensions(shape)));
  }
  const std::size_t data_at = start + header_bytes;
  const std::size_t available = (bytes.size() - data_at) / sizeof(float);
  if (shape[1] == 0) fail(fmt::format("a matrix without columns: shape {}", dimensions(shape)));
  if (shape[0] > available / shape[1]) {
    fail(fmt::format("the data are cut: shape {}", dimensions(shape)));
  }
  return {data_at, shape[0], shape[1]};
}

template <typename T>
void write(const std::filesystem::path& file, std::string_view type, std::span<const T> values,
           std::span<const std::size_t> shape) {
  const std::string tuple =
      fmt::format("({}{})", fmt::join(shape, ", "), shape.size() == 1 ? "," : "");
  std::string header =
      fmt::format("{{'descr': '{}', 'fortran_order': False, 'shape': {}, }}", type, tuple);
  header.append(63 - (10 + header.size()) % 64, ' ');
  header += '\n';
  std::string head("\x93NUMPY\x01\x00", 8);
  head += static_cast<char>(header.size() & 0xFF);
  head += static_cast<char>(header.size() >> 8);
  std::ofstream out(file, std::ios::binary | std::ios::trunc);
  out << head << header;
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size_bytes()));
  out.flush();
  if (!out) {
    throw RunError(fmt::format("{}: cannot be written: {}", file.string(), std::strerror(errno)));
  }
}

}  // namespace

NpyMatrix::NpyMatrix(const std::filesystem::path& file, const std::string& option) {
  const std::string where = fmt::format("{} {}", option, file.string());
  const auto fail = [&](const std::string& what) {
    throw UsageError(fmt::format("{}: {}", where, what));
  };
  const int descriptor = ::open(file.c_str(), O_RDONLY | O_CLOEXEC);
  struct stat status {};
  if (descriptor < 0) fail(std::strerror(errno));
  if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode) || status.st_size < 10) {
    ::close(descriptor);
    fail("not a .npy file");
  }
  map_bytes_ = static_cast<std::size_t>(status.st_size);
  map_ = ::mmap(nullptr, map_bytes_, PROT_READ, MAP_PRIVATE, descriptor, 0);
  ::close(descriptor);
  if (map_ == MAP_FAILED) {
    map_ = nullptr;
    throw RunError(fmt::format("{}: cannot be mapped: {}", where, std::strerror(errno)));
  }
  const std::string_view bytes(static_cast<const char*>(map_), map_bytes_);
  try {
    const Located found = locate(bytes, where);
    const char* data = bytes.data() + found.at;
    if (found.at % alignof(float) != 0 && found.rows * found.columns > 0) {
      copy_.resize(found.rows * found.columns);
      std::memcpy(copy_.data(), data, copy_.size() * sizeof(float));
      data = reinterpret_cast<const char*>(copy_.data());
    }
    view_ = {reinterpret_cast<const float*>(data), found.rows, found.columns, found.columns};
  } catch (const UsageError&) {
    ::munmap(map_, map_bytes_);
    throw;
  }
}

NpyMatrix::~NpyMatrix() {
  if (map_ != nullptr) ::munmap(map_, map_bytes_);
}

void write_npy(const std::filesystem::path& file, std::span<const double> values,
               std::span<const std::size_t> shape) {
  write(file, "<f8", values, shape);
}

void write_npy(const std::filesystem::path& file, std::span<const std::int32_t> values,
               std::span<const std::size_t> shape) {
  write(file, "<i4", values, shape);
}

}  // namespace tidemark
