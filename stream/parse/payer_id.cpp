// See payer_id.hpp.
#include "stream/parse/payer_id.hpp"

#include <simdjson.h>

#include "kernels/data/raw_batch.hpp"

namespace tidemark {

struct PayerIdReader::Impl {
  simdjson::ondemand::parser parser;
  simdjson::ondemand::document document;
};

PayerIdReader::PayerIdReader() : impl_(std::make_unique<Impl>()) {}
PayerIdReader::~PayerIdReader() = default;

std::string_view PayerIdReader::read(std::string_view value) {
  const std::size_t readable = value.size() + raw_padding_bytes;
  simdjson::ondemand::object object;
  if (impl_->parser.iterate(value.data(), value.size(), readable).get(impl_->document) ||
      impl_->document.get_object().get(object)) {
    return {};
  }
  for (auto field : object) {
    std::string_view name, text;
    if (field.unescaped_key().get(name)) return {};
    if (name != "payer_id") continue;
    return field.value().get_string().get(text) ? std::string_view() : text;
  }
  return {};
}

}  // namespace tidemark
