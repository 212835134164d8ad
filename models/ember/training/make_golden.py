#!/usr/bin/env python3
"""Records what the Hugging Face implementation computes, in float32 on the CPU.

usage: make_golden.py MODEL_FOLDER PROMPTS.json

PROMPTS.json is a list of {"name", "ids", and perhaps "text"}. Writes golden/golden.safetensors and
golden/manifest.json into the model's folder. In the descriptions T is the number of tokens,
L that of layers, E that of experts, k that of experts per token, H the hidden size.
"""

import json
import sys
from pathlib import Path

import torch
import transformers
from safetensors.torch import save_file
from tokenizers import Tokenizer
from transformers import AutoModelForCausalLM

GREEDY_TOKENS = 64


class Recorder:
    """The model with hooks that keep the outputs of its parts."""

    def __init__(self, folder):
        self.model = AutoModelForCausalLM.from_pretrained(
            folder,
            dtype=torch.float32,
            attn_implementation="eager",
            experts_implementation="eager",
        ).eval()
        self.layers = self.model.config.num_hidden_layers
        self.k = self.model.config.num_experts_per_tok
        self.outputs = {}
        inner = self.model.model
        self._watch("embedding", inner.embed_tokens)
        self._watch("norm", inner.norm)
        for index, layer in enumerate(inner.layers):
            is_linear = hasattr(layer, "linear_attn")
            self._watch(f"layer{index}", layer)
            self._watch(f"mixer{index}", layer.linear_attn if is_linear else layer.self_attn)
            self._watch(f"moe{index}", layer.mlp)
            self._watch(f"router{index}", layer.mlp.gate, whole=True)

    def _watch(self, name, module, whole=False):
        def keep(_, inputs, output):
            first_only = isinstance(output, tuple) and not whole
            self.outputs[name] = output[0] if first_only else output

        module.register_forward_hook(keep)

    def logits(self, ids):
        return self.model(input_ids=ids, use_cache=False).logits[0]

    def of_layers(self, name):
        return [self.outputs[f"{name}{index}"] for index in range(self.layers)]

    def greedy(self, ids):
        output = self.model.generate(
            input_ids=ids,
            attention_mask=torch.ones_like(ids),
            max_new_tokens=GREEDY_TOKENS,
            min_new_tokens=GREEDY_TOKENS,
            do_sample=False,
            eos_token_id=None,
            pad_token_id=0,
            temperature=None,
            top_p=None,
            top_k=None,
        )
        return output[0, ids.shape[1] :]


class Arrays:
    """The recorded tensors and their descriptions."""

    def __init__(self):
        self.tensors, self.manifest = {}, []

    def put(self, name, tensor, what):
        dtype = torch.float32 if tensor.is_floating_point() else torch.int32
        tensor = tensor.detach().contiguous().to(dtype).clone()
        self.tensors[name] = tensor
        self.manifest.append(
            {
                "name": name,
                "dtype": "F32" if dtype == torch.float32 else "I32",
                "shape": list(tensor.shape),
                "what": what,
            }
        )


def hidden_states(recorder):
    states = [recorder.outputs["embedding"], *recorder.of_layers("layer")]
    return torch.stack([state[0] for state in [*states, recorder.outputs["norm"]]])


def record_router(recorder, arrays, prefix, T):
    routers = recorder.of_layers("router")  # (logits, weights, indices)
    k = recorder.k
    arrays.put(
        prefix + "router_idx",
        torch.stack([router[2].view(T, k) for router in routers]),
        "[L,T,k] experts picked by the router, largest weight first",
    )
    arrays.put(
        prefix + "router_weights",
        torch.stack([router[1].view(T, k) for router in routers]),
        "[L,T,k] their normalised weights (they add up to 1)",
    )
    ordered = [router[0].view(T, -1).sort(-1, descending=True)[0] for router in routers]
    arrays.put(
        prefix + "router_gap",
        torch.stack([logits[:, k - 1] - logits[:, k] for logits in ordered]),
        "[L,T] router logit of the last expert picked minus that of the best one left out (a small "
        "value means that rounding may change the choice)",
    )


def record_everything(recorder, arrays, prefix, hidden, T):
    """What is too large to keep for every prompt."""
    arrays.put(prefix + "hidden_all", hidden, "[L+2,T,H] like hidden_last, at every position")
    arrays.put(
        prefix + "mixer_out",
        torch.stack([output[0].view(T, -1) for output in recorder.of_layers("mixer")]),
        "[L,T,H] output of the attention or gated delta net of every layer, before the residual is "
        "added",
    )
    arrays.put(
        prefix + "moe_out",
        torch.stack([output.reshape(T, -1) for output in recorder.of_layers("moe")]),
        "[L,T,H] output of the MoE block (routed plus shared expert) of every layer, before the "
        "residual is added",
    )
    arrays.put(
        prefix + "router_logits",
        torch.stack([router[0].view(T, -1) for router in recorder.of_layers("router")]),
        "[L,T,E] router logits",
    )


def record_greedy(recorder, arrays, prefix, ids):
    """Returns (smallest margin, whether a run without a cache picks the same tokens)."""
    T = ids.shape[1]
    tokens = recorder.greedy(ids)
    arrays.put(
        prefix + "greedy",
        tokens,
        "[64] greedy continuation (end-of-text tokens do not stop it)",
    )
    logits = recorder.logits(torch.cat([ids[0], tokens])[None])[T - 1 : -1]
    best = logits.topk(2, -1)[0]
    margin = best[:, 0] - best[:, 1]
    arrays.put(
        prefix + "greedy_margin",
        margin,
        "[64] logit of the best token minus that of the second best at every generated position (a "
        "small value means that rounding may change the choice)",
    )
    return float(margin.min()), bool((logits.argmax(-1) == tokens).all())


def record_prompt(recorder, arrays, index, prompt):
    """Returns the prompt's entry of the manifest."""
    prefix = f"p{index}."
    ids = torch.tensor([prompt["ids"]])
    T = ids.shape[1]
    logits = recorder.logits(ids)
    arrays.put(prefix + "ids", ids[0], "token ids of the prompt")
    arrays.put(
        prefix + "logits_last",
        logits[-1],
        "logits after the last prompt token, all vocabulary entries",
    )
    values, indices = logits.topk(20, -1)
    arrays.put(
        prefix + "top20_idx",
        indices,
        "[T,20] the 20 most likely token ids at every position, best first",
    )
    arrays.put(prefix + "top20_logits", values, "[T,20] their logits")
    hidden = hidden_states(recorder)
    arrays.put(
        prefix + "hidden_last",
        hidden[:, -1],
        "[L+2,H] at the last position: embedding, output of every layer (residual stream), output "
        "of the final norm",
    )
    record_router(recorder, arrays, prefix, T)
    if index == 0:
        record_everything(recorder, arrays, prefix, hidden, T)
    log_probabilities = torch.log_softmax(logits[:-1], -1)
    arrays.put(
        prefix + "logprobs",
        log_probabilities.gather(1, ids[0, 1:, None])[:, 0],
        "[T-1] log-probability of prompt token t+1 given tokens 0..t",
    )
    margin, same = record_greedy(recorder, arrays, prefix, ids)
    print(index, prompt["name"], T, "tokens, smallest margin", margin, flush=True)
    return {
        "index": index,
        "name": prompt["name"],
        "tokens": T,
        "text": prompt.get("text"),
        "greedy_min_margin": margin,
        "cached_equals_uncached": same,
    }


def main():
    folder = Path(sys.argv[1])
    prompts = json.loads(Path(sys.argv[2]).read_text(encoding="utf-8"))
    torch.manual_seed(0)
    recorder, arrays = Recorder(folder), Arrays()
    with torch.no_grad():
        entries = [record_prompt(recorder, arrays, *item) for item in enumerate(prompts)]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    for entry in entries:
        tokens = arrays.tensors[f"p{entry['index']}.greedy"].tolist()
        entry["greedy_text"] = tokenizer.decode(tokens, skip_special_tokens=False)

    golden = folder / "golden"
    golden.mkdir(exist_ok=True)
    save_file(arrays.tensors, golden / "golden.safetensors")
    manifest = {
        "produced_by": f"transformers {transformers.__version__}, torch {torch.__version__}, "
        "float32 on the CPU, weights loaded from the bfloat16 model.safetensors, eager attention "
        "and experts",
        "file": "golden.safetensors",
        "layers": recorder.layers,
        "top_k": recorder.k,
        "prompts": entries,
        "arrays": arrays.manifest,
    }
    text = json.dumps(manifest, indent=1, ensure_ascii=False)
    (golden / "manifest.json").write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
