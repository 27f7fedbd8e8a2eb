// Background: a thread that does one piece of work after another, and the lock that it shares with
// its owner. The queue, and who waits for what, are the owner's; so is the order, which is that of
// one thread. A simulation replaces this one class to decide when a thread goes on.
#pragma once

#include <functional>
#include <memory>
#include <mutex>

namespace tidemark {

class Background {
 public:
  using Lock = std::unique_lock<std::mutex>;
  /// Does a piece and says whether there was one. Called on the thread with the lock held, which it
  /// lets go of while it works; again at once after a piece, else after the next changed().
  using Work = std::function<bool(Lock&)>;

  explicit Background(Work work);
  /// Waits for the piece at hand and leaves the others undone.
  ~Background();
  Background(const Background&) = delete;
  Background& operator=(const Background&) = delete;

  /// To be held for moments only: nothing that waits for others is called under it.
  Lock lock() const;
  /// Something under the lock has changed: the thread and whoever waits look again.
  void changed();
  /// Waits, without the lock, until `done`, which is asked with it.
  void wait(Lock& lock, const std::function<bool()>& done);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace tidemark
