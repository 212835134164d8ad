// Reads of a file at random places through the readers, by size, depth and reader, beside what the
// disk gives to plain reads of its blocks in order. Prints CSV.
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <atomic>
#include <chrono>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "base/memory.h"
#include "io/async_reader.h"

namespace flashmoe {
namespace {

struct Flags {
  std::string file;
  double seconds = 0.3;
  int rounds = 3;
  std::vector<uint64_t> kib = {64, 128, 256, 576, 1024, 4096};
  std::vector<int> depths = {1, 2, 4, 8, 16, 32, 64, 128};
  std::vector<std::string> readers = {"uring", "pread"};
  uint64_t memory_mib = 512;  // that reads land in, one place after the other
  std::vector<int> bursts = {};
  bool buffered = false, registered = true;
};

struct Rate {
  double gbps = 0, latency_us = 0, cpu_us = 0;  // cpu_us: of this process and its kernel, a read
};

double CpuSeconds() {
  rusage used = {};
  getrusage(RUSAGE_SELF, &used);
  const auto seconds = [](const timeval& t) {
    return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6;
  };
  return seconds(used.ru_utime) + seconds(used.ru_stime);
}

// `threads` read 4 MiB at a time past the page cache, each the next part of the file.
Rate Sequential(const std::string& path, uint64_t file_bytes, int threads, double seconds) {
  constexpr uint64_t kPart = 4 << 20;
  std::atomic<uint64_t> next = std::random_device()() % (file_bytes / kPart);
  std::atomic<uint64_t> bytes = 0;
  const double start_s = NowSeconds();
  std::vector<std::thread> workers;
  for (int i = 0; i < threads; ++i) {
    workers.emplace_back([&] {
      const int fd = open(path.c_str(), O_RDONLY | O_DIRECT);
      const auto memory = Memory::Allocate(kPart);
      while (fd >= 0 && memory.has_value() && NowSeconds() - start_s < seconds) {
        const uint64_t at = next++ % (file_bytes / kPart) * kPart;
        const ssize_t n = pread(fd, memory->data(), kPart, static_cast<off_t>(at));
        if (n <= 0) break;
        bytes += static_cast<uint64_t>(n);
      }
      close(fd);
    });
  }
  for (std::thread& worker : workers) worker.join();
  return {static_cast<double>(bytes) / (NowSeconds() - start_s) * 1e-9};
}

// Reads of `size` bytes into one part of a memory after the other, as slots are used. They begin
// where experts begin: anywhere.
class RandomReads {
 public:
  static Result<RandomReads> Make(const File& file, ReaderOptions options, uint64_t size,
                                  uint64_t slots_least, const Flags& flags) {
    RandomReads reads(file, size);
    reads.slots_ = std::max(slots_least, (flags.memory_mib << 20) / reads.slot_bytes_);
    FM_ASSIGN_OR_RETURN(reads.memory_, Memory::Allocate(reads.slot_bytes_ * reads.slots_));
    std::fill_n(reads.memory_.data(), reads.memory_.size(), std::byte{1});
    if (flags.registered) options.buffers = reads.memory_.span();
    FM_ASSIGN_OR_RETURN(reads.reader_, MakeReader(options));
    return reads;
  }

  void Submit() {
    const uint64_t offset = random_() % (file_.size() - size_) / 32 * 32;
    std::byte* dest = memory_.data() + next_++ % slots_ * slot_bytes_;
    reader_->Submit({&file_, offset, size_, dest, 0});
  }

  // How many have arrived.
  Result<size_t> Reap(bool wait) {
    done_.clear();
    reader_->Reap(wait, done_);
    for (const ReadCompletion& completion : done_) FM_RETURN_IF_ERROR(completion.status);
    return done_.size();
  }

  AsyncReader& reader() { return *reader_; }

 private:
  RandomReads(const File& file, uint64_t size)
      : file_(file), size_(size), slot_bytes_(AlignUp(size, kBlockBytes) + kBlockBytes) {}

  const File& file_;
  uint64_t size_;
  uint64_t slot_bytes_;
  uint64_t slots_ = 0;
  uint64_t next_ = 0;
  Memory memory_;
  std::unique_ptr<AsyncReader> reader_;
  std::mt19937_64 random_{std::random_device{}()};
  std::vector<ReadCompletion> done_;
};

// With `depth` reads always in flight.
Result<Rate> Steady(const File& file, const ReaderOptions& options, uint64_t size, int depth,
                    const Flags& flags) {
  FM_ASSIGN_OR_RETURN(RandomReads reads,
                      RandomReads::Make(file, options, size, static_cast<uint64_t>(depth), flags));
  const double start_s = NowSeconds(), cpu_start_s = CpuSeconds();
  uint64_t count = 0;
  for (int i = 0; i < depth; ++i) reads.Submit();
  while (NowSeconds() - start_s < flags.seconds) {
    FM_ASSIGN_OR_RETURN(const size_t arrived, reads.Reap(/*wait=*/true));
    for (size_t i = 0; i < arrived; ++i) reads.Submit();
    reads.reader().Flush();
    count += arrived;
  }
  const double took_s = NowSeconds() - start_s;
  const auto reads_done = static_cast<double>(std::max<uint64_t>(count, 1));
  return Rate{static_cast<double>(count * size) / took_s * 1e-9, took_s * depth / reads_done * 1e6,
              (CpuSeconds() - cpu_start_s) / reads_done * 1e6};
}

// All reads of a layer submitted at once, and nobody there to look after them until they should
// have arrived: the part that then has, and the seconds that submitting took.
Status Burst(const File& file, const ReaderOptions& options, uint64_t size, int count,
             const Flags& flags) {
  FM_ASSIGN_OR_RETURN(const Rate best, Steady(file, options, size, 16, flags));
  for (const int depth : {32, 1024}) {
    ReaderOptions with = options;
    with.queue_depth = depth;
    FM_ASSIGN_OR_RETURN(RandomReads reads, RandomReads::Make(file, with, size, 16, flags));
    const double start_s = NowSeconds();
    for (int i = 0; i < count; ++i) reads.Submit();
    reads.reader().Flush();
    const double submitted_s = NowSeconds();
    const double due_s = static_cast<double>(count) * static_cast<double>(size) / best.gbps * 1e-9;
    std::this_thread::sleep_for(std::chrono::duration<double>(1.1 * due_s));
    FM_ASSIGN_OR_RETURN(const size_t arrived, reads.Reap(/*wait=*/false));
    while (reads.reader().in_flight() > 0) FM_RETURN_IF_ERROR(reads.Reap(/*wait=*/true));
    fmt::print(
        "burst of {} reads of {} KiB, {} at the system: submitted in {:.2f} ms, {:.0f} % "
        "there unattended after {:.1f} ms, all after {:.1f} ms\n",
        count, size >> 10, depth, (submitted_s - start_s) * 1e3,
        100.0 * static_cast<double>(arrived) / count, 1.1 * due_s * 1e3,
        (NowSeconds() - start_s) * 1e3);
  }
  return {};
}

double Median(std::vector<double> values) {
  std::ranges::nth_element(values, values.begin() + std::ssize(values) / 2);
  return values[values.size() / 2];
}

Status MeasureReaders(const Flags& flags, const File& file) {
  for (const std::string& name : flags.readers) {
    ReaderOptions options;
    FM_ASSIGN_OR_RETURN(options.kind, ReaderKindFromName(name));
    options.direct = !flags.buffered;
    for (const uint64_t kib : flags.kib) {
      for (const int count : flags.bursts) {
        FM_RETURN_IF_ERROR(Burst(file, options, kib << 10, count, flags));
      }
      for (const int depth : flags.depths) {
        options.queue_depth = depth;
        std::vector<double> gbps, latency, cpu;
        for (int round = 0; round < flags.rounds; ++round) {
          FM_ASSIGN_OR_RETURN(const Rate rate, Steady(file, options, kib << 10, depth, flags));
          gbps.push_back(rate.gbps);
          latency.push_back(rate.latency_us);
          cpu.push_back(rate.cpu_us);
        }
        fmt::print("{},{},{},{},{:.3f},{:.0f},{:.0f}\n", name,
                   flags.buffered ? "page cache" : "direct", kib, depth, Median(gbps),
                   Median(latency), Median(cpu));
      }
    }
  }
  return {};
}

Status Measure(const Flags& flags) {
  FM_ASSIGN_OR_RETURN(const std::shared_ptr<const File> file, File::Open(flags.file));
  if (file->size() < (64 << 20)) return InvalidInput("a file of 64 MiB or more is needed");
  fmt::print("reader,path,KiB,depth,GB/s,latency us,CPU us a read\n");
  for (const int threads : {1, 2, 4, 8}) {
    std::vector<double> gbps;
    for (int round = 0; round < flags.rounds; ++round) {
      gbps.push_back(Sequential(flags.file, file->size(), threads, flags.seconds).gbps);
    }
    fmt::print("in order,direct,4096,{},{:.3f},,\n", threads, Median(gbps));
  }
  return MeasureReaders(flags, *file);
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  flashmoe::Flags flags;
  CLI::App app("GB/s of reads at random places of a file, as CSV");
  app.add_option("file", flags.file)->required();
  app.add_option("--seconds", flags.seconds, "Of each measurement");
  app.add_option("--rounds", flags.rounds, "Of which the median is printed");
  app.add_option("--kib", flags.kib, "Sizes of reads")->delimiter(',');
  app.add_option("--depths", flags.depths, "Reads in flight")->delimiter(',');
  app.add_option("--readers", flags.readers, "uring, pread, mmap")->delimiter(',');
  app.add_option("--memory-mib", flags.memory_mib, "Memory that reads land in, in turn");
  app.add_option("--burst", flags.bursts, "Also submit so many at once and look away")
      ->delimiter(',');
  app.add_flag("--page-cache", flags.buffered, "Through the page cache instead of past it");
  app.add_flag("--registered,!--unregistered", flags.registered, "Register memory with io_uring");
  CLI11_PARSE(app, argc, argv);
  const auto status = flashmoe::Measure(flags);
  if (status.has_value()) return 0;
  fmt::print(stderr, "{}\n", status.error().ToString());
  return 1;
}
