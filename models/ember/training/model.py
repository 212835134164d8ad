"""The Qwen3.5-MoE text model for training: gated delta nets, gated attention, mixture of experts.

Parameters have the names of Hugging Face's Qwen3_5MoeForCausalLM without the leading "model.", so
that checkpoints can be exchanged. Master weights are float32, matrix products bfloat16.
"""

import math

import torch
import torch.nn as nn
import torch.nn.functional as F

from delta_rule import gated_delta_rule

IGNORED_TARGET = -100

EMBER_CONFIG = {
    "architectures": ["Qwen3_5MoeForCausalLM"],
    "model_type": "qwen3_5_moe_text",
    "vocab_size": 8192,
    "hidden_size": 256,
    "num_hidden_layers": 8,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "head_dim": 64,
    "hidden_act": "silu",
    "max_position_embeddings": 4096,
    "initializer_range": 0.02,
    "rms_norm_eps": 1e-6,
    "use_cache": True,
    "tie_word_embeddings": True,
    "attention_bias": False,
    "attention_dropout": 0.0,
    "attn_output_gate": True,
    "rope_parameters": {
        "rope_type": "default",
        "rope_theta": 100000.0,
        "partial_rotary_factor": 0.25,
        "mrope_section": [3, 3, 2],
        "mrope_interleaved": True,
    },
    "linear_conv_kernel_dim": 4,
    "linear_key_head_dim": 64,
    "linear_value_head_dim": 64,
    "linear_num_key_heads": 4,
    "linear_num_value_heads": 8,
    "moe_intermediate_size": 256,
    "shared_expert_intermediate_size": 256,
    "num_experts_per_tok": 4,
    "num_experts": 20,
    "router_aux_loss_coef": 0.001,
    "output_router_logits": False,
    "full_attention_interval": 4,
    "layer_types": (["linear_attention"] * 3 + ["full_attention"]) * 2,
    "bos_token_id": None,
    "eos_token_id": 8185,
    "pad_token_id": 8183,
    "dtype": "bfloat16",
}


def linear(x, layer):
    """A bias-free layer in the type of its input."""
    return F.linear(x, layer.weight.to(x.dtype))


class RMSNorm(nn.Module):
    """As in Qwen3.5, the weight is stored as its difference from 1."""

    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(size))
        self.eps = eps

    def forward(self, x, dtype=torch.bfloat16):
        x = x.float()
        scale = torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps)
        return (x * scale * (1.0 + self.weight)).to(dtype)


class GatedNorm(nn.Module):
    def __init__(self, size, eps=1e-6):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x, gate):
        x = x.float()
        x = x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight
        return (x * F.silu(gate.float())).to(torch.bfloat16)


class LinearAttention(nn.Module):
    """The gated delta net."""

    def __init__(self, config):
        super().__init__()
        self.key_heads = config["linear_num_key_heads"]
        self.value_heads = config["linear_num_value_heads"]
        self.key_dim = config["linear_key_head_dim"]
        self.value_dim = config["linear_value_head_dim"]
        self.keys = self.key_heads * self.key_dim
        self.values = self.value_heads * self.value_dim
        hidden = config["hidden_size"]
        channels = 2 * self.keys + self.values
        self.conv1d = nn.Conv1d(
            channels, channels, config["linear_conv_kernel_dim"], groups=channels, bias=False
        )
        self.dt_bias = nn.Parameter(torch.ones(self.value_heads))
        self.A_log = nn.Parameter(torch.zeros(self.value_heads))
        self.norm = GatedNorm(self.value_dim)
        self.in_proj_qkv = nn.Linear(hidden, channels, bias=False)
        self.in_proj_z = nn.Linear(hidden, self.values, bias=False)
        self.in_proj_b = nn.Linear(hidden, self.value_heads, bias=False)
        self.in_proj_a = nn.Linear(hidden, self.value_heads, bias=False)
        self.out_proj = nn.Linear(self.values, hidden, bias=False)

    def _convolve(self, x):
        """Causal depthwise convolution and SiLU, in float32."""
        tokens = x.shape[1]
        weight = self.conv1d.weight.squeeze(1)
        taps = weight.shape[1]
        padded = F.pad(x, (0, 0, taps - 1, 0))
        y = sum(padded[:, i : i + tokens].float() * weight[:, i] for i in range(taps))
        return F.silu(y)

    def forward(self, x):
        B, T, _ = x.shape
        mixed = linear(x, self.in_proj_qkv)
        gate = linear(x, self.in_proj_z).view(B, T, self.value_heads, self.value_dim)
        beta = linear(x, self.in_proj_b).float().sigmoid()
        g = -self.A_log.exp() * F.softplus(linear(x, self.in_proj_a).float() + self.dt_bias)

        q, k, v = self._convolve(mixed).split([self.keys, self.keys, self.values], -1)
        q = q.view(B, T, self.key_heads, self.key_dim)
        k = k.view(B, T, self.key_heads, self.key_dim)
        q_scale = torch.rsqrt((q * q).sum(-1, keepdim=True) + 1e-6) * self.key_dim**-0.5
        q = (q * q_scale).to(torch.bfloat16)
        k = (k * torch.rsqrt((k * k).sum(-1, keepdim=True) + 1e-6)).to(torch.bfloat16)
        v = v.reshape(B, T, self.value_heads, self.value_dim).to(torch.bfloat16)
        o = gated_delta_rule(q, k, v, g, beta)[0]
        return linear(self.norm(o, gate).view(B, T, self.values), self.out_proj)


def rotate(x, cos, sin):
    """Rotary embedding of the first dimensions of each head; x is [batch, tokens, heads, dim]."""
    rotary = cos.shape[-1]
    turned, kept = x[..., :rotary], x[..., rotary:]
    first, second = turned.chunk(2, -1)
    swapped = torch.cat([-second, first], -1)
    turned = turned * cos[None, :, None] + swapped * sin[None, :, None]
    return torch.cat([turned, kept], -1).to(torch.bfloat16)


class FullAttention(nn.Module):
    """Grouped-query attention with norms of q and k and a gate on the output."""

    def __init__(self, config):
        super().__init__()
        self.heads = config["num_attention_heads"]
        self.kv_heads = config["num_key_value_heads"]
        self.head_dim = config["head_dim"]
        hidden = config["hidden_size"]
        self.q_proj = nn.Linear(hidden, self.heads * self.head_dim * 2, bias=False)
        self.k_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.v_proj = nn.Linear(hidden, self.kv_heads * self.head_dim, bias=False)
        self.o_proj = nn.Linear(self.heads * self.head_dim, hidden, bias=False)
        self.q_norm = RMSNorm(self.head_dim)
        self.k_norm = RMSNorm(self.head_dim)

    def forward(self, x, cos, sin):
        B, T, _ = x.shape
        q_and_gate = linear(x, self.q_proj).view(B, T, self.heads, 2 * self.head_dim)
        q, gate = q_and_gate.chunk(2, -1)
        k = linear(x, self.k_proj).view(B, T, self.kv_heads, self.head_dim)
        v = linear(x, self.v_proj).view(B, T, self.kv_heads, self.head_dim)
        q = rotate(self.q_norm(q, torch.float32), cos, sin)
        k = rotate(self.k_norm(k, torch.float32), cos, sin)
        o = F.scaled_dot_product_attention(
            q.transpose(1, 2), k.transpose(1, 2), v.transpose(1, 2), is_causal=True, enable_gqa=True
        )
        o = o.transpose(1, 2).reshape(B, T, -1) * gate.reshape(B, T, -1).sigmoid()
        return linear(o, self.o_proj)


class Gather(torch.autograd.Function):
    """Copies each token once for each of its k experts, sorted by expert."""

    @staticmethod
    def forward(ctx, x, order, position, k: int):
        ctx.save_for_backward(position)
        ctx.k = k
        return x[order // k]

    @staticmethod
    def backward(ctx, grad):
        (position,) = ctx.saved_tensors
        return grad[position].view(-1, ctx.k, grad.shape[-1]).sum(1), None, None, None


class Combine(torch.autograd.Function):
    """Brings the experts' outputs back to their tokens and adds them up with the weights [T, k]."""

    @staticmethod
    def forward(ctx, outputs, weights, order, position):
        ctx.save_for_backward(outputs, weights, order, position)
        T, k = weights.shape
        return (outputs[position].view(T, k, -1).float() * weights[:, :, None]).sum(1)

    @staticmethod
    def backward(ctx, grad):
        outputs, weights, order, position = ctx.saved_tensors
        T, k = weights.shape
        grad_outputs = grad[order // k] * weights.reshape(-1)[order, None]
        grad_weights = (outputs[position].view(T, k, -1).float() * grad[:, None, :]).sum(-1)
        return grad_outputs.to(outputs.dtype), grad_weights, None, None


class Experts(nn.Module):
    def __init__(self, config):
        super().__init__()
        experts, inner = config["num_experts"], config["moe_intermediate_size"]
        hidden = config["hidden_size"]
        self.gate_up_proj = nn.Parameter(torch.empty(experts, 2 * inner, hidden))
        self.down_proj = nn.Parameter(torch.empty(experts, hidden, inner))

    def forward(self, x, ends):
        """x is sorted by expert; expert e has the rows from ends[e - 1] to ends[e]."""
        gate_up_weight = self.gate_up_proj.to(x.dtype).transpose(-2, -1)
        gate, up = torch._grouped_mm(x, gate_up_weight, offs=ends).chunk(2, -1)
        down_weight = self.down_proj.to(x.dtype).transpose(-2, -1)
        return torch._grouped_mm(F.silu(gate) * up, down_weight, offs=ends)


class Router(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.weight = nn.Parameter(torch.empty(config["num_experts"], config["hidden_size"]))


class SharedExpert(nn.Module):
    def __init__(self, hidden, inner):
        super().__init__()
        self.gate_proj = nn.Linear(hidden, inner, bias=False)
        self.up_proj = nn.Linear(hidden, inner, bias=False)
        self.down_proj = nn.Linear(inner, hidden, bias=False)

    def forward(self, x):
        return linear(F.silu(linear(x, self.gate_proj)) * linear(x, self.up_proj), self.down_proj)


class MixtureOfExperts(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.k = config["num_experts_per_tok"]
        self.n_experts = config["num_experts"]
        hidden = config["hidden_size"]
        self.gate = Router(config)
        self.experts = Experts(config)
        self.shared_expert = SharedExpert(hidden, config["shared_expert_intermediate_size"])
        self.shared_expert_gate = nn.Linear(hidden, 1, bias=False)

    def forward(self, x):
        """Returns (output, load-balancing loss, router z-loss, tokens of each expert)."""
        shape = x.shape
        x = x.reshape(-1, shape[-1])
        logits = F.linear(x.float(), self.gate.weight)
        probabilities = logits.softmax(-1)
        weights, chosen = probabilities.topk(self.k, -1)
        weights = weights / weights.sum(-1, keepdim=True)

        flat = chosen.reshape(-1)
        order = torch.sort(flat.to(torch.int16), stable=True)[1]
        rows = torch.arange(order.numel(), device=x.device)
        position = torch.empty_like(order).scatter_(0, order, rows)
        counts = (flat[:, None] == torch.arange(self.n_experts, device=x.device)).sum(0)
        ends = counts.cumsum(0).to(torch.int32)
        shares = counts.float() / flat.numel()
        balance_loss = self.n_experts * (shares * probabilities.mean(0)).sum()
        z_loss = torch.logsumexp(logits, -1).pow(2).mean()

        outputs = self.experts(Gather.apply(x, order, position, self.k), ends)
        y = Combine.apply(outputs, weights, order, position)
        shared = self.shared_expert(x) * linear(x, self.shared_expert_gate).sigmoid()
        return (y + shared.float()).view(shape), balance_loss, z_loss, counts


class Block(nn.Module):
    """One layer; its mixer is called linear_attn or self_attn, as in the checkpoints."""

    def __init__(self, config, kind):
        super().__init__()
        self.is_linear = kind == "linear_attention"
        if self.is_linear:
            self.linear_attn = LinearAttention(config)
        else:
            self.self_attn = FullAttention(config)
        self.mlp = MixtureOfExperts(config)
        self.input_layernorm = RMSNorm(config["hidden_size"])
        self.post_attention_layernorm = RMSNorm(config["hidden_size"])

    def forward(self, x, cos, sin):
        h = self.input_layernorm(x)
        mixed = self.linear_attn(h) if self.is_linear else self.self_attn(h, cos, sin)
        x = x + mixed.float()
        y, balance_loss, z_loss, counts = self.mlp(self.post_attention_layernorm(x))
        return x + y, balance_loss, z_loss, counts


class Ember(nn.Module):
    def __init__(self, config, tokens_max=1024):
        super().__init__()
        self.embed_tokens = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.layers = nn.ModuleList([Block(config, kind) for kind in config["layer_types"]])
        self.norm = RMSNorm(config["hidden_size"])
        rope = config["rope_parameters"]
        rotary = int(config["head_dim"] * rope["partial_rotary_factor"])
        frequencies = 1.0 / rope["rope_theta"] ** (torch.arange(0, rotary, 2).float() / rotary)
        angles = torch.outer(torch.arange(tokens_max).float(), frequencies)
        angles = torch.cat([angles, angles], -1)
        self.register_buffer("cos", angles.cos(), persistent=False)
        self.register_buffer("sin", angles.sin(), persistent=False)
        self.initialize()

    @torch.no_grad()
    def initialize(self):
        for name, parameter in self.named_parameters():
            if name.endswith("A_log"):
                parameter.copy_(torch.empty_like(parameter).uniform_(0.05, 16).log())
            elif name.endswith("dt_bias"):
                # softplus(dt_bias) is log-uniform between 0.001 and 0.1.
                low, high = math.log(0.001), math.log(0.1)
                dt = torch.exp(torch.rand_like(parameter) * (high - low) + low)
                parameter.copy_(dt + torch.log(-torch.expm1(-dt)))
            elif name.endswith("conv1d.weight"):
                parameter.uniform_(-0.5, 0.5)
            elif parameter.ndim >= 2:
                parameter.normal_(0, self._initial_deviation(name))

    def _initial_deviation(self, name):
        writes_residual = ("o_proj.weight", "out_proj.weight", "down_proj.weight", "down_proj")
        if name.endswith(writes_residual):
            return 0.02 / math.sqrt(2 * len(self.layers)) * 1.5
        if name.endswith(("embed_tokens.weight", "gate.weight")):
            return 0.02
        return 0.03

    def body(self, ids):
        """Returns (hidden states, balance losses [L], z-losses [L], expert counts [L, E])."""
        tokens = ids.shape[1]
        x = self.embed_tokens(ids)
        cos, sin = self.cos[:tokens], self.sin[:tokens]
        balance_losses, z_losses, counts = [], [], []
        for layer in self.layers:
            x, balance_loss, z_loss, count = layer(x, cos, sin)
            balance_losses.append(balance_loss)
            z_losses.append(z_loss)
            counts.append(count)
        return x, torch.stack(balance_losses), torch.stack(z_losses), torch.stack(counts)

    def _head(self, x):
        h = self.norm(x)
        return F.linear(h, self.embed_tokens.weight.to(h.dtype)).float()

    def head_loss(self, x, targets):
        """The sum of the cross entropies of all targets but IGNORED_TARGET."""
        logits = self._head(x)
        return F.cross_entropy(
            logits.view(-1, logits.shape[-1]),
            targets.reshape(-1),
            ignore_index=IGNORED_TARGET,
            reduction="sum",
        )

    def logits(self, ids):
        return self._head(self.body(ids)[0])

    def hugging_face_state(self):
        return {"model." + name: tensor for name, tensor in self.state_dict().items()}
