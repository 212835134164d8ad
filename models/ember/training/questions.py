"""Questions with short answers. Each function returns (question, answer, thought or None)."""

import re

from facts import (
    ANIMAL_FACTS,
    CAPITALS,
    CHEMICAL_SYMBOLS,
    COLOR_MIXTURES,
    CONTINENTS,
    CURRENCIES,
    DAYS_OF_MONTH,
    ELEMENTS_BY_NUMBER,
    EXPLANATIONS,
    GENERAL_QUESTIONS,
    LANGUAGES,
    MONTHS,
    NUMBER_WORDS,
    OPPOSITES,
    ORDINALS,
    PAST_TENSES,
    PLANETS,
    PLURALS,
    SHAPE_SIDES,
    STATE_CAPITALS,
    THING_COLORS,
    TRANSLATIONS,
    UNIX_COMMANDS,
    WEEKDAYS,
)
from text import capitalized, plural, with_article

OPERATOR_WORDS = {"+": "plus", "-": "minus", "*": "times", "/": "divided by"}
HOMES_WITH_THE = ("ocean", "savanna", "rainforest", "forest", "desert")


def _pick(rng, table):
    return rng.choice(list(table.items()))


def _capital(rng):
    country, city = _pick(rng, CAPITALS)
    question = rng.choice(
        [
            f"What is the capital of {country}?",
            f"What's the capital of {country}?",
            f"Which city is the capital of {country}?",
            f"Name the capital of {country}.",
            f"capital of {country}?",
            f"Tell me the capital of {country}.",
            f"Do you know the capital of {country}?",
            f"What is the capital city of {country}?",
        ]
    )
    statement = f"The capital of {country} is {city}."
    answer = rng.choice([statement, statement, f"{city} is the capital of {country}."])
    thought = f"The user asks for the capital of {country}. It is {city}."
    if rng.random() < 0.15:
        question = rng.choice(
            [
                f"Which country has {city} as its capital?",
                f"{city} is the capital of which country?",
            ]
        )
        answer = thought = f"{city} is the capital of {country}."
    return question, answer, thought


def _state_capital(rng):
    state, city = _pick(rng, STATE_CAPITALS)
    question = rng.choice(
        [
            f"What is the capital of the US state of {state}?",
            f"What is the state capital of {state}?",
            f"Which city is the state capital of {state}?",
        ]
    )
    answer = f"The capital of the state of {state} is {city}."
    return question, answer, f"The state capital of {state} is {city}."


def _continent(rng):
    country, continent = _pick(rng, CONTINENTS)
    question = rng.choice(
        [
            f"On which continent is {country}?",
            f"Which continent is {country} in?",
            f"Where is {country}?",
        ]
    )
    return question, f"{country} is in {continent}.", f"{country} is a country in {continent}."


def _language(rng):
    country, language = _pick(rng, LANGUAGES)
    question = rng.choice(
        [
            f"What language is spoken in {country}?",
            f"Which language do people speak in {country}?",
        ]
    )
    return question, f"People in {country} speak {language}.", None


def _currency(rng):
    country, currency = _pick(rng, CURRENCIES)
    question = rng.choice(
        [f"What is the currency of {country}?", f"Which currency is used in {country}?"]
    )
    return question, f"The currency of {country} is {currency}.", None


def _animal(rng):
    animal, (sound, young, group, home, food, legs, kind) = _pick(rng, ANIMAL_FACTS)
    one, many = with_article(animal), plural(animal)
    home_article = "the " if home in HOMES_WITH_THE else with_article(home).split()[0] + " "
    topics = [
        (
            [f"What sound does {one} make?", f"What noise does {one} make?"],
            f"{capitalized(one)} {sound}.",
        ),
        (
            [
                f"What is a baby {animal} called?",
                f"What do you call a young {animal}?",
                f"What is the name for a baby {animal}?",
            ],
            f"A baby {animal} is called {with_article(young)}.",
        ),
        (
            [f"What is a group of {many} called?", f"What do you call a group of {many}?"],
            f"A group of {many} is called {with_article(group)}.",
        ),
        (
            [f"Where does {one} live?", f"Where do {many} live?"],
            f"{capitalized(many)} often live in {home_article}{home}.",
        ),
        (
            [f"What does {one} eat?", f"What do {many} eat?"],
            f"{capitalized(many)} eat {food}.",
        ),
        (
            [f"How many legs does {one} have?", f"How many legs do {many} have?"],
            f"{capitalized(one)} has {legs} legs.",
        ),
        (
            [
                f"What kind of animal is {one}?",
                f"Is {one} a mammal?",
                f"What class of animals does {one} belong to?",
            ],
            f"{capitalized(one)} is {with_article(kind)}.",
        ),
    ]
    questions, answer = topics[rng.randrange(len(topics))]
    question = rng.choice(questions)
    if question.startswith("Is "):
        answer = ("Yes, " if kind == "mammal" else "No, ") + f"{one} is {with_article(kind)}."
    return question, answer, None


def _color(rng):
    thing, color = _pick(rng, THING_COLORS)
    question = rng.choice(
        [
            f"What color is {thing}?",
            f"What colour is {thing}?",
            f"Which color does {thing} have?",
        ]
    )
    return question, f"{capitalized(thing)} is {color}.", None


def _color_mixture(rng):
    (first, second), mixed = _pick(rng, COLOR_MIXTURES)
    if rng.random() < 0.5:
        first, second = second, first
    question = rng.choice(
        [
            f"What color do you get when you mix {first} and {second}?",
            f"What do {first} and {second} make?",
            f"Which color do {first} and {second} paint make?",
        ]
    )
    return question, f"{capitalized(first)} and {second} make {mixed}.", None


def _opposite(rng):
    word, opposite = _pick(rng, OPPOSITES)
    if rng.random() < 0.5:
        word, opposite = opposite, word
    question = rng.choice(
        [
            f"What is the opposite of {word}?",
            f'What\'s the opposite of "{word}"?',
            f"Give me an antonym of {word}.",
        ]
    )
    answer = rng.choice(
        [f"The opposite of {word} is {opposite}.", f'The opposite of "{word}" is "{opposite}".']
    )
    return question, answer, None


def _plural(rng):
    word, answer = _pick(rng, PLURALS)
    question = rng.choice(
        [f"What is the plural of {word}?", f'What is the plural form of "{word}"?']
    )
    return question, f"The plural of {word} is {answer}.", None


def _past_tense(rng):
    word, past = _pick(rng, PAST_TENSES)
    question = rng.choice(
        [f"What is the past tense of {word}?", f'What is the past tense of "{word}"?']
    )
    return question, f"The past tense of {word} is {past}.", None


def _element(rng):
    element, symbol = _pick(rng, CHEMICAL_SYMBOLS)
    if rng.random() < 0.3 and element in ELEMENTS_BY_NUMBER:
        number = ELEMENTS_BY_NUMBER.index(element) + 1
        question = f"What is the atomic number of {element}?"
        return question, f"The atomic number of {element} is {number}.", None
    question = rng.choice(
        [
            f"What is the chemical symbol of {element}?",
            f"What is the chemical symbol for {element}?",
            f"What is the symbol of the element {element}?",
        ]
    )
    return question, f"The chemical symbol of {element} is {symbol}.", None


def _planet(rng):
    index = rng.randrange(len(PLANETS))
    planet, ordinal = PLANETS[index], ORDINALS[index]
    question = rng.choice(
        [
            f"Which planet is the {ordinal} from the sun?",
            f"Which position does {planet} have in the solar system?",
        ]
    )
    return question, f"{planet} is the {ordinal} planet from the sun.", None


def _month(rng):
    index = rng.randrange(len(MONTHS))
    month, following = MONTHS[index], MONTHS[(index + 1) % 12]
    leap = ", and 29 in a leap year." if month == "February" else "."
    question, answer = rng.choice(
        [
            (f"How many days does {month} have?", f"{month} has {DAYS_OF_MONTH[month]} days{leap}"),
            (f"Which month comes after {month}?", f"{following} comes after {month}."),
            (f"Which month comes before {month}?", f"{MONTHS[index - 1]} comes before {month}."),
            (
                f"Which month of the year is {month}?",
                f"{month} is the {ORDINALS[index]} month of the year.",
            ),
        ]
    )
    return question, answer, None


def _weekday(rng):
    index = rng.randrange(len(WEEKDAYS))
    day = WEEKDAYS[index]
    question, answer = rng.choice(
        [
            (f"Which day comes after {day}?", f"{WEEKDAYS[(index + 1) % 7]} comes after {day}."),
            (f"Which day comes before {day}?", f"{WEEKDAYS[index - 1]} comes before {day}."),
        ]
    )
    return question, answer, None


def _shape(rng):
    shape, sides = _pick(rng, SHAPE_SIDES)
    one = with_article(shape)
    part = rng.choice(["sides", "corners"])
    answer = f"{capitalized(one)} has {NUMBER_WORDS[sides]} {part}."
    return f"How many {part} does {one} have?", answer, None


def _translation(rng):
    language, words = rng.choice(TRANSLATIONS)
    english, foreign = _pick(rng, words)
    backwards = f'What does "{foreign}" mean in English?'
    question = rng.choice(
        [
            f"How do you say {english} in {language}?",
            f"What is the {language} word for {english}?",
            f'Translate "{english}" into {language}.',
            backwards,
        ]
    )
    if question == backwards:
        return question, f'The {language} word "{foreign}" means "{english}".', None
    return question, f'The {language} word for "{english}" is "{foreign}".', None


def _unix_command(rng):
    command, does, how, example = rng.choice(UNIX_COMMANDS)
    # All four are drawn, whichever pair is used: the training text depends on the order of draws.
    what_question = rng.choice(
        [
            f"What does the {command} command do?",
            f"What does {command} do?",
            f"What is the {command} command for?",
            f"Explain the Unix command {command}.",
            f"What is {command} in Linux?",
        ]
    )
    what_answer = rng.choice(
        [
            f"The {command} command {does}. For example: {example}",
            f"{command} {does}. Example: `{example}`",
        ]
    )
    how_question = rng.choice(
        [
            f"How do I {how}?",
            f"How can I {how} on Linux?",
            f"Which command do I use to {how}?",
            f"How do I {how} in the shell?",
        ]
    )
    how_answer = rng.choice(
        [
            f"You can use {command}. For example: {example}",
            f"Use the {command} command: `{example}`",
        ]
    )
    question, answer = rng.choice([(what_question, what_answer), (how_question, how_answer)])
    return question, answer, f"The {command} command {does}."


def _small_sum(rng):
    """Returns (a, operator, b, value)."""
    operator = rng.choice("++-*")
    if operator == "*":
        a, b = rng.randrange(0, 13), rng.randrange(0, 13)
        return a, operator, b, a * b
    a, b = rng.randrange(0, 51), rng.randrange(0, 51)
    if operator == "+":
        return a, operator, b, a + b
    a, b = max(a, b), min(a, b)
    return a, operator, b, a - b


def _arithmetic(rng):
    a, operator, b, value = _small_sum(rng)
    word = OPERATOR_WORDS[operator]
    question = rng.choice(
        [
            f"What is {a} {operator} {b}?",
            f"{a} {operator} {b} = ?",
            f"How much is {a} {word} {b}?",
            f"What is {a} {word} {b}?",
            f"Compute {a} {operator} {b}.",
        ]
    )
    answer = rng.choice(
        [f"{a} {operator} {b} = {value}", f"{a} {word} {b} is {value}.", f"The answer is {value}."]
    )
    return question, answer, f"{a} {word} {b} is {value}."


def _number_word(rng):
    number = rng.randrange(1, 21)
    question = rng.choice(
        [f"How do you write {number} in words?", f"Write the number {number} as a word."]
    )
    return question, f'The number {number} is written "{NUMBER_WORDS[number]}".', None


def _general(rng):
    question, answer = rng.choice(GENERAL_QUESTIONS)
    lowered = question[0].lower() + question[1:]
    form = rng.random()
    if form < 0.15:
        question = lowered.rstrip("?")
    elif form < 0.3:
        prefixes = [
            "Please tell me: ",
            "Quick question: ",
            "I would like to know: ",
            "Can you tell me: ",
        ]
        question = rng.choice(prefixes) + lowered
    return question, answer, None


# (upper end of the kind's share of [0, 1), generator)
_KINDS = [
    (0.16, _capital),
    (0.20, _state_capital),
    (0.23, _continent),
    (0.26, _language),
    (0.28, _currency),
    (0.38, _animal),
    (0.42, _color),
    (0.44, _color_mixture),
    (0.50, _opposite),
    (0.53, _plural),
    (0.56, _past_tense),
    (0.59, _element),
    (0.62, _planet),
    (0.66, _month),
    (0.68, _weekday),
    (0.70, _shape),
    (0.74, _translation),
    (0.80, _unix_command),
    (0.90, _arithmetic),
    (0.92, _number_word),
    (1.00, _general),
]


def fact_question(rng):
    drawn = rng.random()
    return next(kind for end, kind in _KINDS if drawn < end)(rng)


def explanation_question(rng):
    subject, other_names, explanation = rng.choice(EXPLANATIONS)
    subject = rng.choice([subject] + other_names.split(";"))
    template = rng.choice(
        [
            "What is {x}?",
            "Explain {x}.",
            "Can you explain {x}?",
            "Please explain {x} in simple words.",
            "Tell me about {x}.",
            "What is {x}, in short?",
            "Describe {x}.",
            "How would you explain {x}?",
        ]
    )
    if subject.startswith("how "):
        template = rng.choice(
            ["Explain {x}.", "Can you explain {x}?", "Tell me {x}.", "Do you know {x}?"]
        )
    thought = f"The user wants a short explanation of {subject}."
    return template.replace("{x}", subject), explanation, thought


def gloss_question(rng, glosses):
    """Asks for the meaning of a word; `glosses` are those of find_glosses()."""
    word, gloss = rng.choice(glosses)
    one = with_article(word)
    question = rng.choice(
        [
            f"What is {one}?",
            f'What does the word "{word}" mean?',
            f"Define {word}.",
            f"What does {word} mean?",
        ]
    )
    return question, f"{capitalized(one)} is {gloss}.", f"The user asks what {one} is."


def find_glosses(wordnet_texts):
    """Returns (noun, short definition) pairs out of the text of WordNet's dictionary."""
    pattern = re.compile(
        r"(?m)^([a-z]{4,14})\n    n ?\n? *: ((?:a|an|the|any|one) [^;:\n()\"]{20,110})"
    )
    return [
        (match.group(1), match.group(2).strip())
        for text in wordnet_texts
        for match in pattern.finditer(text)
    ]
