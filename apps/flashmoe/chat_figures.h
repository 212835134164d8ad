// What an answer cost, and the line that says so.
#pragma once

#include <cstdint>
#include <string>

namespace flashmoe::cli {

struct TurnFigures {
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;  // of these, known from before
  int64_t answer_tokens = 0;
  double ttft_s = 0;
  double tokens_per_s = 0;  // of the answer; 0: it was too short to say
  uint64_t expert_requests = 0, expert_hits = 0, bytes_read = 0;
  double read_s = 0;
  int64_t context_used = 0, context = 0;
};

// "12.3 tokens/s · first after 0.41 s · 22 read, 104 known · 64.2 % hits · 5.07 GB/s · context
// 140/4096". In fewer columns it is said in short, and what tells least is left out.
std::string FiguresLine(const TurnFigures& figures, int columns);

}  // namespace flashmoe::cli
