// See file_hash.hpp.
#include "stream/rows/file_hash.hpp"

#include <fmt/format.h>
#include <openssl/evp.h>

#include <fstream>
#include <memory>
#include <vector>

#include "kernels/base/failure.hpp"

namespace tidemark {

std::string sha256_of(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> hash(EVP_MD_CTX_new(),
                                                                     &EVP_MD_CTX_free);
  EVP_DigestInit_ex(hash.get(), EVP_sha256(), nullptr);
  std::vector<char> bytes(std::size_t{1} << 20);
  while (file.read(bytes.data(), static_cast<std::streamsize>(bytes.size())), file.gcount() > 0) {
    EVP_DigestUpdate(hash.get(), bytes.data(), static_cast<std::size_t>(file.gcount()));
  }
  if (!file.eof()) throw RunError(path.string() + ": cannot be read back");
  unsigned char digest[EVP_MAX_MD_SIZE];
  unsigned int count = 0;
  EVP_DigestFinal_ex(hash.get(), digest, &count);
  std::string hex;
  for (unsigned int i = 0; i < count; ++i) hex += fmt::format("{:02x}", digest[i]);
  return hex;
}

}  // namespace tidemark
