#include "pool.h"

#include <pthread.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <condition_variable>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <memory>
#include <mutex>
#include <new>
#include <thread>
#include <vector>

namespace {

thread_local bool t_inside = false;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

// A thread's part of a loop.
struct alignas(64) Part {
  std::atomic<std::ptrdiff_t> next{0};
  std::ptrdiff_t end = 0;
};

// A thread begins with a part of its own, which is the same in each loop of as many tasks: so what
// it wrote in the last one is in its caches. Then it helps the others.
struct Loop {
  Loop(detail::Body of, void* with, std::ptrdiff_t count, std::vector<Part>& by)
      : body(of), context(with), parts(by) {
    const auto threads = static_cast<std::ptrdiff_t>(parts.size());
    for (std::ptrdiff_t i = 0; i < threads; ++i) {
      parts[i].next.store(count * i / threads, std::memory_order_relaxed);
      parts[i].end = count * (i + 1) / threads;
    }
  }

  void work(std::size_t thread) {
    try {
      for (std::size_t k = 0; k < parts.size(); ++k) {
        Part& part = parts[(thread + k) % parts.size()];
        for (std::ptrdiff_t i; (i = part.next.fetch_add(1, std::memory_order_relaxed)) < part.end;)
          body(context, i);
      }
    } catch (...) {
      if (!failed.exchange(true)) failure = std::current_exception();
      for (Part& part : parts) part.next.store(part.end, std::memory_order_relaxed);
    }
  }

  detail::Body body;
  void* context;
  std::vector<Part>& parts;
  std::atomic<bool> failed{false};
  std::exception_ptr failure = nullptr;  // the first one, rethrown by the waiting thread
};

// How long workers wait for the next loop before they sleep. They are slow to wake, most of all in
// virtual machines, whose processors are taken from them when they sleep; meanwhile they let others
// run.
constexpr std::chrono::microseconds kAwake{400};

// A loop is announced by a new turn, and that of a net mostly follows within microseconds. Helpers
// enter it while it is open. The caller closes it when no body is left, and waits for those inside
// alone: a helper whose processor is busy with other programs is not missed.
class Pool {
 public:
  explicit Pool(int count) : helpers_(count - 1), parts_(count) {
    for (int i = 1; i <= helpers_; ++i) std::thread([this, i] { serve(i); }).detach();
  }

  int size() const { return helpers_ + 1; }

  void run(std::ptrdiff_t count, detail::Body body, void* context) {
    std::lock_guard<std::mutex> one_at_a_time(running_);
    Loop loop(body, context, count, parts_);
    loop_ = &loop;
    {
      std::lock_guard<std::mutex> lock(mutex_);
      state_.fetch_add(kTurn | kOpen, std::memory_order_release);
    }
    if (asleep_.load(std::memory_order_seq_cst) > 0) wake_.notify_all();
    t_inside = true;
    loop.work(0);
    t_inside = false;
    state_.fetch_and(~kOpen, std::memory_order_relaxed);
    for (int spins = 0; (state_.load(std::memory_order_acquire) & kInside) > 0; ++spins) {
      spins < 4000 ? relax() : static_cast<void>(sched_yield());
    }
    if (loop.failed.load()) std::rethrow_exception(loop.failure);
  }

  void stop() {
    stopping_.store(true);
    run(0, [](void*, std::ptrdiff_t) {}, nullptr);
  }

 private:
  // What state_ holds: how many helpers are inside of the loop, whether others may enter, and above
  // both the number of its turn.
  static constexpr std::uint64_t kOpen = 1 << 15, kInside = kOpen - 1, kTurn = kOpen << 1;

  void serve(int thread) {
    t_inside = true;
    for (std::uint64_t seen = 0;;) {
      seen = turn_after(seen);
      if (stopping_.load()) return;
      if (!enter()) continue;
      loop_->work(thread);
      state_.fetch_sub(1, std::memory_order_release);
    }
  }

  bool enter() {
    std::uint64_t state = state_.load(std::memory_order_relaxed);
    while (state & kOpen)
      if (state_.compare_exchange_weak(state, state + 1, std::memory_order_acquire)) return true;
    return false;
  }

  std::uint64_t turn() const { return state_.load(std::memory_order_acquire) / kTurn; }

  std::uint64_t turn_after(std::uint64_t seen) {
    using Clock = std::chrono::steady_clock;
    for (auto until = Clock::now() + kAwake; Clock::now() < until; sched_yield())
      for (int spins = 0; spins < 100; ++spins) {
        if (turn() != seen) return turn();
        relax();
      }
    std::unique_lock<std::mutex> lock(mutex_);
    asleep_.fetch_add(1, std::memory_order_seq_cst);
    wake_.wait(lock, [&] { return turn() != seen; });
    asleep_.fetch_sub(1, std::memory_order_relaxed);
    return turn();
  }

  int helpers_;
  std::vector<Part> parts_;
  std::mutex running_, mutex_;
  std::condition_variable wake_;
  std::atomic<std::uint64_t> state_{0};
  std::atomic<int> asleep_{0};
  std::atomic<bool> stopping_{false};
  Loop* loop_ = nullptr;
};

std::atomic<Pool*> pool{nullptr};
std::atomic<int> wanted{0};

// The processors available to this process, by affinity and by the CPU quota of its container.
int cores() {
  int count = static_cast<int>(std::thread::hardware_concurrency());
#if defined(__linux__)
  cpu_set_t set;
  if (sched_getaffinity(0, sizeof set, &set) == 0) count = CPU_COUNT(&set);
  // C's streams: those of C++ would set up its locales first, half a MiB of them.
  double quota = 0, period = 0;
  if (std::FILE* file = std::fopen("/sys/fs/cgroup/cpu.max", "re")) {
    if (std::fscanf(file, "%lf %lf", &quota, &period) == 2 && period > 0)
      count = std::min(count, static_cast<int>(std::ceil(quota / period)));
    std::fclose(file);
  }
#endif
  return std::max(1, count);
}

// A forked child has none of the threads: it starts its own when it needs them.
void forget() { pool = nullptr; }

Pool& the_pool() {
  Pool* found = pool.load();
  if (found == nullptr) {
    static std::once_flag once;
    std::call_once(once, [] { pthread_atfork(nullptr, nullptr, forget); });
    Pool* made = new Pool(threads());
    if (pool.compare_exchange_strong(found, made)) return *made;
    made->stop();  // another thread was first
  }
  return *found;
}

}  // namespace

int threads() {
  if (wanted == 0) wanted = cores();
  return wanted;
}

void set_threads(int count) {
  if (Pool* found = pool.load(); found != nullptr && found->size() != count) {
    found->stop();
    pool = nullptr;  // its threads may still be exiting
  }
  wanted = count;
}

void detail::run(std::ptrdiff_t count, Body body, void* context) {
  if (count <= 1 || t_inside || threads() == 1) {
    for (std::ptrdiff_t i = 0; i < count; ++i) body(context, i);
    return;
  }
  the_pool().run(count, body, context);
}

float* thread_scratch(Scratch which, std::size_t count) {
  struct Freer {
    void operator()(float* p) const { std::free(p); }
  };
  struct Buffer {
    std::unique_ptr<float, Freer> memory;
    std::size_t size = 0;
  };
  thread_local Buffer buffers[static_cast<int>(Scratch::kCount)];
  Buffer& buffer = buffers[static_cast<int>(which)];
  if (buffer.size < count) {
    buffer.memory.reset();
    const std::size_t bytes = (count + 128) / 64 * 64 * sizeof(float);
    buffer.memory.reset(static_cast<float*>(std::aligned_alloc(64, bytes)));
    if (!buffer.memory) throw std::bad_alloc();
    buffer.size = count;
  }
  return buffer.memory.get();
}
