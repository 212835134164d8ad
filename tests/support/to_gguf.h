// A Hugging Face model as the GGUF file that llama.cpp's converter would make of it.
#pragma once

#include <string>

#include "tensor/dtype.h"
#include "tests/support/hub_model.h"

namespace flashmoe {

struct GgufOptions {
  DType type = DType::kF32;       // of matrices; norms, routers and small vectors are F32
  bool fuse_gate_up = false;      // ffn_gate_up_exps in place of two stacks
  bool prediction_block = false;  // one block more, of a multi-token-prediction head
  // Of a qwen3_5_moe_text model: written as qwen3next, value heads in their original order.
  enum class Next {
    kNo,
    kFlat,     // attn_qkv, attn_gate and ssm_ba
    kGrouped,  // ssm_in and ssm_ba, as early files have it
  } next = Next::kNo;
  int parts = 1;  // files of a split set
};

// Returns the path of the (first) file, `stem`.gguf or `stem`-00001-of-0000N.gguf.
std::string WriteGguf(const HubModel& model, const std::string& stem,
                      const GgufOptions& options = {});

}  // namespace flashmoe
