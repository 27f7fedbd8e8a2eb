// The payer of a payment in its own words, for whoever has to name it: the columns hold its hash
// alone. One object a thread.
#pragma once

#include <memory>
#include <string_view>

namespace tidemark {

class PayerIdReader {
 public:
  PayerIdReader();
  ~PayerIdReader();
  PayerIdReader(const PayerIdReader&) = delete;
  PayerIdReader& operator=(const PayerIdReader&) = delete;

  /// Of a value that Parser has taken, padded as RawRecord's are: the text of payer_id, unescaped;
  /// null where there is none. Valid until the next call.
  std::string_view read(std::string_view value);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
