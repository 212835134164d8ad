#!/usr/bin/env python3
"""Trains the tokenizer: byte-level BPE with NFC and Qwen3.5's pre-tokenizer, 8,192 entries.

usage: train_tokenizer.py CORPUS.jsonl CHAT_TEMPLATE OUTPUT_FOLDER
Writes tokenizer.json and tokenizer_config.json as the Hugging Face libraries read them.
"""

import heapq
import json
import random
import sys
import unicodedata
from collections import Counter, defaultdict
from multiprocessing import Pool
from pathlib import Path

import regex

from conversations import load_template, plain_conversation, render, tool_conversation
from stories import story

PATTERN = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
    r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+"
    r"|\s+(?!\S)"
    r"|\s+"
)
SPECIAL_TOKENS = [
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<think>",
    "</think>",
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
]
VOCABULARY = 8192
CORPUS_SHARE = 0.45
CONVERSATIONS = 12_000
STORIES = 20_000
WORD_COUNT_MIN = 3
WORD_LENGTH_MAX = 60  # exclusive
SIZE_ANSWER = "I have about 40 million parameters."

WORD = regex.compile(PATTERN)
SPECIAL = regex.compile("|".join(regex.escape(token) for token in SPECIAL_TOKENS))


def byte_symbols():
    """The printable character that stands for each byte, as in GPT-2."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    symbols = {byte: chr(byte) for byte in printable}
    others = [byte for byte in range(256) if byte not in symbols]
    symbols.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return symbols


BYTE_SYMBOLS = byte_symbols()


def count_words(texts):
    counts = Counter()
    for text in texts:
        for part in SPECIAL.split(unicodedata.normalize("NFC", text)):
            counts.update(WORD.findall(part))
    return counts


def batches(items, size=200):
    batch = []
    for item in items:
        batch.append(item)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def training_texts(corpus, template):
    rng = random.Random(1)
    with open(corpus, encoding="utf-8") as lines:
        for line in lines:
            if rng.random() < CORPUS_SHARE:
                yield json.loads(line)["text"]
    for index in range(CONVERSATIONS):
        if index % 3 == 0:
            messages, tools, _ = tool_conversation(rng, SIZE_ANSWER)
        else:
            messages, tools = plain_conversation(rng, SIZE_ANSWER), None
        text = render(template, messages, tools)
        if tools and index % 12:  # the tools' preamble must not dominate
            text = text[text.index("<|im_end|>") :]
        yield text
    for _ in range(STORIES):
        yield story(rng)[0]


def join_pair(symbols, pair):
    """Replaces every occurrence of the pair, from the left, by its concatenation."""
    joined, at = [], 0
    while at < len(symbols):
        if at + 1 < len(symbols) and (symbols[at], symbols[at + 1]) == pair:
            joined.append(pair[0] + pair[1])
            at += 2
        else:
            joined.append(symbols[at])
            at += 1
    return joined


class PairCounts:
    """How often each pair of neighbouring symbols occurs, and in which words."""

    def __init__(self, word_counts):
        self.words = [
            ([BYTE_SYMBOLS[byte] for byte in word.encode()], count)
            for word, count in word_counts.items()
            if count >= WORD_COUNT_MIN and len(word) < WORD_LENGTH_MAX
        ]
        self.counts = Counter()
        self.places = defaultdict(set)  # pair -> indices of words
        for index, (symbols, count) in enumerate(self.words):
            for pair in zip(symbols, symbols[1:]):
                self.counts[pair] += count
                self.places[pair].add(index)
        self.heap = [(-count, pair) for pair, count in self.counts.items()]
        heapq.heapify(self.heap)

    def pop_most_frequent(self):
        """Heap entries are not updated in place: an outdated one goes back with its true count."""
        while True:
            negative, pair = heapq.heappop(self.heap)
            count = self.counts.get(pair, 0)
            if count == -negative:
                return pair
            if count > 0:
                heapq.heappush(self.heap, (-count, pair))

    def merge(self, pair):
        changed = set()
        for index in list(self.places[pair]):
            symbols, count = self.words[index]
            for old in zip(symbols, symbols[1:]):
                self.counts[old] -= count
                self.places[old].discard(index)
                changed.add(old)
            symbols = join_pair(symbols, pair)
            self.words[index] = (symbols, count)
            for new in zip(symbols, symbols[1:]):
                self.counts[new] += count
                self.places[new].add(index)
                changed.add(new)
        self.counts[pair] = 0
        for other in changed:
            if self.counts[other] > 0:
                heapq.heappush(self.heap, (-self.counts[other], other))


def train(word_counts, entries):
    """Returns ({token: id}, merges)."""
    pairs = PairCounts(word_counts)
    vocabulary = {symbol: index for index, symbol in enumerate(sorted(BYTE_SYMBOLS.values()))}
    merges = []
    while len(vocabulary) < entries:
        pair = pairs.pop_most_frequent()
        merges.append(pair)
        vocabulary.setdefault(pair[0] + pair[1], len(vocabulary))
        pairs.merge(pair)
    return vocabulary, merges


def added_tokens(first_id):
    return [
        {
            "id": first_id + index,
            "content": token,
            "single_word": False,
            "lstrip": False,
            "rstrip": False,
            "normalized": False,
            "special": token.startswith("<|"),
        }
        for index, token in enumerate(SPECIAL_TOKENS)
    ]


def tokenizer_json(vocabulary, merges, added):
    byte_level = {
        "type": "ByteLevel",
        "add_prefix_space": False,
        "trim_offsets": False,
        "use_regex": False,
    }
    split = {
        "type": "Split",
        "pattern": {"Regex": PATTERN},
        "behavior": "Isolated",
        "invert": False,
    }
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": added,
        "normalizer": {"type": "NFC"},
        "pre_tokenizer": {"type": "Sequence", "pretokenizers": [split, byte_level]},
        "post_processor": byte_level,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": "",
            "end_of_word_suffix": "",
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": [list(pair) for pair in merges],
        },
    }


def tokenizer_config(added, chat_template):
    decoder_keys = ("content", "lstrip", "normalized", "rstrip", "single_word", "special")
    return {
        "add_bos_token": False,
        "add_prefix_space": False,
        "added_tokens_decoder": {
            str(token["id"]): {key: token[key] for key in decoder_keys} for token in added
        },
        "additional_special_tokens": ["<|im_start|>", "<|im_end|>"],
        "bos_token": None,
        "chat_template": chat_template,
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|im_end|>",
        "errors": "replace",
        "model_max_length": 4096,
        "pad_token": "<|endoftext|>",
        "split_special_tokens": False,
        "tokenizer_class": "Qwen2Tokenizer",
        "unk_token": None,
    }


def write_json(path, value, indent):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent), encoding="utf-8")


def main():
    corpus, template_path, output = sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3])
    template = load_template(template_path)
    word_counts = Counter()
    with Pool(2) as pool:
        for counts in pool.imap_unordered(count_words, batches(training_texts(corpus, template))):
            word_counts.update(counts)
    print(len(word_counts), "different words,", sum(word_counts.values()), "in all", flush=True)

    learned = VOCABULARY - len(SPECIAL_TOKENS)
    vocabulary, merges = train(word_counts, learned)
    added = added_tokens(learned)
    output.mkdir(parents=True, exist_ok=True)
    write_json(output / "tokenizer.json", tokenizer_json(vocabulary, merges, added), indent=1)
    config = tokenizer_config(added, template_path.read_text(encoding="utf-8"))
    write_json(output / "tokenizer_config.json", config, indent=2)
    print(len(vocabulary), "entries,", len(merges), "merges")


if __name__ == "__main__":
    main()
