// FileSource against files written here: every line comes out once, with its number and its bytes,
// whatever the packing and wherever chunks end.
#include "stream/source/file_source.hpp"

#include <gtest/gtest.h>
#include <unistd.h>
#include <zlib.h>
#include <zstd.h>

#include <cstdio>
#include <filesystem>
#include <fstream>

#include "kernels/base/failure.hpp"

namespace tidemark {
namespace {

class FileSourceTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ =
        std::filesystem::temp_directory_path() / ("file_source_" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string write(const std::string& bytes) {
    const auto path = folder_ / ("f" + std::to_string(files_++));
    std::ofstream(path, std::ios::binary) << bytes;
    return path.string();
  }

  struct Line {
    std::int64_t number;
    std::string text;
    bool operator==(const Line&) const = default;
  };

  static std::vector<Line> read_all(const std::string& path, FileSourceOptions options = {},
                                    std::size_t records_max = 100) {
    FileSource source(Source::signals, path, 77, options);
    std::vector<Line> lines;
    std::vector<std::shared_ptr<const RawBatch>> held;  // views stay good while batches are held
    std::vector<std::pair<std::string_view, std::string>> seen;
    while (auto batch = source.read(records_max)) {
      EXPECT_FALSE(batch->records.empty());
      EXPECT_LE(batch->records.size(), records_max);
      for (const RawRecord& record : batch->records) {
        EXPECT_EQ(record.source, Source::signals);
        EXPECT_EQ(record.kafka_time_ms, 77);
        EXPECT_FALSE(record.has_key);
        lines.push_back({record.offset, std::string(record.value)});
        seen.emplace_back(record.value, std::string(record.value));
        // The padding is readable: the address sanitizer would say so if not.
        volatile char last = record.value.data()[record.value.size() + raw_padding_bytes - 1];
        (void)last;
      }
      held.push_back(std::move(batch));
    }
    EXPECT_EQ(source.read(1), nullptr);
    for (const auto& [view, copy] : seen) EXPECT_EQ(view, copy);
    return lines;
  }

  std::filesystem::path folder_;
  int files_ = 0;
};

std::string gzip(const std::string& bytes) {
  z_stream z{};
  deflateInit2(&z, 6, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&z, bytes.size()) + 64, '\0');
  z.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  z.avail_in = static_cast<uInt>(bytes.size());
  z.next_out = reinterpret_cast<Bytef*>(out.data());
  z.avail_out = static_cast<uInt>(out.size());
  deflate(&z, Z_FINISH);
  out.resize(z.total_out);
  deflateEnd(&z);
  return out;
}

std::string zstd(const std::string& bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), 3));
  return out;
}

TEST_F(FileSourceTest, SkipsBlankLinesButCountsThem) {
  const auto lines = read_all(write("{\"a\":1}\n\n  \t\r\n{\"b\":2}\r\n x \n\n{\"c\":3}"));
  EXPECT_EQ(lines,
            (std::vector<Line>{{0, "{\"a\":1}"}, {3, "{\"b\":2}"}, {4, " x "}, {6, "{\"c\":3}"}}));
}

TEST_F(FileSourceTest, EmptyAndBlankFilesHaveNoRecords) {
  EXPECT_TRUE(read_all(write("")).empty());
  EXPECT_TRUE(read_all(write("\n\n \n")).empty());
}

TEST_F(FileSourceTest, ChunkAndBatchSizesDoNotShow) {
  std::string bytes;
  std::vector<Line> expected;
  for (int i = 0; i < 500; ++i) {
    const std::string text = std::string(static_cast<std::size_t>(i * 7 % 90), 'x') + "}";
    expected.push_back({i, text});
    bytes += text + "\n";
  }
  for (const auto& packed : {bytes, gzip(bytes), zstd(bytes)}) {
    const std::string path = write(packed);
    for (const std::size_t chunk : {16, 64, 100, 1000, 1 << 20}) {
      for (const std::size_t records : {std::size_t{1}, std::size_t{7}, std::size_t{4096}}) {
        EXPECT_EQ(read_all(path, {.chunk_bytes = chunk, .line_bytes_max = 4096}, records), expected)
            << chunk << " " << records;
      }
    }
  }
}

TEST_F(FileSourceTest, PackedFilesMayHaveSeveralParts) {
  const std::vector<Line> expected{{0, "{1}"}, {1, "{2}"}};
  EXPECT_EQ(read_all(write(gzip("{1}\n{") + gzip("2}\n"))), expected);
  EXPECT_EQ(read_all(write(gzip("{1}\n{2}") + std::string(512, '\0'))), expected);
  EXPECT_EQ(read_all(write(zstd("{1}\n{") + zstd("2}\n"))), expected);
}

TEST_F(FileSourceTest, OverlongLinesKeepTheirStartAndTheirNeighbours) {
  const std::string bytes = "{1}\n" + std::string(5000, 'x') + "\n{3}\n" + std::string(101, 'y') +
                            "\n" + std::string(100, 'z') + "\n" + std::string(9000, 'w');
  const std::vector<Line> expected{{0, "{1}"},
                                   {1, std::string(101, 'x')},
                                   {2, "{3}"},
                                   {3, std::string(101, 'y')},
                                   {4, std::string(100, 'z')},
                                   {5, std::string(101, 'w')}};
  const std::string path = write(bytes);
  for (const std::size_t chunk : {16, 64, 300, 5003, 1 << 20}) {
    EXPECT_EQ(read_all(path, {.chunk_bytes = chunk, .line_bytes_max = 100}), expected) << chunk;
  }
}

TEST_F(FileSourceTest, MissingFilesAndFoldersAreUsageErrorsThatNameThem) {
  for (const std::string& path : {folder_.string(), (folder_ / "none").string()}) {
    try {
      FileSource source(Source::payments, path, 0);
      FAIL() << "opened " << path;
    } catch (const UsageError& error) {
      EXPECT_EQ(std::string(error.what()).rfind(path + ": ", 0), 0u) << error.what();
    }
  }
}

TEST_F(FileSourceTest, DamagedPackingIsARunError) {
  std::string bytes;
  for (int i = 0; i < 20000; ++i) bytes += "{\"line\":" + std::to_string(i * 7919) + "}\n";
  for (const std::string& packed : {gzip(bytes), zstd(bytes)}) {
    std::string damaged = packed;
    for (std::size_t i = packed.size() / 2; i < packed.size() / 2 + 8; ++i) damaged[i] ^= 0x5a;
    EXPECT_THROW(read_all(write(damaged + "more")), RunError);
    EXPECT_THROW(read_all(write(packed.substr(0, packed.size() / 2))), RunError);
    EXPECT_THROW(read_all(write(packed.substr(0, packed.size() - 1))), RunError);
  }
}

}  // namespace
}  // namespace tidemark
