// Kernel tables on one thread. One token: bytes of weights per second from a matrix that no cache
// holds, to be read beside the roof, "read_memory". Many tokens: multiplications per second on a
// matrix of an expert's size.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cstring>
#include <memory>

#include "kernels/testing.h"

namespace flashmoe {
namespace {

using testing::Random;
using testing::RandomActivations;
using testing::RandomMatrix;

constexpr int64_t kLargeBytes = 256 << 20;
constexpr int64_t kLargeCols = 4096;

// Sums 64-bit words: as fast as one thread can read.
void ReadMemory(benchmark::State& state) {
  const std::vector<uint64_t> words(kLargeBytes / 8, 1);
  for (auto _ : state) {
    uint64_t sum[16] = {};
    for (size_t i = 0; i < words.size(); i += 16) {
      for (size_t j = 0; j < 16; ++j) sum[j] ^= words[i + j];
    }
    for (const uint64_t s : sum) benchmark::DoNotOptimize(s);
  }
  state.SetBytesProcessed(state.iterations() * kLargeBytes);
}

void CopyMemory(benchmark::State& state) {
  const std::vector<char> from(kLargeBytes / 2, 1);
  std::vector<char> to(kLargeBytes / 2);
  for (auto _ : state) {
    std::memcpy(to.data(), from.data(), from.size());
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * kLargeBytes);
}

void OneToken(benchmark::State& state, const KernelTable* table, DType type) {
  Random random(1);
  // Random rows, repeated: filling 256 MiB at random would take longer than the measurement.
  const int64_t few = 64;
  const RandomMatrix pattern(random, type, few, kLargeCols);
  const int64_t row_bytes = pattern.view().row_bytes;
  const int64_t rows = kLargeBytes / row_bytes;
  std::vector<std::byte> bytes(static_cast<size_t>(rows * row_bytes));
  for (int64_t r = 0; r < rows; ++r) {
    std::memcpy(bytes.data() + r * row_bytes, pattern.view().data + r % few * row_bytes,
                static_cast<size_t>(row_bytes));
  }
  Matrix w = pattern.view();
  w.rows = rows;
  w.data = bytes.data();
  int64_t scale_bytes = 0;
  std::vector<std::byte> scales;
  if (w.group != 0) {
    scale_bytes = rows * (w.cols / w.group) * 2;
    scales.assign(static_cast<size_t>(2 * scale_bytes), std::byte{0x3c});
    w.scales = scales.data();
    w.biases = scales.data() + scale_bytes;
  }
  const RandomActivations x(random, *table, 1, kLargeCols);
  std::vector<float> y(static_cast<size_t>(rows));
  for (auto _ : state) {
    table->matmul(w, 0, rows, x.view(), y.data(), rows);
    benchmark::ClobberMemory();
  }
  state.SetBytesProcessed(state.iterations() * (rows * row_bytes + 2 * scale_bytes));
}

void ManyTokens(benchmark::State& state, const KernelTable* table, DType type, int64_t n) {
  Random random(2);
  constexpr int64_t kRows = 512, kCols = 2048;
  const RandomMatrix w(random, type, kRows, kCols);
  const RandomActivations x(random, *table, n, kCols);
  std::vector<float> y(static_cast<size_t>(n * kRows));
  for (auto _ : state) {
    table->matmul(w.view(), 0, kRows, x.view(), y.data(), kRows);
    benchmark::ClobberMemory();
  }
  state.counters["GMAC/s"] =
      benchmark::Counter(static_cast<double>(state.iterations() * n * kRows * kCols) * 1e-9,
                         benchmark::Counter::kIsRate);
}

void DeltaChunks(benchmark::State& state, const KernelTable* table, bool steps) {
  Random random(3);
  constexpr int64_t kDim = 128;
  std::vector<float> s = testing::RandomFloats(random, kDim * kDim, 0.1f);
  std::vector<float> q = testing::RandomFloats(random, kDeltaChunk * kDim, 0.05f), k = q, v = q;
  std::vector<float> g(kDeltaChunk, -0.1f), beta(kDeltaChunk, 0.5f), out(kDeltaChunk * kDim);
  std::vector<float> scratch(static_cast<size_t>(DeltaChunkScratch(kDim)));
  for (auto _ : state) {
    if (steps) {
      for (int64_t t = 0; t < kDeltaChunk; ++t) {
        table->delta_step({s.data(), q.data() + t * kDim, k.data() + t * kDim, v.data() + t * kDim,
                           0.9f, 0.5f, kDim, kDim, out.data() + t * kDim});
      }
    } else {
      table->delta_chunk({.state = s.data(),
                          .q = q.data(),
                          .k = k.data(),
                          .v = v.data(),
                          .g = g.data(),
                          .beta = beta.data(),
                          .tokens = kDeltaChunk,
                          .key_dim = kDim,
                          .value_dim = kDim,
                          .scratch = scratch.data()});
    }
    benchmark::ClobberMemory();
  }
  state.SetItemsProcessed(state.iterations() * kDeltaChunk);
}

// A block of eight heads; of one token while decoding, of 16 in a prompt.
void AttendF16(benchmark::State& state, const KernelTable* table, int64_t tokens) {
  Random random(4);
  constexpr int64_t kDim = 256, kLength = 4096, kHeads = 8;
  const std::vector<float> q = testing::RandomFloats(random, tokens * kHeads * kDim);
  std::vector<float> scratch(static_cast<size_t>(AttentionScratch(kDim, kLength))), out(q.size());
  const std::vector<std::byte> kv(static_cast<size_t>(4 * kDim * kLength), std::byte{0x30});
  AttentionBlock block;
  block.q = q.data();
  block.q_token_stride = block.out_token_stride = kHeads * kDim;
  block.q_head_stride = block.out_head_stride = kDim;
  block.k = kv.data();
  block.v = kv.data() + 2 * kDim * kLength;
  block.stride_bytes = 2 * kDim;
  block.tokens = tokens;
  block.heads = kHeads;
  block.length = kLength - tokens + 1;
  block.head_dim = kDim;
  block.scale = 0.06f;
  block.scratch = scratch.data();
  block.out = out.data();
  for (auto _ : state) {
    table->attention(block);
    benchmark::ClobberMemory();
  }
  // Two multiplications and additions of a query with each position.
  state.counters["operations/s"] =
      benchmark::Counter(static_cast<double>(4 * kDim * kLength * kHeads * tokens),
                         benchmark::Counter::kIsIterationInvariantRate);
}

void RegisterAll() {
  benchmark::RegisterBenchmark("read_memory", ReadMemory);
  benchmark::RegisterBenchmark("copy_memory", CopyMemory);
  constexpr DType kTypes[] = {DType::kF32,  DType::kF16,  DType::kBF16, DType::kQ8_0, DType::kQ4_0,
                              DType::kQ4_K, DType::kQ5_K, DType::kQ6_K, DType::kMlx4, DType::kMlx8};
  for (const KernelTable* table : AvailableKernels()) {
    if (table == &ScalarKernels()) continue;
    for (const DType type : kTypes) {
      const auto name = fmt::format("{}/{}", table->name, GetInfo(type).name);
      benchmark::RegisterBenchmark((name + "/one_token").c_str(), OneToken, table, type);
      for (const int64_t n : {1, 4, 16, 64}) {
        benchmark::RegisterBenchmark(fmt::format("{}/tokens:{}", name, n).c_str(), ManyTokens,
                                     table, type, n);
      }
    }
    const auto name = [&](const char* what) { return fmt::format("{}/{}", table->name, what); };
    benchmark::RegisterBenchmark(name("delta_step").c_str(), DeltaChunks, table, true);
    benchmark::RegisterBenchmark(name("delta_chunk").c_str(), DeltaChunks, table, false);
    benchmark::RegisterBenchmark(name("attention_f16").c_str(), AttendF16, table, 1);
    benchmark::RegisterBenchmark(name("attention_f16_16").c_str(), AttendF16, table, 16);
  }
}

}  // namespace
}  // namespace flashmoe

int main(int argc, char** argv) {
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  flashmoe::RegisterAll();
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}
