// ByteStream: a file descriptor, and over it one of three ways to unpack.
#include "stream/source/byte_stream.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

constexpr std::size_t input_bytes = std::size_t{1} << 17;

/// The file as it lies on disk. `peek` looks at the first bytes without taking them.
class File {
 public:
  explicit File(const std::string& path)
      : path_(path), fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {
    if (fd_ < 0) throw UsageError(fmt::format("{}: cannot open: {}", path, std::strerror(errno)));
    struct stat status {};
    if (::fstat(fd_, &status) == 0 && S_ISDIR(status.st_mode)) {
      ::close(fd_);
      throw UsageError(fmt::format("{}: is a folder, not a file", path));
    }
  }
  ~File() { ::close(fd_); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  const std::string& path() const { return path_; }

  std::string_view peek(std::size_t bytes) {
    head_.resize(bytes);
    std::size_t have = 0;
    while (have < bytes) {
      const std::size_t got = read_fd(head_.data() + have, bytes - have);
      if (got == 0) break;
      have += got;
    }
    head_.resize(have);
    return {head_.data(), head_.size()};
  }

  std::size_t read(char* to, std::size_t bytes) {
    if (head_at_ < head_.size()) {
      const std::size_t count = std::min(bytes, head_.size() - head_at_);
      std::memcpy(to, head_.data() + head_at_, count);
      head_at_ += count;
      return count;
    }
    return read_fd(to, bytes);
  }

 private:
  std::size_t read_fd(char* to, std::size_t bytes) {
    for (;;) {
      const ssize_t got = ::read(fd_, to, bytes);
      if (got >= 0) return static_cast<std::size_t>(got);
      if (errno != EINTR) {
        throw RunError(fmt::format("{}: cannot read: {}", path_, std::strerror(errno)));
      }
    }
  }

  std::string path_;
  int fd_;
  std::vector<char> head_;
  std::size_t head_at_ = 0;
};

class PlainStream final : public ByteStream {
 public:
  explicit PlainStream(std::unique_ptr<File> file) : file_(std::move(file)) {}
  std::size_t read(char* to, std::size_t bytes) override { return file_->read(to, bytes); }

 private:
  std::unique_ptr<File> file_;
};

class GzipStream final : public ByteStream {
 public:
  explicit GzipStream(std::unique_ptr<File> file) : file_(std::move(file)), input_(input_bytes) {
    if (inflateInit2(&z_, 15 + 16) != Z_OK) throw RunError(file_->path() + ": zlib has no memory");
  }
  ~GzipStream() override { inflateEnd(&z_); }

  std::size_t read(char* to, std::size_t bytes) override {
    const auto want = static_cast<uInt>(std::min<std::size_t>(bytes, 1u << 30));
    z_.next_out = reinterpret_cast<Bytef*>(to);
    z_.avail_out = want;
    while (z_.avail_out == want && fill()) {
      const int status = inflate(&z_, Z_NO_FLUSH);
      if (status == Z_STREAM_END) {
        between_members_ = true;
      } else if (status != Z_OK) {
        throw RunError(fmt::format("{}: the gzip data are damaged: {}", file_->path(),
                                   z_.msg != nullptr ? z_.msg : zError(status)));
      }
    }
    return want - z_.avail_out;
  }

 private:
  /// Makes sure that there is input inside a member; false at the end of the last one.
  bool fill() {
    if (z_.avail_in == 0) {
      z_.next_in = reinterpret_cast<Bytef*>(input_.data());
      z_.avail_in = static_cast<uInt>(file_->read(input_.data(), input_.size()));
      if (z_.avail_in == 0) {
        if (between_members_) return false;
        throw RunError(file_->path() + ": the gzip data end in the middle");
      }
    }
    if (between_members_) {
      // Files made by appending have several members; tapes pad with zeros, which end them.
      if (*z_.next_in == 0) return false;
      inflateReset(&z_);
      between_members_ = false;
    }
    return true;
  }

  std::unique_ptr<File> file_;
  std::vector<char> input_;
  z_stream z_{};
  bool between_members_ = false;
};

class ZstdStream final : public ByteStream {
 public:
  explicit ZstdStream(std::unique_ptr<File> file)
      : file_(std::move(file)), input_(input_bytes), stream_(ZSTD_createDStream()) {
    if (stream_ == nullptr) throw RunError(file_->path() + ": zstd has no memory");
  }
  ~ZstdStream() override { ZSTD_freeDStream(stream_); }

  std::size_t read(char* to, std::size_t bytes) override {
    ZSTD_outBuffer out{to, bytes, 0};
    while (out.pos == 0) {
      if (in_.pos == in_.size) {
        in_ = {input_.data(), file_->read(input_.data(), input_.size()), 0};
        // Output may still wait inside the stream, so an empty input is tried once more.
        if (in_.size == 0 && inside_frame_ && !drained_) {
          drained_ = true;
        } else if (in_.size == 0) {
          if (!inside_frame_) return 0;
          throw RunError(file_->path() + ": the zstd data end in the middle");
        }
      }
      const std::size_t status = ZSTD_decompressStream(stream_, &out, &in_);
      if (ZSTD_isError(status)) {
        throw RunError(fmt::format("{}: the zstd data are damaged: {}", file_->path(),
                                   ZSTD_getErrorName(status)));
      }
      inside_frame_ = status != 0;
      if (out.pos != 0) drained_ = false;
    }
    return out.pos;
  }

 private:
  std::unique_ptr<File> file_;
  std::vector<char> input_;
  ZSTD_DStream* stream_;
  ZSTD_inBuffer in_{nullptr, 0, 0};
  bool inside_frame_ = false, drained_ = false;
};

bool is_gzip(std::string_view head) {
  return head.substr(0, 2) == "\x1f\x8b";
}

/// A frame, or a skippable frame in front of one.
bool is_zstd(std::string_view head) {
  if (head.size() < 4) return false;
  const bool skippable = (head[0] & 0xf0) == 0x50 && head.substr(1, 3) == "\x2a\x4d\x18";
  return skippable || head.substr(0, 4) == "\x28\xb5\x2f\xfd";
}

}  // namespace

std::unique_ptr<ByteStream> ByteStream::open(const std::string& path) {
  auto file = std::make_unique<File>(path);
  const std::string_view head = file->peek(4);
  if (is_gzip(head)) return std::make_unique<GzipStream>(std::move(file));
  if (is_zstd(head)) return std::make_unique<ZstdStream>(std::move(file));
  return std::make_unique<PlainStream>(std::move(file));
}

}  // namespace tidemark
