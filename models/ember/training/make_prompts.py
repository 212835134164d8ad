#!/usr/bin/env python3
"""Writes the prompts for make_golden.py.

usage: make_prompts.py MODEL_FOLDER DOCUMENT.txt OUTPUT.json
"""

import json
import sys

from transformers import AutoTokenizer

# tool, description, parameter, its description
TOOLS = [
    (
        "calculator",
        "Evaluate an arithmetic expression.",
        "expression",
        "The expression to evaluate",
    ),
    ("bash", "Run a command in a bash shell.", "command", "The command to run"),
    ("get_weather", "Get the current weather for a city.", "city", "The name of the city"),
    ("read_file", "Read a file and return its contents.", "path", "The path of the file"),
    (
        "get_time",
        "Get the current time in a time zone.",
        "timezone",
        "The IANA time zone, for example Europe/Berlin",
    ),
]
PROSE = (
    "The old lighthouse stood at the end of the harbor. Every evening the keeper climbed the "
    "stairs, lit the lamp and looked out over the sea. One night he saw"
)
# Several scripts, emoji, and a decomposed e with an acute accent (NFC has work to do).
UNICODE = (
    "Café naïve — “quoted” text… Привет, мир! 你好，世界。 こんにちは हिन्दी 🚀🌍 "
    "e\u0301 → µm ½ €100 Ελληνικά"
)
CODE = """def is_prime(n):
    if n < 2:
        return False
    for i in range(2, int(n ** 0.5) + 1):
        if n % i == 0:
            return False
    return True


#include <stdio.h>

int main(void)
{
\tprintf("%d\\n", 42);
\treturn 0;
}
"""
MESSAGES = [
    {"role": "system", "content": "You are Ember, a small helpful assistant."},
    {"role": "user", "content": "What is 23 * 17?"},
]


def schema(name, description, parameter, parameter_description):
    parameters = {
        "type": "object",
        "properties": {parameter: {"type": "string", "description": parameter_description}},
        "required": [parameter],
    }
    function = {"name": name, "description": description, "parameters": parameters}
    return {"type": "function", "function": function}


def main():
    folder, document_path, output = sys.argv[1:]
    tokenizer = AutoTokenizer.from_pretrained(folder)

    def encode(text):
        return tokenizer.encode(text, add_special_tokens=False)

    chat = tokenizer.apply_chat_template(
        MESSAGES,
        tools=[schema(*tool) for tool in TOOLS],
        tokenize=False,
        add_generation_prompt=True,
        enable_thinking=False,
    )
    with open(document_path, encoding="utf-8") as file:
        document = encode(file.read())[:700]
    prompts = [
        ("prose", PROSE, encode(PROSE)),
        ("chatml_tools", chat, encode(chat)),
        ("unicode", UNICODE, encode(UNICODE)),
        ("document_700", tokenizer.decode(document), document),
        ("single_token", "Once", encode("Once")[:1]),
        ("code", CODE, encode(CODE)),
    ]
    records = [{"name": name, "text": text, "ids": ids} for name, text, ids in prompts]
    with open(output, "w", encoding="utf-8") as file:
        json.dump(records, file, ensure_ascii=False)


if __name__ == "__main__":
    main()
