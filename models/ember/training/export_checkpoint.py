#!/usr/bin/env python3
"""Writes a trained model as a Hugging Face folder.

usage: export_checkpoint.py FINAL.pt TOKENIZER_FOLDER OUTPUT_FOLDER
"""

import json
import shutil
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import EMBER_CONFIG

TRANSFORMERS_VERSION = "5.17.0"
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def write_json(path, value):
    path.write_text(json.dumps(value, indent=2), encoding="utf-8")


def export(state, config, tokenizer_folder, output):
    """`state` has Hugging Face's names; weights are stored as bfloat16."""
    output = Path(output)
    output.mkdir(parents=True, exist_ok=True)
    weights = {
        name: tensor.to(torch.bfloat16).contiguous() for name, tensor in sorted(state.items())
    }
    save_file(weights, output / "model.safetensors", metadata={"format": "pt"})
    write_json(
        output / "config.json", {**config, "transformers_version": TRANSFORMERS_VERSION}
    )
    generation = {
        "do_sample": True,
        "temperature": 0.7,
        "top_p": 0.8,
        "top_k": 20,
        "eos_token_id": [config.get("eos_token_id"), config["pad_token_id"]],
        "pad_token_id": config["pad_token_id"],
        "transformers_version": TRANSFORMERS_VERSION,
    }
    write_json(output / "generation_config.json", generation)
    for name in TOKENIZER_FILES:
        shutil.copy(Path(tokenizer_folder) / name, output / name)


def main():
    checkpoint, tokenizer_folder, output = sys.argv[1:]
    export(torch.load(checkpoint), EMBER_CONFIG, tokenizer_folder, output)


if __name__ == "__main__":
    main()
