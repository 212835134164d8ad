#!/usr/bin/env python3
"""Compares the training model with plain PyTorch and with Hugging Face's, and measures its speed.

usage: check_model.py [TOKENIZER_FOLDER]        (needs a GPU; the folder is for the last comparison)

Prints relative errors. Those of bfloat16 arithmetic stay below 0.01 for one part. For logits
of a random model they are about 0.1: rounding changes the choices of its routers.
"""

import sys
import tempfile
import time

import torch
import torch.nn.functional as F

from delta_rule import gated_delta_rule, reference_delta_rule
from model import EMBER_CONFIG, Ember, MixtureOfExperts

DEVICE = "cuda"


def relative_error(got, expected):
    got, expected = got.detach().float(), expected.detach().float()
    return float((got - expected).norm() / expected.norm())


def report(what, output, expected, gradients, expected_gradients):
    errors = [round(relative_error(*pair), 5) for pair in zip(gradients, expected_gradients)]
    print(f"{what}: output {relative_error(output, expected):.5f}, gradients {errors}", flush=True)


def check_delta_rule():
    B, T, key_heads, value_heads, D = 2, 256, 4, 8, 64

    def randn(*shape):
        return torch.randn(*shape, device=DEVICE)

    q = F.normalize(randn(B, T, key_heads, D), dim=-1) * D**-0.5
    # Keys with something in common, as trained ones have: the triangular system is not trivial.
    k = F.normalize(randn(B, T, key_heads, D) + 1.5 * randn(B, 1, key_heads, D), dim=-1)
    v = randn(B, T, value_heads, D)
    decays = torch.logspace(-3, 0.5, value_heads, device=DEVICE)
    g = -torch.rand(B, T, value_heads, device=DEVICE) * decays
    beta = torch.rand(B, T, value_heads, device=DEVICE)
    grad = randn(B, T, value_heads, D).bfloat16()

    inputs = [x.bfloat16().requires_grad_() for x in (q, k, v)]
    inputs += [x.detach().requires_grad_() for x in (g, beta)]
    exact = [x.detach().float().requires_grad_() for x in inputs]
    output = gated_delta_rule(*inputs)[0]
    expected = reference_delta_rule(*exact)
    report(
        "gated delta rule",
        output,
        expected,
        torch.autograd.grad(output, inputs, grad),
        torch.autograd.grad(expected, exact, grad.float()),
    )


def plain_mixture(moe, x):
    """Every expert on every token, in float32."""
    flat = x.view(-1, x.shape[-1])
    probabilities = (flat @ moe.gate.weight.T).softmax(-1)
    weights, chosen = probabilities.topk(moe.k, -1)
    weights = weights / weights.sum(-1, keepdim=True)
    output = 0
    for expert in range(moe.n_experts):
        weight = ((chosen == expert).float() * weights).sum(-1, keepdim=True)
        gate, up = (flat @ moe.experts.gate_up_proj[expert].T).chunk(2, -1)
        output = output + weight * ((F.silu(gate) * up) @ moe.experts.down_proj[expert].T)
    shared = moe.shared_expert
    inner = F.silu(flat @ shared.gate_proj.weight.T) * (flat @ shared.up_proj.weight.T)
    switch = (flat @ moe.shared_expert_gate.weight.T).sigmoid()
    return (output + inner @ shared.down_proj.weight.T * switch).view(x.shape)


def check_mixture_of_experts():
    moe = MixtureOfExperts(EMBER_CONFIG).to(DEVICE)
    with torch.no_grad():
        for parameter in moe.parameters():
            parameter.normal_(0, 0.05)
    parameters = [moe.experts.gate_up_proj, moe.experts.down_proj, moe.gate.weight]
    x = torch.randn(4, 256, EMBER_CONFIG["hidden_size"], device=DEVICE).bfloat16().requires_grad_()
    exact = x.detach().float().requires_grad_()
    output = moe(x)[0]
    expected = plain_mixture(moe, exact)
    grad = torch.randn_like(output)
    report(
        "mixture of experts",
        output,
        expected,
        torch.autograd.grad(output, [x, *parameters], grad),
        torch.autograd.grad(expected, [exact, *parameters], grad),
    )


def check_against_hugging_face(tokenizer_folder):
    from transformers import AutoModelForCausalLM

    from export_checkpoint import export

    model = Ember(EMBER_CONFIG).to(DEVICE)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if name.endswith("gate.weight"):
                parameter.normal_(0, 0.2)
            elif parameter.ndim >= 2 and "conv" not in name:
                parameter.mul_(2)
            elif "norm" in name:
                parameter.add_(torch.randn_like(parameter) * 0.1)
            parameter.copy_(parameter.bfloat16().float())
    with tempfile.TemporaryDirectory() as folder:
        export(model.hugging_face_state(), EMBER_CONFIG, tokenizer_folder, folder)
        reference = AutoModelForCausalLM.from_pretrained(
            folder, dtype=torch.float32, experts_implementation="eager"
        )
    reference = reference.to(DEVICE).eval()
    ids = torch.randint(0, EMBER_CONFIG["pad_token_id"], (2, 320), device=DEVICE)
    with torch.no_grad():
        got, expected = model.logits(ids), reference(input_ids=ids).logits
    agreement = (got.argmax(-1) == expected.argmax(-1)).float().mean()
    print(f"logits {relative_error(got, expected):.5f}, same best {float(agreement):.4f}")


def measure_speed(rows, steps=15):
    from train import Log, Trainer

    with tempfile.NamedTemporaryFile() as file:
        trainer = Trainer(rows, Log(file.name))
        ids = torch.randint(0, 4000, (rows, 1025), device=DEVICE)
        batch = (ids[:, :-1].contiguous(), ids[:, 1:].contiguous())
        begun = time.time()
        losses = []
        for step in range(steps + 2):
            if step == 2:  # the first steps compile
                torch.cuda.synchronize()
                print(f"compiled in {time.time() - begun:.1f} s")
                begun = time.time()
            cross_entropy, n, *_ = trainer.step(*batch, 2e-3)
            losses.append(cross_entropy / n)
        torch.cuda.synchronize()
    seconds = (time.time() - begun) / steps
    memory = torch.cuda.max_memory_allocated() / 2**30
    print(
        f"{rows} rows: {seconds * 1e3:.1f} ms a step, {rows * 1.024 / seconds:.0f}k tokens/s, "
        f"{memory:.1f} GiB, loss {float(losses[0]):.3f} -> {float(losses[-1]):.3f}"
    )


def main():
    torch.manual_seed(0)
    torch.set_float32_matmul_precision("high")
    check_delta_rule()
    check_mixture_of_experts()
    if len(sys.argv) > 1:
        check_against_hugging_face(sys.argv[1])
    measure_speed(64)


if __name__ == "__main__":
    main()
