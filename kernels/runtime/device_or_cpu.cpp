// See device_or_cpu.hpp.
#include "kernels/runtime/device_or_cpu.hpp"

#include <mutex>

namespace tidemark {
namespace {

std::mutex mutex;
std::string first_words;  // under the mutex

}  // namespace

std::string device_failure() {
  const std::lock_guard lock(mutex);
  return first_words;
}

void note_device_failure(const std::string& words) {
  const std::lock_guard lock(mutex);
  if (first_words.empty()) first_words = words;
}

}  // namespace tidemark
