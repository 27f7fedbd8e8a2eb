// The merchants of a lane as they were at one instant, handed out while the lane goes on: the
// engine's thread takes some at a time, and a merchant that is about to change is taken first. So a
// checkpoint of any size holds the stream up for no longer than copying a line per merchant.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "features/merchant_hot.hpp"
#include "kernels/base/byte_codec.hpp"
#include "kernels/data/decision.hpp"
#include "stream/checkpoint/chunk.hpp"

namespace tidemark {

class Lane;

class LaneSnapshot {
 public:
  /// Takes a chunk of entries: merchants in no order, each at most once in a snapshot.
  using Give = std::function<void(std::string chunk, std::size_t entries)>;

  /// Copies at once what changes before anyone can ask: the admission's side and the decisions.
  void begin(const Lane& lane, std::vector<std::uint32_t> slots, Give give);
  bool active() const { return left_ > 0 || give_ != nullptr; }
  bool waits_for(std::uint32_t slot) const {
    return left_ > 0 && slot < place_.size() && place_[slot] != 0;
  }
  /// Takes a merchant that waits. The rest of its state must be as it was.
  void take(const Lane& lane, std::uint32_t slot);
  /// Takes merchants that wait until about `bytes` are copied. True when the snapshot is complete
  /// and its last chunk was given.
  bool advance(const Lane& lane, std::size_t bytes);
  void drop();

 private:
  void give_chunk();

  struct Head {
    MerchantHot hot;
    DecisionState decisions;
  };
  std::vector<std::uint32_t> slots_, place_;  // place_[slot]: one more than its index in slots_
  std::vector<Head> heads_;                   // [index in slots_]
  std::size_t next_ = 0, left_ = 0;           // of slots_
  ByteWriter chunk_, entry_;
  std::size_t entries_ = 0, taken_bytes_ = 0;
  Give give_;
};

}  // namespace tidemark
