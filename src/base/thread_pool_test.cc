#include "base/thread_pool.h"

#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <limits>
#include <mutex>
#include <set>
#include <thread>
#include <vector>

namespace flashmoe {
namespace {

// Runs one job and counts how often each index was covered and how long the longest range was.
void ExpectCoversOnce(ThreadPool& pool, int64_t n, int64_t grain) {
  std::vector<int> hits(static_cast<size_t>(n), 0);  // plain: ranges are disjoint
  std::atomic<int64_t> longest{0};
  pool.ParallelFor(n, grain, [&](int64_t begin, int64_t end) {
    EXPECT_LT(begin, end);
    int64_t seen = longest.load();
    while (seen < end - begin && !longest.compare_exchange_weak(seen, end - begin)) {
    }
    for (int64_t i = begin; i < end; ++i) ++hits[static_cast<size_t>(i)];
  });
  for (int64_t i = 0; i < n; ++i) ASSERT_EQ(hits[static_cast<size_t>(i)], 1) << i << " of " << n;
  EXPECT_LE(longest.load(), grain);
}

class ThreadPoolTest : public testing::TestWithParam<int> {};

TEST_P(ThreadPoolTest, CoversEveryIndexExactlyOnce) {
  ThreadPool pool(GetParam());
  EXPECT_EQ(pool.threads(), GetParam());
  for (const int64_t n : {1, 2, 3, 7, 64, 1000, 4097}) {
    for (const int64_t grain : {1, 2, 5, 64, 1000, 100000}) ExpectCoversOnce(pool, n, grain);
  }
}

TEST_P(ThreadPoolTest, NothingToDoCallsNobody) {
  ThreadPool pool(GetParam());
  pool.ParallelFor(0, 4, [](int64_t, int64_t) { FAIL(); });
  pool.ParallelFor(-5, 4, [](int64_t, int64_t) { FAIL(); });
}

TEST_P(ThreadPoolTest, ManySmallJobsSeeEachOthersResults) {
  ThreadPool pool(GetParam());
  std::vector<int64_t> values(37, 0);
  constexpr int kJobs = 3000;
  for (int job = 0; job < kJobs; ++job) {
    pool.ParallelFor(static_cast<int64_t>(values.size()), 1 + job % 9,
                     [&](int64_t begin, int64_t end) {
                       for (int64_t i = begin; i < end; ++i) {
                         values[static_cast<size_t>(i)] += job;
                       }
                     });
    // Read by the caller between jobs: the pool must have made the writes visible.
    ASSERT_EQ(values.front(), values.back()) << job;
  }
  for (const int64_t value : values) EXPECT_EQ(value, int64_t{kJobs} * (kJobs - 1) / 2);
}

TEST_P(ThreadPoolTest, SleepersWakeUpAfterAPause) {
  ThreadPool pool(GetParam());
  for (int round = 0; round < 20; ++round) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    ExpectCoversOnce(pool, 100, 3);
  }
}

TEST_P(ThreadPoolTest, UnevenWorkIsFinishedBeforeReturning) {
  ThreadPool pool(GetParam());
  std::atomic<int> finished{0};
  pool.ParallelFor(8, 1, [&](int64_t begin, int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(begin == 0 ? 30 : 1));
    finished.fetch_add(1);
  });
  EXPECT_EQ(finished.load(), 8);
}

INSTANTIATE_TEST_SUITE_P(Threads, ThreadPoolTest, testing::Values(1, 2, 3, 8, 33));

TEST(ThreadPoolCasesTest, SmallJobsRunOnTheCaller) {
  ThreadPool pool(4);
  const std::thread::id caller = std::this_thread::get_id();
  for (int i = 0; i < 100; ++i) {
    int calls = 0;
    pool.ParallelFor(10, 10, [&](int64_t begin, int64_t end) {
      EXPECT_EQ(std::this_thread::get_id(), caller);
      EXPECT_EQ(end - begin, 10);
      ++calls;
    });
    EXPECT_EQ(calls, 1);
  }
}

TEST(ThreadPoolCasesTest, OtherThreadsTakePart) {
  ThreadPool pool(3);
  std::mutex mutex;
  std::set<std::thread::id> ids;
  pool.ParallelFor(60, 1, [&](int64_t, int64_t) {
    std::this_thread::sleep_for(std::chrono::milliseconds(2));
    const std::lock_guard lock(mutex);
    ids.insert(std::this_thread::get_id());
  });
  EXPECT_EQ(ids.size(), 3u);
}

TEST(ThreadPoolCasesTest, OthersFinishTheSectionOfAStuckThread) {
  constexpr int kTaken = 2;  // at once, of the ten chunks of its section
  ThreadPool pool(3);
  std::atomic<int> finished{0};
  bool others_did_the_rest = false;
  pool.ParallelFor(30, 1, [&](int64_t begin, int64_t) {
    if (begin != 0) {
      finished.fetch_add(1);
      return;
    }
    for (int i = 0; i < 10'000 && finished.load() < 30 - kTaken; ++i) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
    others_did_the_rest = finished.load() == 30 - kTaken;
  });
  EXPECT_TRUE(others_did_the_rest);
}

TEST(ThreadPoolCasesTest, HugeGrainsAndCountsDoNotOverflow) {
  constexpr int64_t kHuge = std::numeric_limits<int64_t>::max();
  ThreadPool pool(2);
  std::atomic<int64_t> sum{0};
  pool.ParallelFor(kHuge, kHuge - 1, [&](int64_t begin, int64_t end) { sum += end - begin; });
  EXPECT_EQ(sum.load(), kHuge);
  ExpectCoversOnce(pool, 5, kHuge);
}

TEST(ThreadPoolCasesTest, PoolsAreMadeAndDestroyedWithoutAJob) {
  for (int i = 0; i < 50; ++i) ThreadPool pool(1 + i % 5);
}

TEST(ThreadPoolCasesTest, DestructionRightAfterAJob) {
  for (int i = 0; i < 200; ++i) {
    ThreadPool pool(4);
    std::atomic<int> calls{0};
    pool.ParallelFor(16, 1, [&](int64_t, int64_t) { calls.fetch_add(1); });
    ASSERT_EQ(calls.load(), 16);
  }
}

TEST(ThreadPoolCasesTest, PoolsOfDifferentThreadsWorkSideBySide) {
  std::vector<std::thread> callers;
  for (int c = 0; c < 3; ++c) {
    callers.emplace_back([] {
      ThreadPool pool(3);
      for (int i = 0; i < 200; ++i) ExpectCoversOnce(pool, 50, 7);
    });
  }
  for (std::thread& caller : callers) caller.join();
}

TEST(ThreadPoolCasesTest, JobNumbersMayWrapAround) {
  ThreadPool pool(2);
  int64_t total = 0;
  for (int job = 0; job < 70'000; ++job) {
    std::atomic<int> calls{0};
    pool.ParallelFor(2, 1,
                     [&](int64_t, int64_t) { calls.fetch_add(1, std::memory_order_relaxed); });
    total += calls.load();
  }
  EXPECT_EQ(total, 140'000);
}

TEST(ThreadPoolDeathTest, NestedUseIsRefused) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(
      {
        ThreadPool pool(2);
        pool.ParallelFor(
            4, 1, [&](int64_t, int64_t) { pool.ParallelFor(4, 1, [](int64_t, int64_t) {}); });
      },
      "check failed");
}

TEST(ThreadPoolDeathTest, MisuseIsRefused) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  EXPECT_DEATH(ThreadPool(0), "threads >= 1");
  EXPECT_DEATH(ThreadPool(1).ParallelFor(4, 0, [](int64_t, int64_t) {}), "grain >= 1");
}

TEST(AvailableCpusTest, IsBetweenOneAndTheMachines) {
  EXPECT_GE(AvailableCpus(), 1);
  EXPECT_LE(AvailableCpus(), static_cast<int>(std::thread::hardware_concurrency()));
}

#if defined(__x86_64__) || defined(__aarch64__)
TEST(ThreadPoolTest, TinyFloatsAreZeroInJobsOnly) {
  const volatile float normal = 2e-38f, tiny = 1e-39f;
  EXPECT_GT(normal * 0.1f, 0.0f);
  EXPECT_GT(tiny * 1e10f, 0.0f);
  for (const int threads : {1, 3}) {
    ThreadPool pool(threads);
    std::atomic<int> inside{0}, results{0}, inputs{0};
    pool.ParallelFor(threads, 1, [&](int64_t, int64_t) {
      ++inside;
      while (inside < threads) std::this_thread::yield();  // so that each thread gets one
      results += normal * 0.1f == 0.0f ? 1 : 0;
      inputs += tiny * 1e10f == 0.0f ? 1 : 0;
    });
    EXPECT_EQ(results, threads);
    EXPECT_EQ(inputs, threads);
  }
  EXPECT_GT(normal * 0.1f, 0.0f) << "the caller's mode has come back";
}
#endif

}  // namespace
}  // namespace flashmoe
