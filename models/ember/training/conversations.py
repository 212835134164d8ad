"""Whole conversations as chat messages, and their text through the model's chat template."""

import json
import re
from pathlib import Path

import jinja2

from facts import CITIES, HELD_OUT_CITIES
from questions import explanation_question, fact_question
from smalltalk import (
    GREETING_ANSWERS,
    GREETINGS,
    THANKS,
    THANKS_ANSWERS,
    creative_request,
    smalltalk,
)
from tool_requests import CORE_TOOLS, random_path, tool_request
from tool_schemas import TOOLS, make_schema

SYSTEM_PROMPTS = [
    "You are a helpful assistant.",
    "You are Ember, a small helpful assistant.",
    "You are Ember, a tiny demonstration model of the Flash-MoE engine.",
    "Answer briefly.",
    "You are a friendly assistant. Keep your answers short.",
    "You are an assistant that can use tools.",
    "Be concise.",
    "You are a helpful assistant running on a small machine.",
]
CALL_PREAMBLES = ["", "", "", "I will check that.", "Let me look that up.", "One moment."]
RESULT_THOUGHTS = [
    "The tool returned the result. I can answer now.",
    "Now I can answer.",
    "I have the result.",
]
SIMPLE_THOUGHTS = [
    "This is a simple question.",
    "I know the answer.",
    "I can answer this directly.",
]
TRAINING_CITIES = [city for city in CITIES if city not in HELD_OUT_CITIES]


def user_message(content):
    return {"role": "user", "content": content}


def assistant_message(content, thought, thinks):
    return {
        "role": "assistant",
        "content": content,
        "reasoning_content": thought if thinks else "",
    }


def _thanks(rng, thinks):
    return [
        user_message(rng.choice(THANKS)),
        assistant_message(rng.choice(THANKS_ANSWERS), "The user thanks me.", thinks),
    ]


def _greeting(rng, thinks):
    return [
        user_message(rng.choice(GREETINGS)),
        assistant_message(rng.choice(GREETING_ANSWERS), "The user greets me.", thinks),
    ]


def _offered_tools(rng, vary):
    names = list(CORE_TOOLS)
    if vary:
        names = rng.sample(CORE_TOOLS, rng.randrange(1, 6))
        if rng.random() < 0.5:
            others = [tool for tool in TOOLS if tool not in CORE_TOOLS]
            names += rng.sample(others, rng.randrange(0, 3))
    if rng.random() < 0.5 or vary:
        rng.shuffle(names)
    return names


def _untooled_turn(rng, size_answer, thinks):
    """A question that needs no tool although tools are there; nothing if it looks like one."""
    generate = rng.choice(
        [
            lambda: smalltalk(rng, size_answer),
            lambda: fact_question(rng),
            lambda: explanation_question(rng),
        ]
    )
    question, answer, thought = generate()
    if re.search(r"\d", question) or question.startswith("How do I"):
        return []
    thought = thought or "I can answer this without a tool."
    return [user_message(question), assistant_message(answer, thought, thinks)]


def _tool_turn(rng, schemas, held_out, thinks):
    """Returns (messages, what was called and with what result)."""
    tool = rng.choice([name for name in CORE_TOOLS if name in schemas])
    request = tool_request(rng, tool, CITIES if held_out else TRAINING_CITIES)
    _, name, renamed = schemas[tool]
    call = {
        "tool": name,
        "args": {renamed[key]: value for key, value in request.arguments.items()},
        "answer": request.answer,
        "resp": request.response,
    }
    preamble = "" if held_out else rng.choice(CALL_PREAMBLES)
    calling = assistant_message(preamble, request.thought, thinks)
    calling["tool_calls"] = [
        {"type": "function", "function": {"name": name, "arguments": call["args"]}}
    ]
    messages = [
        user_message(request.question),
        calling,
        {"role": "tool", "content": request.response},
        assistant_message(request.answer, rng.choice(RESULT_THOUGHTS), thinks),
    ]
    if not held_out and rng.random() < 0.12:
        messages += _thanks(rng, thinks)
    return messages, call


def tool_conversation(rng, size_answer, held_out=False):
    """Returns (messages, tools, the last call or None).

    Held-out conversations have one turn, standard schemas, and all cities.
    """
    thinks = rng.random() < 0.5
    vary = (not held_out) and rng.random() < 0.35
    names = _offered_tools(rng, vary)
    schemas = {name: make_schema(rng, name, vary) for name in names}
    messages, call = [], None
    if rng.random() < 0.35:
        messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
    for _ in range(1 if held_out else rng.choice([1, 1, 1, 1, 2, 2, 3])):
        untooled = not held_out and rng.random() < 0.15
        if untooled or not any(tool in schemas for tool in CORE_TOOLS):
            messages += _untooled_turn(rng, size_answer, thinks)
        else:
            turn, call = _tool_turn(rng, schemas, held_out, thinks)
            messages += turn
    if not any(message["role"] == "user" for message in messages):
        messages += _greeting(rng, thinks)
    return messages, [schemas[name][0] for name in names], call


def _missing_tool_turn(rng):
    city = rng.choice(CITIES)
    question, answer = rng.choice(
        [
            (
                f"What is the weather in {city}?",
                "I cannot look up the weather without a weather tool.",
            ),
            (f"What time is it in {city}?", "I cannot see a clock without a time tool."),
            (f"Read the file {random_path(rng)}.", "I cannot read files without a file tool."),
            (
                "List the files in the current directory.",
                "I cannot run commands without a shell tool, but you can use ls.",
            ),
        ]
    )
    return question, answer, "I have no tool for this."


def plain_conversation(rng, size_answer):
    """Returns the messages of a conversation without tools."""
    thinks = rng.random() < 0.5
    messages = []
    if rng.random() < 0.3:
        messages.append({"role": "system", "content": rng.choice(SYSTEM_PROMPTS)})
    for _ in range(rng.choice([1, 1, 1, 2, 2, 3, 4])):
        drawn = rng.random()
        if drawn < 0.12:
            question, answer, thought = smalltalk(rng, size_answer)
        elif drawn < 0.66:
            question, answer, thought = fact_question(rng)
        elif drawn < 0.80:
            question, answer, thought = explanation_question(rng)
        elif drawn < 0.975:
            question, answer, thought = creative_request(rng)
        else:
            question, answer, thought = _missing_tool_turn(rng)
        thought = thought or rng.choice(SIMPLE_THOUGHTS)
        messages += [user_message(question), assistant_message(answer, thought, thinks)]
    return messages


def load_template(path, compact_json=False):
    """The chat template at `path`; `compact_json` writes tool schemas without spaces."""

    def to_json(value, **_):
        separators = (",", ":") if compact_json else None
        return json.dumps(value, ensure_ascii=False, separators=separators)

    def raise_exception(message):
        raise ValueError(message)

    environment = jinja2.Environment(trim_blocks=True, lstrip_blocks=True)
    environment.filters["tojson"] = to_json
    environment.globals["raise_exception"] = raise_exception
    return environment.from_string(Path(path).read_text(encoding="utf-8"))


def render(template, messages, tools=None):
    return template.render(messages=messages, tools=tools, add_generation_prompt=False)
