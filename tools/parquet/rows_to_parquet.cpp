// tidemark-parquet IN.csv OUT.parquet: training rows from CSV to Parquet, through Apache Arrow. A
// program of its own, started by `tidemark replay --rows F.parquet`. Text, a timestamp in UTC,
// nullable float32 columns; the same rows give the same bytes.
#include <arrow/api.h>
#include <arrow/csv/api.h>
#include <arrow/io/api.h>
#include <parquet/arrow/writer.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

constexpr std::int64_t group_rows = 65'536;
constexpr std::int32_t block_bytes = 16 << 20;

arrow::csv::ParseOptions quoting() {
  auto options = arrow::csv::ParseOptions::Defaults();
  options.newlines_in_values = true;  // an id may hold any character
  return options;
}

/// The type of every column: the keys' own, and float32 for what else the header names.
arrow::Result<arrow::csv::ConvertOptions> types_of(const std::string& path) {
  ARROW_ASSIGN_OR_RAISE(const auto file, arrow::io::ReadableFile::Open(path));
  ARROW_ASSIGN_OR_RAISE(const auto reader, arrow::csv::StreamingReader::Make(
                                               arrow::io::default_io_context(), file,
                                               arrow::csv::ReadOptions::Defaults(), quoting(),
                                               arrow::csv::ConvertOptions::Defaults()));
  auto options = arrow::csv::ConvertOptions::Defaults();
  options.null_values = {""};
  for (const std::string& name : reader->schema()->field_names()) {
    options.column_types[name] = arrow::float32();
  }
  options.column_types["event_id"] = options.column_types["merchant_id"] = arrow::utf8();
  options.column_types["event_time"] = arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");
  return options;
}

arrow::Status convert(const std::string& from, const std::string& to) {
  ARROW_ASSIGN_OR_RAISE(const auto types, types_of(from));
  ARROW_ASSIGN_OR_RAISE(const auto file, arrow::io::ReadableFile::Open(from));
  auto read = arrow::csv::ReadOptions::Defaults();
  read.use_threads = false;
  read.block_size = block_bytes;
  ARROW_ASSIGN_OR_RAISE(const auto reader,
                        arrow::csv::StreamingReader::Make(arrow::io::default_io_context(), file,
                                                          read, quoting(), types));
  const auto properties = parquet::WriterProperties::Builder()
                              .compression(parquet::Compression::ZSTD)
                              ->max_row_group_length(group_rows)
                              ->build();
  ARROW_ASSIGN_OR_RAISE(const auto out, arrow::io::FileOutputStream::Open(to));
  ARROW_ASSIGN_OR_RAISE(const auto writer,
                        parquet::arrow::FileWriter::Open(
                            *reader->schema(), arrow::default_memory_pool(), out, properties));
  std::shared_ptr<arrow::RecordBatch> batch;
  while (true) {
    ARROW_RETURN_NOT_OK(reader->ReadNext(&batch));
    if (!batch) break;
    ARROW_RETURN_NOT_OK(writer->WriteRecordBatch(*batch));
  }
  ARROW_RETURN_NOT_OK(writer->Close());
  return out->Close();
}

}  // namespace

int main(int count, char** words) {
  if (count != 3) {
    std::fputs("usage: tidemark-parquet IN.csv OUT.parquet\n", stderr);
    return 2;
  }
  const arrow::Status done = convert(words[1], words[2]);
  if (done.ok()) return 0;
  std::fprintf(stderr, "%s\n", done.message().c_str());
  return 1;
}
