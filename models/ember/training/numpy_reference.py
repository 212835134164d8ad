#!/usr/bin/env python3
"""Qwen3.5-MoE in plain NumPy (float64, slow), compared with the golden data.

usage: numpy_reference.py MODEL_FOLDER [FLOAT32.gguf]      (GGUF needs the gguf package)

In GGUF files value head j of the gated delta net belongs to key head j % key_heads (tiled), in
safetensors files to key head j // (value_heads / key_heads) (grouped).
"""

import json
import struct
import sys
from pathlib import Path

import numpy as np

PROMPTS = 6
TOKENS_MAX = 130  # longer prompts would take too long

# Our name of each weight of a layer -> its name in safetensors and in GGUF.
LAYER_NAMES = {
    "input_norm": ("input_layernorm", "attn_norm"),
    "moe_norm": ("post_attention_layernorm", "post_attention_norm"),
    "router": ("mlp.gate", "ffn_gate_inp"),
    "shared_gate": ("mlp.shared_expert.gate_proj", "ffn_gate_shexp"),
    "shared_up": ("mlp.shared_expert.up_proj", "ffn_up_shexp"),
    "shared_down": ("mlp.shared_expert.down_proj", "ffn_down_shexp"),
    "shared_switch": ("mlp.shared_expert_gate", "ffn_gate_inp_shexp"),
}
LINEAR_NAMES = {
    "qkv": ("linear_attn.in_proj_qkv", "attn_qkv"),
    "z": ("linear_attn.in_proj_z", "attn_gate"),
    "beta": ("linear_attn.in_proj_b", "ssm_beta"),
    "alpha": ("linear_attn.in_proj_a", "ssm_alpha"),
    "conv": ("linear_attn.conv1d", "ssm_conv1d"),
    "norm": ("linear_attn.norm", "ssm_norm"),
    "out": ("linear_attn.out_proj", "ssm_out"),
}
ATTENTION_NAMES = {
    "q": ("self_attn.q_proj", "attn_q"),
    "k": ("self_attn.k_proj", "attn_k"),
    "v": ("self_attn.v_proj", "attn_v"),
    "o": ("self_attn.o_proj", "attn_output"),
    "q_norm": ("self_attn.q_norm", "attn_q_norm"),
    "k_norm": ("self_attn.k_norm", "attn_k_norm"),
}
# GGUF stores 1 + weight.
ZERO_CENTRED = ("input_norm", "moe_norm", "q_norm", "k_norm")


def read_safetensors(path):
    data = Path(path).read_bytes()
    (header_bytes,) = struct.unpack("<Q", data[:8])
    header = json.loads(data[8 : 8 + header_bytes])
    body = data[8 + header_bytes :]
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = entry["data_offsets"]
        raw = body[begin:end]
        if entry["dtype"] == "BF16":
            values = (np.frombuffer(raw, np.uint16).astype(np.uint32) << 16).view(np.float32)
        else:
            values = np.frombuffer(raw, {"I32": np.int32, "F32": np.float32}[entry["dtype"]])
        if entry["dtype"] != "I32":
            values = values.astype(np.float64)
        tensors[name] = values.reshape(entry["shape"])
    return tensors


def layer_names(kind):
    return LAYER_NAMES | (LINEAR_NAMES if kind == "linear_attention" else ATTENTION_NAMES)


def weights_of_safetensors(folder, config):
    tensors = read_safetensors(Path(folder) / "model.safetensors")
    embedding = tensors["model.embed_tokens.weight"]
    weights = {
        "embedding": embedding,
        "norm": 1 + tensors["model.norm.weight"],
        "head": tensors.get("lm_head.weight", embedding),
        "layers": [],
    }
    for index, kind in enumerate(config["layer_types"]):
        prefix = f"model.layers.{index}."
        layer = {}
        for name, (stored, _) in layer_names(kind).items():
            tensor = tensors[f"{prefix}{stored}.weight"]
            layer[name] = 1 + tensor if name in ZERO_CENTRED else tensor
        gate_up = tensors[prefix + "mlp.experts.gate_up_proj"]
        inner = gate_up.shape[1] // 2
        layer["gate"], layer["up"] = gate_up[:, :inner], gate_up[:, inner:]
        layer["down"] = tensors[prefix + "mlp.experts.down_proj"]
        if kind == "linear_attention":
            layer["conv"] = layer["conv"][:, 0]
            layer["A"] = -np.exp(tensors[prefix + "linear_attn.A_log"])
            layer["dt_bias"] = tensors[prefix + "linear_attn.dt_bias"]
        weights["layers"].append(layer)
    return weights


def weights_of_gguf(path, config):
    from gguf import GGUFReader

    tensors = {}
    for tensor in GGUFReader(path).tensors:
        shape = [int(size) for size in reversed(tensor.shape)]
        tensors[tensor.name] = np.array(tensor.data, np.float64).reshape(shape)
    embedding = tensors["token_embd.weight"]
    weights = {
        "embedding": embedding,
        "norm": tensors["output_norm.weight"],
        "head": tensors.get("output.weight", embedding),
        "layers": [],
    }
    for index, kind in enumerate(config["layer_types"]):
        prefix = f"blk.{index}."
        names = layer_names(kind)
        layer = {name: tensors[f"{prefix}{stored}.weight"] for name, (_, stored) in names.items()}
        for part in ("gate", "up", "down"):
            layer[part] = tensors[f"{prefix}ffn_{part}_exps.weight"]
        layer["shared_switch"] = layer["shared_switch"].reshape(1, -1)
        if kind == "linear_attention":
            layer["A"] = tensors[prefix + "ssm_a"]
            layer["dt_bias"] = tensors[prefix + "ssm_dt.bias"]
        weights["layers"].append(layer)
    return weights


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def silu(x):
    return x * sigmoid(x)


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def rms_norm(x, weight, eps=1e-6):
    return x / np.sqrt((x * x).mean(-1, keepdims=True) + eps) * weight


def l2_norm(x):
    return x / np.sqrt((x * x).sum(-1, keepdims=True) + 1e-6)


def linear_attention(w, config, h, tiled):
    T = len(h)
    key_heads, value_heads = config["linear_num_key_heads"], config["linear_num_value_heads"]
    key_dim, value_dim = config["linear_key_head_dim"], config["linear_value_head_dim"]
    gate = (h @ w["z"].T).reshape(T, value_heads, value_dim)
    beta = sigmoid(h @ w["beta"].T)
    decay = np.exp(w["A"] * np.logaddexp(0, h @ w["alpha"].T + w["dt_bias"]))

    mixed = h @ w["qkv"].T
    taps = w["conv"].shape[1]
    padded = np.concatenate([np.zeros((taps - 1, mixed.shape[1])), mixed])
    convolved = silu(sum(padded[i : i + T] * w["conv"][:, i] for i in range(taps)))
    q, k, v = np.split(convolved, [key_heads * key_dim, 2 * key_heads * key_dim], axis=1)
    q = l2_norm(q.reshape(T, key_heads, key_dim)) * key_dim**-0.5
    k = l2_norm(k.reshape(T, key_heads, key_dim))
    v = v.reshape(T, value_heads, value_dim)

    o = np.zeros((T, value_heads, value_dim))
    for head in range(value_heads):
        key_head = head % key_heads if tiled else head // (value_heads // key_heads)
        state = np.zeros((key_dim, value_dim))
        for t in range(T):
            state = state * decay[t, head]
            correction = (v[t, head] - k[t, key_head] @ state) * beta[t, head]
            state = state + np.outer(k[t, key_head], correction)
            o[t, head] = q[t, key_head] @ state
    return (rms_norm(o, w["norm"]) * silu(gate)).reshape(T, -1) @ w["out"].T


def rotate(x, rope, head_dim):
    rotary = int(head_dim * rope["partial_rotary_factor"])
    frequencies = rope["rope_theta"] ** (-np.arange(0, rotary, 2) / rotary)
    angles = np.outer(np.arange(len(x)), frequencies)[:, None]
    a, b = x[..., : rotary // 2], x[..., rotary // 2 : rotary]
    cos, sin = np.cos(angles), np.sin(angles)
    return np.concatenate([a * cos - b * sin, b * cos + a * sin, x[..., rotary:]], -1)


def full_attention(w, config, h):
    T = len(h)
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    head_dim, rope = config["head_dim"], config["rope_parameters"]
    q_and_gate = (h @ w["q"].T).reshape(T, heads, 2 * head_dim)
    q, gate = q_and_gate[..., :head_dim], q_and_gate[..., head_dim:]
    k = (h @ w["k"].T).reshape(T, kv_heads, head_dim)
    v = (h @ w["v"].T).reshape(T, kv_heads, head_dim)
    q = rotate(rms_norm(q, w["q_norm"]), rope, head_dim)
    k = rotate(rms_norm(k, w["k_norm"]), rope, head_dim)

    o = np.zeros((T, heads, head_dim))
    future = np.triu(np.full((T, T), -1e30), 1)
    for head in range(heads):
        kv_head = head // (heads // kv_heads)
        scores = q[:, head] @ k[:, kv_head].T * head_dim**-0.5
        o[:, head] = softmax(scores + future) @ v[:, kv_head]
    return (o * sigmoid(gate)).reshape(T, -1) @ w["o"].T


def mixture_of_experts(w, config, h):
    probabilities = softmax(h @ w["router"].T)
    order = np.argsort(-probabilities, axis=-1, kind="stable")
    chosen = order[:, : config["num_experts_per_tok"]]
    y = np.zeros_like(h)
    for t, experts in enumerate(chosen):
        share = probabilities[t, experts]
        for expert, weight in zip(experts, share / share.sum()):
            inner = silu(w["gate"][expert] @ h[t]) * (w["up"][expert] @ h[t])
            y[t] += weight * (w["down"][expert] @ inner)
    shared = (silu(h @ w["shared_gate"].T) * (h @ w["shared_up"].T)) @ w["shared_down"].T
    return y + shared * sigmoid(h @ w["shared_switch"].T)


def forward(weights, config, ids, tiled):
    """Returns (logits, hidden states [L+2, T, H])."""
    x = weights["embedding"][ids]
    hidden = [x]
    for w, kind in zip(weights["layers"], config["layer_types"]):
        h = rms_norm(x, w["input_norm"])
        if kind == "linear_attention":
            x = x + linear_attention(w, config, h, tiled)
        else:
            x = x + full_attention(w, config, h)
        x = x + mixture_of_experts(w, config, rms_norm(x, w["moe_norm"]))
        hidden.append(x)
    x = rms_norm(x, weights["norm"])
    hidden.append(x)
    return x @ weights["head"].T, np.stack(hidden)


def main():
    folder = Path(sys.argv[1])
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    golden = read_safetensors(folder / "golden" / "golden.safetensors")
    models = [("safetensors", weights_of_safetensors(folder, config), False)]
    if len(sys.argv) > 2:
        models.append(("gguf", weights_of_gguf(sys.argv[2], config), True))
    for format_name, weights, tiled in models:
        for prompt in range(PROMPTS):
            ids = golden[f"p{prompt}.ids"]
            if len(ids) >= TOKENS_MAX:
                continue
            logits, hidden = forward(weights, config, ids, tiled)
            logits_off = np.abs(logits[-1] - golden[f"p{prompt}.logits_last"]).max()
            hidden_off = np.abs(hidden[:, -1] - golden[f"p{prompt}.hidden_last"]).max()
            print(
                f"{format_name} prompt {prompt}: largest difference of the last logits "
                f"{logits_off:.2e}, of the hidden states {hidden_off:.2e}"
            )


if __name__ == "__main__":
    main()
