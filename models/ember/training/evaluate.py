#!/usr/bin/env python3
"""Measures greedy tool calls on held-out prompts and collects sample outputs.

usage: evaluate.py MODEL_FOLDER HELDOUT.json OUTPUT.json [VAL.npy]
"""

import json
import re
import sys
import time
from collections import defaultdict

import numpy as np
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

TOOL_CALL = re.compile(
    r"<tool_call>\n<function=([^>\n]+)>\n"
    r"((?:<parameter=[^>\n]+>\n.*?\n</parameter>\n)+)"
    r"</function>\n</tool_call>$",
    re.DOTALL,
)
PARAMETER = re.compile(r"<parameter=([^>\n]+)>\n(.*?)\n</parameter>", re.DOTALL)
VALIDATION_ROWS, ROW_TOKENS = 48, 1025
PLAIN = {"do_sample": False, "temperature": None, "top_p": None, "top_k": None}
SAMPLED = {"do_sample": True, "temperature": 0.7, "top_p": 0.9, "top_k": 40}
QUESTIONS = [
    "Hello!",
    "Who are you?",
    "What is the capital of France?",
    "What is the capital of Mongolia?",
    "What does the grep command do?",
    "Tell me a short story about a fox.",
    "What is 7 * 8?",
    "What is 17 + 25?",
    "Explain a mixture of experts model.",
    "Why is the sky blue?",
    "Write a Python function that checks whether a number is prime.",
    "What sound does a cow make?",
    "How do I extract a tar archive?",
    "What is the opposite of early?",
    "Tell me a joke.",
    "Write a short story about a lighthouse.",
    "Name five animals.",
    "What is the largest planet in the solar system?",
]
BEGINNINGS = [
    "Once upon a time there was a little",
    "LS(1)                            User Commands                           LS(1)\n\n"
    "NAME\n       ls - list",
    "In the beginning God created",
    "The kernel",
    "To the Senate and House of Representatives:\n\nI have the honor to",
    "Call me Ishmael.",
    "NAME\n       sort - sort lines of text files\n\nSYNOPSIS\n",
    "def add(a, b):",
    "dog\n    n 1:",
    "The configuration file is read when the server starts.",
]


class Model:
    def __init__(self, folder):
        self.device = "cuda" if torch.cuda.is_available() else "cpu"
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.tokenizer.padding_side = "left"
        network = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
        self.network = network.to(self.device).eval()
        self.end_of_text = self.tokenizer.convert_tokens_to_ids("<|endoftext|>")
        self.ends = [self.tokenizer.convert_tokens_to_ids("<|im_end|>"), self.end_of_text]

    def prompt(self, messages, **options):
        return self.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True, **options
        )

    def _until_end(self, ids):
        for at, token in enumerate(ids):
            if token in self.ends:
                return ids[:at]
        return ids

    @torch.no_grad()
    def generate(self, prompts, tokens_max=160, batch=100, sampling=PLAIN):
        answers = []
        for start in range(0, len(prompts), batch):
            encoded = self.tokenizer(
                prompts[start : start + batch], return_tensors="pt", padding=True
            ).to(self.device)
            output = self.network.generate(
                input_ids=encoded["input_ids"],
                attention_mask=encoded["attention_mask"],
                max_new_tokens=tokens_max,
                eos_token_id=self.ends,
                pad_token_id=self.end_of_text,
                **sampling,
            )
            for row in output[:, encoded["input_ids"].shape[1] :].tolist():
                answers.append(self.tokenizer.decode(self._until_end(row)))
        return answers

    @torch.no_grad()
    def validation_loss(self, path):
        ids = np.load(path).astype(np.int64)[: VALIDATION_ROWS * ROW_TOKENS]
        rows = torch.from_numpy(ids.reshape(VALIDATION_ROWS, ROW_TOKENS)).to(self.device)
        total = 0.0
        for part in rows.split(8):
            logits = self.network(input_ids=part[:, :-1], use_cache=False).logits
            targets = part[:, 1:].flatten()
            total += torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets, reduction="sum"
            ).item()
        return total / (VALIDATION_ROWS * (ROW_TOKENS - 1))


def parse_call(text):
    """Returns (tool, arguments), or None unless the text ends in exactly one well-formed call."""
    text = text.strip()
    match = TOOL_CALL.search(text)
    if match is None or text.count("<tool_call>") != 1:
        return None
    return match.group(1), dict(PARAMETER.findall(match.group(2)))


def same_arguments(tool, got, expected):
    if got == expected:
        return True
    if tool != "calculator" or set(got) != set(expected):
        return False
    without_spaces = [re.sub(r"\s+", "", arguments["expression"]) for arguments in (got, expected)]
    return without_spaces[0] == without_spaces[1]


def tool_calls(model, prompts, thinking):
    begun = time.time()
    rendered = [
        model.prompt(p["messages"], tools=p["tools"], enable_thinking=thinking) for p in prompts
    ]
    well_formed = right_tool = correct = 0
    per_tool, wrong = defaultdict(lambda: [0, 0, 0]), []
    for prompt, output in zip(prompts, model.generate(rendered)):
        call = parse_call(output.split("</think>")[-1] if thinking else output)
        is_right_tool = call is not None and call[0] == prompt["tool"]
        is_correct = is_right_tool and same_arguments(prompt["tool"], call[1], prompt["args"])
        well_formed += call is not None
        right_tool += is_right_tool
        correct += is_correct
        counts = per_tool[prompt["tool"]]
        counts[0] += 1
        counts[1] += call is not None
        counts[2] += is_correct
        if not is_correct and len(wrong) < 12:
            expected = [prompt["tool"], prompt["args"]]
            wrong.append({"user": prompt["user"], "expected": expected, "got": output[-300:]})
    n = len(prompts)
    result = {
        "prompts": n,
        "well_formed": well_formed / n,
        "right_tool": right_tool / n,
        "correct": correct / n,
        "per_tool[n,well_formed,correct]": per_tool,
        "wrong": wrong,
    }
    print("thinking" if thinking else "not thinking", json.dumps(result)[:300], flush=True)
    print(round(time.time() - begun, 1), "s", flush=True)
    return result


def essence(prompt):
    """The part of the tool's response that a good answer repeats."""
    response, tool = prompt["resp"], prompt["tool"]
    if tool == "get_time":
        return re.search(r"\d\d:\d\d", response).group(0)
    if tool == "get_weather":
        return re.search(r"-?\d+", re.sub(r"^[^:\d]*:", "", response)).group(0)
    if "rror" in response or "No such" in response or not response:
        is_file = tool == "read_file"
        return prompt["args"].get("path", "").split("/")[-1] if is_file else ""
    if tool == "bash":
        return response.split("\n")[-1].split("\t")[0].split(" ")[0]
    if tool == "read_file":
        return response.split("\n")[-1]
    return response


def final_answers(model, prompts):
    rendered = []
    for prompt in prompts:
        function = {"name": prompt["tool"], "arguments": prompt["args"]}
        call = {"type": "function", "function": function}
        messages = prompt["messages"] + [
            {"role": "assistant", "content": "", "tool_calls": [call]},
            {"role": "tool", "content": prompt["resp"]},
        ]
        rendered.append(model.prompt(messages, tools=prompt["tools"], enable_thinking=False))
    records, good = [], []
    for prompt, answer in zip(prompts, model.generate(rendered, 120)):
        records.append({"user": prompt["user"], "result": prompt["resp"], "answer": answer})
        good.append(essence(prompt) in answer)
    print("final answers contain the result:", sum(good) / len(good), flush=True)
    return {
        "prompts": len(prompts),
        "contain_the_result": sum(good) / len(good),
        "examples": records[:12],
        "wrong": [record for record, is_good in zip(records, good) if not is_good][:8],
    }


def paired(names, firsts, seconds):
    return [dict(zip(names, pair)) for pair in zip(firsts, seconds)]


def samples(model):
    ask = [[{"role": "user", "content": question}] for question in QUESTIONS]
    direct = [model.prompt(messages, enable_thinking=False) for messages in ask]
    thinking = [model.prompt(messages) for messages in ask[:8]]
    torch.manual_seed(1)
    return {
        "chat": paired(("user", "answer"), QUESTIONS, model.generate(direct, 260)),
        "chat_thinking": paired(("user", "answer"), QUESTIONS, model.generate(thinking, 200)),
        "plain": paired(("prompt", "continuation"), BEGINNINGS, model.generate(BEGINNINGS, 120)),
        "plain_sampled": paired(
            ("prompt", "continuation"),
            BEGINNINGS,
            model.generate(BEGINNINGS, 120, sampling=SAMPLED),
        ),
    }


def main():
    folder, prompts_path, output, *validation = sys.argv[1:]
    torch.set_float32_matmul_precision("highest")
    model = Model(folder)
    with open(prompts_path, encoding="utf-8") as file:
        prompts = json.load(file)
    results = {}
    if validation:
        loss = model.validation_loss(validation[0])
        results["hf_float32_val_loss_48_rows"] = loss
        print("validation loss in float32 on 48 rows:", loss, flush=True)
    results["no_thinking"] = tool_calls(model, prompts, thinking=False)
    results["thinking"] = tool_calls(model, prompts, thinking=True)
    results["final_answers"] = final_answers(model, prompts)
    texts = samples(model)
    results.update(texts)
    with open(output, "w", encoding="utf-8") as file:
        json.dump(results, file, indent=1, ensure_ascii=False)
    for records in texts.values():
        for record in records:
            first, second = record.values()
            print("---", repr(first[:80]), "\n", second, flush=True)


if __name__ == "__main__":
    main()
