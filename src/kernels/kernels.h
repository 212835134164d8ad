// The arithmetic of the engine: one table of functions per instruction set, chosen at run time.
//
// Promises that every table keeps:
//  * A result depends on its own row and token alone: not on how many rows or tokens a call has,
//    nor on how the caller splits the work among threads. So outputs are bit-identical for any
//    batch size, thread count and order of arrival.
//  * Weights and file bytes may lie at any address; floats are naturally aligned.
//  * Functions allocate nothing, keep no state and may be called from any thread.
// The scalar table is the reference: plain float32 arithmetic on dequantised weights.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "tensor/matrix.h"

namespace flashmoe {

// How matmul wants its inputs for a weight type.
enum class ActivationFormat : uint8_t {
  kF32,  // floats as they are
  kQ8,   // int8 with a float scale per 32 elements
};

// n rows of inputs. Only the fields of the format that the weight's type asks for are read.
struct Activations {
  int64_t n = 0;                  // tokens
  int64_t cols = 0;               // elements of a row; kQ8 requires cols % 32 == 0
  const float* f32 = nullptr;     // [n, cols]
  const int8_t* q8 = nullptr;     // [n, cols]
  const float* scales = nullptr;  // [n, cols / 32]: x = scale * q8
  const int16_t* sums = nullptr;  // [n, cols / 16]: sums of q8
};

// Tokens first .. first + n of x.
Activations SliceTokens(const Activations& x, int64_t first, int64_t n);

enum class KvType : uint8_t {
  kF32,
  kF16,
  kQ8,  // blocks of 32: a float scale, then int8, as quantize_q8 has them
};
inline constexpr int64_t kKvBlock = 32;
inline constexpr int64_t kKvBlockBytes = 36;
// Of n elements. REQUIRES: whole blocks, of kQ8.
constexpr int64_t KvBytes(KvType type, int64_t n) {
  return type == KvType::kF32 ? 4 * n : type == KvType::kF16 ? 2 * n : n / kKvBlock * kKvBlockBytes;
}

// Queries that share the cache of one key/value head: `heads` query heads of each of `tokens`
// consecutive tokens. Strides of q and out are in floats.
inline constexpr int64_t kAttentionRows = 128;
struct AttentionBlock {
  const float* q = nullptr;  // [tokens, heads, head_dim]
  int64_t q_token_stride = 0;
  int64_t q_head_stride = 0;
  const std::byte* k = nullptr;  // position p at k + p * stride_bytes, [head_dim] of kv_type
  const std::byte* v = nullptr;  // likewise
  KvType kv_type = KvType::kF16;
  int64_t stride_bytes = 0;
  int64_t tokens = 1;
  int64_t heads = 1;         // tokens * heads <= kAttentionRows
  int64_t length = 0;        // positions that the first token attends to, >= 1; the next one more
  int64_t head_dim = 0;      // multiple of 8; of kKvBlock for kQ8
  float scale = 1.0f;        // 1 / sqrt(head_dim)
  float* scratch = nullptr;  // AttentionScratch(head_dim, length of the last token)
  float* out = nullptr;      // [tokens, heads, head_dim]
  int64_t out_token_stride = 0;
  int64_t out_head_stride = 0;
};
inline constexpr int64_t kAttentionPositions = 32;  // taken at a time
constexpr int64_t AttentionScratch(int64_t head_dim, int64_t length) {
  // Keys and values of those positions, widened; the reference keeps the scores of a row.
  const int64_t blocked = 2 * kAttentionPositions * (head_dim + 31) + kAttentionRows * 17;
  return blocked > length ? blocked : length;
}

// One step of the gated delta rule for one value head (Yang et al. 2024, arXiv:2412.06464):
//   S <- e^g S;  d = beta (v - S k);  S <- S + d k^T;  o = S q
// with the state stored transposed, so that row j holds what value element j remembers.
struct DeltaStep {
  float* state = nullptr;    // [value_dim, key_dim]
  const float* q = nullptr;  // [key_dim], l2-normalised, times key_dim^-1/2
  const float* k = nullptr;  // [key_dim], l2-normalised
  const float* v = nullptr;  // [value_dim]
  float decay = 1.0f;        // e^g
  float beta = 1.0f;
  int64_t key_dim = 0;
  int64_t value_dim = 0;
  float* out = nullptr;  // [value_dim]; may be v
};

// The same rule for up to kDeltaChunk tokens of one head at once, which lie one after another; g is
// the logarithm of the decay (<= 0). `scratch` holds DeltaChunkScratch() floats.
inline constexpr int64_t kDeltaChunk = 64;
struct DeltaChunk {
  float* state = nullptr;       // [value_dim, key_dim]
  const float* q = nullptr;     // [tokens, key_dim]
  const float* k = nullptr;     // [tokens, key_dim]
  float* v = nullptr;           // [tokens, value_dim]; outputs take its place
  const float* g = nullptr;     // [tokens]
  const float* beta = nullptr;  // [tokens]
  int64_t tokens = 0;
  int64_t key_dim = 0;
  int64_t value_dim = 0;
  float* scratch = nullptr;
};
constexpr int64_t DeltaChunkScratch(int64_t key_dim) {
  // The reference's pairs of tokens; others keep 16 rows of the state.
  return 2 * kDeltaChunk * kDeltaChunk + 16 * key_dim + 3 * kDeltaChunk;
}

// The multiples of this, modulo 2^32, are spread evenly however many are taken.
inline constexpr uint32_t kChanceStep = 0x9e3779b9;  // 2^32 / golden ratio

struct KernelTable {
  std::string_view name;     // "scalar", "avx2", "avx512", "amx"
  uint64_t stack_bytes = 0;  // that products touch on each thread, beyond some pages

  // What matmul reads for weights of this type; quantisable types need cols % 32 == 0.
  ActivationFormat (*activation_format)(DType type);

  // Quantises n rows of x [n, cols] to kQ8: scale = max|x| / 127 per 32, round to nearest even.
  void (*quantize_q8)(const float* x, int64_t n, int64_t cols, int8_t* q8, float* scales,
                      int16_t* sums);

  // y[t * y_stride + r] = sum over c of w[r, c] * x[t, c], for r in [row_begin, row_end) and every
  // token t of x. Note that y is indexed by the absolute row r.
  void (*matmul)(const Matrix& w, int64_t row_begin, int64_t row_end, const Activations& x,
                 float* y, int64_t y_stride);

  // One row as floats.
  void (*dequantize_row)(const Matrix& w, int64_t row, float* out);

  // y = x * weight / sqrt(mean(x^2) + eps); x and y may be the same.
  void (*rms_norm)(const float* x, const float* weight, float eps, int64_t n, float* y);
  // y = x / sqrt(sum(x^2) + eps) * scale; x and y may be the same.
  void (*l2_norm)(const float* x, float eps, float scale, int64_t n, float* y);
  // y = silu(gate) * up; y may be either input.
  void (*silu_mul)(const float* gate, const float* up, int64_t n, float* y);
  // x *= sigmoid(gate)
  void (*sigmoid_mul)(const float* gate, int64_t n, float* x);
  // x *= silu(gate)
  void (*silu_scale)(const float* gate, int64_t n, float* x);
  // y += a * x
  void (*axpy)(float a, const float* x, int64_t n, float* y);
  // The same, of bfloat16; element i is rounded up with probability chance[i] / 2^32 of a step,
  // where chance[i] = chance + i * kChanceStep. For sums of many small parts: right on average,
  // where the nearest would never move.
  void (*axpy_bf16)(float a, const float* x, int64_t n, uint32_t chance, uint16_t* y);
  float (*dot)(const float* a, const float* b, int64_t n);
  // In place; the largest element is subtracted first.
  void (*softmax)(float* x, int64_t n);

  // u[c] = silu(sum over j of weight[c, j] * window[j][c]) for c in [0, channels): a causal
  // depthwise convolution of 4 taps; window[3] is the current token.
  void (*conv4_silu)(const float* weight, const float* const window[4], int64_t channels, float* u);

  // Rotates pairs (i, i + half) of x [2 * half ..] by angles whose cosines and sines are given.
  void (*rope)(float* x, const float* cosines, const float* sines, int64_t half);

  // REQUIRES: n a multiple of kKvBlock for kQ8. Any address.
  void (*store_kv)(const float* x, int64_t n, KvType type, std::byte* out);
  void (*attention)(const AttentionBlock& args);
  void (*delta_step)(const DeltaStep& args);
  void (*delta_chunk)(const DeltaChunk& args);
};

// The reference; always available.
const KernelTable& ScalarKernels();

// Tables this CPU can run, slowest first; the last one is the default.
std::vector<const KernelTable*> AvailableKernels();

// `name` is one of AvailableKernels() or "auto". An error lists what this CPU has.
Result<const KernelTable*> SelectKernels(std::string_view name);

}  // namespace flashmoe
