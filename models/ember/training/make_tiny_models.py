#!/usr/bin/env python3
"""Makes two tiny random models with odd sizes, for tests: a Qwen3.5-MoE and a Qwen3-MoE.

usage: make_tiny_models.py TOKENIZER_FOLDER OUTPUT_FOLDER
"""

import json
import random
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file
from transformers import AutoConfig, AutoModelForCausalLM

VOCABULARY = 512
SPECIAL_TOKENS = 9
PROMPT_LENGTHS = (33, 7, 64, 65, 700, 1)
COMMON = {
    "vocab_size": VOCABULARY,
    "hidden_act": "silu",
    "max_position_embeddings": 2048,
    "initializer_range": 0.05,
    "rms_norm_eps": 1e-6,
    "use_cache": True,
    "tie_word_embeddings": False,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "num_experts_per_tok": 3,
    "router_aux_loss_coef": 0.001,
    "output_router_logits": False,
    "bos_token_id": None,
    "eos_token_id": VOCABULARY - 7,
    "pad_token_id": VOCABULARY - 9,
    "dtype": "bfloat16",
    "transformers_version": "5.17.0",
}
QWEN3_5 = COMMON | {
    "architectures": ["Qwen3_5MoeForCausalLM"],
    "model_type": "qwen3_5_moe_text",
    "hidden_size": 256,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 32,
    "attn_output_gate": True,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 10000.0,
        "partial_rotary_factor": 0.5,
        "mrope_section": [3, 3, 2],
        "mrope_interleaved": True,
    },
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 32,
    "linear_value_head_dim": 48,
    "linear_num_key_heads": 2,
    "linear_num_value_heads": 6,
    "moe_intermediate_size": 64,
    "shared_expert_intermediate_size": 96,
    "num_experts": 12,
    "full_attention_interval": 2,
    "layer_types": ["linear_attention", "full_attention"] * 2,
}
QWEN3 = COMMON | {
    "architectures": ["Qwen3MoeForCausalLM"],
    "model_type": "qwen3_moe",
    "hidden_size": 192,
    "num_hidden_layers": 3,
    "num_attention_heads": 6,
    "num_key_value_heads": 3,
    "head_dim": 48,
    "rope_theta": 500000.0,
    "rope_parameters": {"rope_type": "default", "rope_theta": 500000.0},
    "intermediate_size": 256,
    "moe_intermediate_size": 96,
    "num_experts": 10,
    "norm_topk_prob": True,
    "decoder_sparse_step": 1,
    "mlp_only_layers": [],
    "use_sliding_window": False,
    "sliding_window": None,
}


def write_json(path, value, **options):
    path.write_text(json.dumps(value, **options), encoding="utf-8")


def write_small_tokenizer(source, output):
    """Cuts Ember's tokenizer down: ids below 256 are bytes, and every merge adds one entry."""
    tokenizer = json.loads((source / "tokenizer.json").read_text(encoding="utf-8"))
    model = tokenizer["model"]
    kept = {t: i for t, i in model["vocab"].items() if i < VOCABULARY - SPECIAL_TOKENS}
    model["merges"] = [
        merge for merge in model["merges"] if {merge[0], merge[1], merge[0] + merge[1]} <= set(kept)
    ]
    model["vocab"] = kept
    for index, token in enumerate(tokenizer["added_tokens"]):
        token["id"] = VOCABULARY - SPECIAL_TOKENS + index
    write_json(output / "tokenizer.json", tokenizer, ensure_ascii=False, indent=1)

    config = json.loads((source / "tokenizer_config.json").read_text(encoding="utf-8"))
    keys = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    config["added_tokens_decoder"] = {
        str(token["id"]): {key: token[key] for key in keys} for token in tokenizer["added_tokens"]
    }
    write_json(output / "tokenizer_config.json", config, ensure_ascii=False, indent=2)
    shutil.copy(source / "chat_template.jinja", output / "chat_template.jinja")


def deviation_and_mean(name, zero_centred_norms):
    """Chosen so that every part matters: gates open, decays differ, experts are told apart."""
    if name.endswith("dt_bias"):
        return 1.0, -2.0
    if name.endswith("linear_attn.norm.weight"):
        return 0.15, 1.0
    if "norm" in name:
        return 0.15, 0.0 if zero_centred_norms else 1.0
    if "conv1d" in name:
        return 0.4, 0.0
    if name.endswith("mlp.gate.weight"):
        return 0.15, 0.0
    if "embed" in name:
        return 0.5, 0.0
    if name.endswith(("in_proj_a.weight", "in_proj_b.weight", "shared_expert_gate.weight")):
        return 0.1, 0.0
    if "lm_head" in name:
        return 0.25, 0.0
    return 0.06, 0.0


@torch.no_grad()
def initialize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    zero_centred_norms = model.config.model_type.startswith("qwen3_5")
    for name, parameter in model.named_parameters():
        if name.endswith("A_log"):
            decay = torch.rand(parameter.shape, generator=generator) * 4 + 0.2
            parameter.copy_(torch.log(decay))
        else:
            deviation, mean = deviation_and_mean(name, zero_centred_norms)
            noise = torch.randn(parameter.shape, generator=generator)
            parameter.copy_(noise * deviation + mean)


def split_experts(state):
    """Published Qwen3-MoE checkpoints store every expert on its own."""
    for name in [n for n in state if n.endswith(("experts.gate_up_proj", "experts.down_proj"))]:
        stacked, base = state.pop(name), name.rsplit(".", 1)[0]
        for expert, weight in enumerate(stacked):
            if name.endswith("down_proj"):
                state[f"{base}.{expert}.down_proj.weight"] = weight.clone()
            else:
                gate, up = weight.chunk(2, 0)
                state[f"{base}.{expert}.gate_proj.weight"] = gate.clone()
                state[f"{base}.{expert}.up_proj.weight"] = up.clone()


def make_model(config, tokenizer_folder, output, seed):
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "config.json", config, indent=2)
    model_config = AutoConfig.from_pretrained(output)
    model = AutoModelForCausalLM.from_config(model_config, dtype=torch.float32)
    initialize(model, seed)
    state = {
        name: tensor.detach().to(torch.bfloat16).contiguous()
        for name, tensor in model.state_dict().items()
    }
    if config["model_type"] == "qwen3_moe":
        split_experts(state)
    weights = dict(sorted(state.items()))
    save_file(weights, output / "model.safetensors", metadata={"format": "pt"})
    generation = {
        "eos_token_id": [VOCABULARY - 7, VOCABULARY - 9],
        "pad_token_id": VOCABULARY - 9,
        "transformers_version": config["transformers_version"],
    }
    write_json(output / "generation_config.json", generation, indent=2)
    write_small_tokenizer(tokenizer_folder, output)

    rng = random.Random(seed)
    prompts = [
        {"name": f"random_{length}", "ids": [rng.randrange(VOCABULARY) for _ in range(length)]}
        for length in PROMPT_LENGTHS
    ]
    write_json(output.parent / f"prompts_{output.name}.json", prompts)
    print(output, sum(tensor.numel() for tensor in state.values()), "parameters")


def main():
    tokenizer_folder, output = Path(sys.argv[1]), Path(sys.argv[2])
    make_model(QWEN3_5, tokenizer_folder, output / "tiny-random", seed=11)
    make_model(QWEN3, tokenizer_folder, output / "tiny-random-qwen3moe", seed=12)


if __name__ == "__main__":
    main()
