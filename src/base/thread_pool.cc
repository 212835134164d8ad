#include "base/thread_pool.h"

#include <sched.h>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "base/cgroup.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/float_mode.h"

namespace flashmoe {
namespace {

// Jobs of one token follow each other within microseconds; a gap longer than this is disk time.
constexpr double kSpinSeconds = 50e-6;

// A thread takes a fourth of what is left at a time: taking waits for all that it has yet to write.
constexpr int64_t kShares = 4;

// One word tells everything about the current job:
//   bits 0..14  workers inside it
//   bit 15      open: workers may still enter
//   bits 16..31 its number, which wraps around: a worker that misses a job does no harm, because
//               a job never waits for a worker that has not entered.
constexpr uint32_t kInsideMask = 0x7fff;
constexpr uint32_t kOpen = 0x8000;
constexpr uint32_t kNumberStep = 0x10000;

constexpr uint32_t Inside(uint32_t state) { return state & kInsideMask; }
constexpr uint32_t Number(uint32_t state) { return state / kNumberStep; }

void CpuRelax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Polls `ready` for up to kSpinSeconds; true as soon as it holds.
template <typename Ready>
bool SpinUntil(const Ready& ready) {
  const double end = NowSeconds() + kSpinSeconds;
  do {
    for (int i = 0; i < 32; ++i) {
      if (ready()) return true;
      CpuRelax();
    }
  } while (NowSeconds() < end);
  return ready();
}

}  // namespace

struct ThreadPool::Impl {
  std::vector<std::thread> workers;
  bool spin = true;

  // The job; read by a worker between entering and leaving, written by the caller while nobody
  // is inside.
  int64_t n = 0;
  int64_t grain = 1;
  int64_t chunks = 0;
  RangeFn fn = nullptr;
  void* context = nullptr;

  // The job's chunks in sections of about equal size, one for each thread.
  struct alignas(64) Section {
    std::atomic<int64_t> next_chunk{0};
    int64_t end = 0;
  };
  std::vector<Section> sections;  // [threads]

  alignas(64) std::atomic<uint32_t> state{0};  // workers sleep on it
  std::atomic<bool> stop{false};
  alignas(64) std::atomic<uint32_t> emptied{0};  // the caller sleeps on it

  void WorkerLoop(size_t section);
  void WaitForNewJob(uint32_t seen);
  bool TryEnter(uint32_t* seen);
  void Leave();
  void RunChunks(size_t section);
  void RunHere(int64_t first, int64_t last);
  int64_t SectionBegin(int64_t i) const;
  void Open();
  void Close();
};

void ThreadPool::Impl::WorkerLoop(size_t section) {
  const TinyFloatsAreZero mode;
  uint32_t seen = 0;
  for (;;) {
    WaitForNewJob(seen);
    if (stop.load(std::memory_order_relaxed)) return;
    if (TryEnter(&seen)) {
      RunChunks(section);
      Leave();
    }
  }
}

// Returns when the job's number differs from `seen`, or the pool ends: that changes the number
// once, and a worker on its way into the last job may have taken the new one for that job's.
void ThreadPool::Impl::WaitForNewJob(uint32_t seen) {
  const auto is_new = [&] {
    return Number(state.load(std::memory_order_acquire)) != seen ||
           stop.load(std::memory_order_relaxed);
  };
  if (spin && SpinUntil(is_new)) return;
  for (;;) {
    const uint32_t now = state.load();
    if (Number(now) != seen || stop.load(std::memory_order_relaxed)) return;
    state.wait(now);
  }
}

// Enters the current job if it is still open; `seen` becomes its number.
bool ThreadPool::Impl::TryEnter(uint32_t* seen) {
  uint32_t now = state.load(std::memory_order_acquire);
  *seen = Number(now);
  while ((now & kOpen) != 0 && Number(now) == *seen) {
    if (state.compare_exchange_weak(now, now + 1, std::memory_order_acq_rel,
                                    std::memory_order_acquire)) {
      return true;
    }
  }
  return false;
}

void ThreadPool::Impl::Leave() {
  const uint32_t before = state.fetch_sub(1, std::memory_order_acq_rel);
  if (Inside(before) == 1 && (before & kOpen) == 0) {
    emptied.fetch_add(1);
    emptied.notify_one();
  }
}

void ThreadPool::Impl::RunHere(int64_t first, int64_t last) {
  for (int64_t chunk = first; chunk < last; ++chunk) {
    const int64_t begin = chunk * grain;
    fn(context, begin, begin + std::min(grain, n - begin));
  }
}

// The chunks of `section`, then what is left of the others.
void ThreadPool::Impl::RunChunks(size_t section) {
  for (size_t i = 0; i < sections.size(); ++i) {
    Section& from = sections[(section + i) % sections.size()];
    int64_t next;
    while ((next = from.next_chunk.load(std::memory_order_relaxed)) < from.end) {
      const int64_t share = std::max<int64_t>(1, (from.end - next) / kShares);
      const int64_t first = from.next_chunk.fetch_add(share, std::memory_order_relaxed);
      RunHere(first, std::min(first + share, from.end));
    }
  }
}

int64_t ThreadPool::Impl::SectionBegin(int64_t i) const {
  const auto count = static_cast<int64_t>(sections.size());
  return chunks / count * i + chunks % count * i / count;
}

// Publishes the job and wakes as many sleepers as it has chunks for.
void ThreadPool::Impl::Open() {
  const auto count = static_cast<int64_t>(sections.size());
  for (int64_t i = 0; i < count; ++i) {
    Section& section = sections[static_cast<size_t>(i)];
    section.next_chunk.store(SectionBegin(i), std::memory_order_relaxed);
    section.end = SectionBegin(i + 1);
  }
  const uint32_t number = Number(state.load(std::memory_order_relaxed)) + 1;
  state.store(number * kNumberStep | kOpen);
  const auto helpers_max = static_cast<int64_t>(workers.size());
  if (chunks - 1 >= helpers_max) {
    state.notify_all();
  } else {
    for (int64_t i = 0; i < chunks - 1; ++i) state.notify_one();
  }
}

// Lets nobody in any more and waits for those inside.
void ThreadPool::Impl::Close() {
  if (Inside(state.fetch_and(~kOpen, std::memory_order_acq_rel)) == 0) return;
  const auto is_empty = [&] { return Inside(state.load(std::memory_order_acquire)) == 0; };
  if (spin && SpinUntil(is_empty)) return;
  for (;;) {
    const uint32_t before = emptied.load();
    if (is_empty()) return;
    emptied.wait(before);
  }
}

ThreadPool::ThreadPool(int threads) : impl_(std::make_unique<Impl>()) {
  FM_CHECK(threads >= 1);
  const int count = std::min(threads, static_cast<int>(kInsideMask));
  // A waiting thread must not take the CPU from one that works.
  impl_->spin = count <= AvailableCpus();
  impl_->workers.reserve(static_cast<size_t>(count - 1));
  impl_->sections = std::vector<Impl::Section>(static_cast<size_t>(count));
  try {
    for (int i = 1; i < count; ++i) {
      impl_->workers.emplace_back(
          [impl = impl_.get(), i] { impl->WorkerLoop(static_cast<size_t>(i)); });
    }
  } catch (const std::system_error&) {
    // A process limit was reached: the threads that did start do the work.
  }
}

ThreadPool::~ThreadPool() {
  impl_->stop.store(true, std::memory_order_relaxed);
  impl_->state.fetch_add(kNumberStep);
  impl_->state.notify_all();
  for (std::thread& worker : impl_->workers) worker.join();
}

int ThreadPool::threads() const { return static_cast<int>(impl_->workers.size()) + 1; }

void ThreadPool::Run(int64_t n, int64_t grain, RangeFn fn, void* context) {
  FM_CHECK(grain >= 1);
  if (n <= 0) return;
  const TinyFloatsAreZero mode;
  if (n <= grain) {
    fn(context, 0, n);
    return;
  }
  Impl& impl = *impl_;
  FM_CHECK((impl.state.load(std::memory_order_relaxed) & kOpen) == 0);  // nested use
  impl.n = n;
  impl.grain = grain;
  impl.chunks = (n - 1) / grain + 1;
  impl.fn = fn;
  impl.context = context;
  if (impl.workers.empty()) {
    impl.RunHere(0, impl.chunks);
    return;
  }
  impl.Open();
  impl.RunChunks(0);
  impl.Close();
}

int AvailableCpus() {
  // Machines with more CPUs than a cpu_set_t holds need a larger set.
  int allowed = 1;
  for (int cpus_max = 1024; cpus_max <= 1 << 20; cpus_max *= 4) {
    cpu_set_t* set = CPU_ALLOC(cpus_max);
    if (set == nullptr) break;
    const size_t bytes = CPU_ALLOC_SIZE(cpus_max);
    const bool known = sched_getaffinity(0, bytes, set) == 0;
    if (known) allowed = std::max(1, CPU_COUNT_S(bytes, set));
    CPU_FREE(set);
    if (known) break;
  }
  const std::optional<double> quota = CgroupCpuQuota("");
  if (!quota.has_value()) return allowed;
  return std::clamp(static_cast<int>(std::ceil(std::min(*quota, 1e6))), 1, allowed);
}

}  // namespace flashmoe
