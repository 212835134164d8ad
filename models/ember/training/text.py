"""Small helpers for English sentences."""

import re

from facts import PLURALS

_IRREGULAR_PLURALS = {
    "calf": "calves",
    "wolf": "wolves",
    "fox": "foxes",
    "mouse": "mice",
    "goose": "geese",
    "sheep": "sheep",
    "deer": "deer",
    "octopus": "octopuses",
    "butterfly": "butterflies",
    "monkey": "monkeys",
    "donkey": "donkeys",
    "turkey": "turkeys",
    "ox": "oxen",
}


def expand(template, rng):
    """Replaces every {a|b|c}, innermost first, by one of its alternatives."""
    while "{" in template:
        group = re.search(r"\{([^{}]*)\}", template)
        chosen = rng.choice(group.group(1).split("|"))
        template = template[: group.start()] + chosen + template[group.end() :]
    return template


def with_article(noun):
    starts_with_vowel = noun[0].lower() in "aeiou" and not noun.startswith(("uni", "one", "use"))
    return ("an " if starts_with_vowel else "a ") + noun


def capitalized(text):
    return text[:1].upper() + text[1:]


def plural(noun):
    return PLURALS.get(noun) or _IRREGULAR_PLURALS.get(noun, noun + "s")
