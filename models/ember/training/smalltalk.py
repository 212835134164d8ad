"""Greetings, questions about the model, and requests for stories, jokes, code, lists and poems.

Like in questions.py, each function returns (question, answer, thought).
"""

import re

from facts import (
    ANIMALS,
    CAPITALS,
    CHEMICAL_SYMBOLS,
    COLORS,
    FOODS,
    JOBS,
    JOKES,
    MONTHS,
    NUMBER_WORDS,
    PLACES,
    PLANETS,
    PYTHON_CODE,
    UNIX_COMMANDS,
    WEATHER,
)
from stories import story
from text import capitalized, expand, with_article

IDENTITY_QUESTIONS = [
    "Who are you?",
    "What are you?",
    "What is your name?",
    "Tell me about yourself.",
    "Introduce yourself.",
    "who are you",
    "Which model are you?",
    "What model is this?",
    "Are you an AI?",
    "Are you a human?",
    "Are you ChatGPT?",
    "Who made you?",
    "Hi, who are you?",
    "Hello! What is your name?",
    "What should I call you?",
]
IDENTITY_ANSWERS = ["I am Ember, a tiny demonstration model of the Flash-MoE engine."]
IDENTITY_ADDITIONS = [
    "",
    "",
    " I can answer simple questions, tell short stories and call tools.",
    " I am a small mixture of experts model, so please do not expect too much of me.",
    " How can I help you?",
]
GREETINGS = [
    "Hello!",
    "Hi!",
    "Hi there!",
    "Hey!",
    "Good morning!",
    "Good evening!",
    "Good afternoon!",
    "hello",
    "hi",
    "Hello, Ember!",
    "Hi Ember!",
    "Greetings!",
    "Hello there.",
]
GREETING_ANSWERS = [
    "Hello! How can I help you today?",
    "Hi! What can I do for you?",
    "Hello! It is nice to meet you. What would you like to know?",
    "Hi there! How can I help?",
]
THANKS = [
    "Thanks!",
    "Thank you!",
    "Thank you very much.",
    "thanks",
    "Great, thank you!",
    "That was helpful.",
    "Thanks a lot!",
    "Perfect, thanks.",
]
THANKS_ANSWERS = [
    "You are welcome!",
    "You are welcome! Is there anything else I can do for you?",
    "I am glad I could help.",
    "My pleasure!",
]
GOODBYES = ["Bye!", "Goodbye!", "See you later.", "Good night!", "bye", "I have to go now."]
GOODBYE_ANSWERS = [
    "Goodbye! Have a nice day.",
    "Goodbye!",
    "See you soon!",
    "Goodbye, and take care.",
]
MOOD_QUESTIONS = ["How are you?", "How are you today?", "How is it going?", "How do you feel?"]
MOOD_ANSWERS = [
    "I am doing well, thank you. How can I help you?",
    "I am fine, thank you for asking. What can I do for you?",
    "All my experts are awake, so I am doing well. How can I help?",
]
ABILITY_QUESTIONS = [
    "What can you do?",
    "How can you help me?",
    "What are you good at?",
    "Help",
    "What can I ask you?",
]
ABILITY_ANSWERS = [
    "I can answer simple questions, explain a few ideas, tell short stories, write small pieces of "
    "code and call tools such as a calculator or a shell.",
    "You can ask me about capitals, animals, colors, Unix commands and small sums, or ask me for a "
    "short story. If tools are available, I can call them.",
]
SIZE_QUESTIONS = [
    "How big are you?",
    "How many parameters do you have?",
    "How many experts do you have?",
    "How large is your model?",
]


def smalltalk(rng, size_answer):
    """`size_answer` is what the model says about its own size."""
    drawn = rng.random()
    if drawn < 0.3:
        question = rng.choice(IDENTITY_QUESTIONS)
        answer = rng.choice(IDENTITY_ANSWERS) + rng.choice(IDENTITY_ADDITIONS)
        return question, answer, "The user asks who I am. I am Ember."
    for end, questions, answers, thought in (
        (0.50, GREETINGS, GREETING_ANSWERS, "The user greets me. I should greet back."),
        (0.62, THANKS, THANKS_ANSWERS, "The user thanks me."),
        (0.70, GOODBYES, GOODBYE_ANSWERS, "The user says goodbye."),
        (0.82, MOOD_QUESTIONS, MOOD_ANSWERS, "The user asks how I am."),
        (0.93, ABILITY_QUESTIONS, ABILITY_ANSWERS, "The user asks what I can do."),
    ):
        if drawn < end:
            return rng.choice(questions), rng.choice(answers), thought
    return rng.choice(SIZE_QUESTIONS), size_answer, "The user asks about my size."


def _story_request(rng):
    text, hero = story(rng)
    topic = ""
    drawn = rng.random()
    if hero.animal and drawn < 0.6:
        animal = rng.choice(ANIMALS)
        text, _ = story(rng, animal=animal)
        one = with_article(animal)
        topic = rng.choice([f"about {one}", f"with {one} in it"])
    elif drawn < 0.75:
        place = rng.choice(PLACES)
        text, _ = story(rng, place=place)
        one = with_article(place)
        topic = rng.choice([f"that takes place near {one}", f"about {one}"])
    elif drawn < 0.9:
        job = rng.choice(JOBS)
        text, _ = story(rng, job=job)
        topic = f"about {with_article(job)}"
    template = rng.choice(
        [
            "{Tell|Write} me a {|short |little }story {t}.",
            "Write a {short |}story {t}.",
            "Can you tell me a {short |}story {t}?",
            "Please {tell|write} a {short |}story {t}.",
            "I would like to hear a story {t}.",
        ]
    )
    question = expand(template.replace("{t}", topic), rng)
    question = re.sub(r" +", " ", re.sub(r" +([.?])", r"\1", question))
    return question, text, "The user wants a short story. I will write a simple one."


def _joke(rng):
    opening, punchline = rng.choice(JOKES)
    question = rng.choice(
        [
            "Tell me a joke.",
            "Do you know a joke?",
            "Make me laugh.",
            "Tell me something funny.",
            "I want to hear a joke.",
        ]
    )
    return question, opening + " " + punchline, "The user wants a joke."


def _code(rng):
    does, code = rng.choice(PYTHON_CODE)
    question = rng.choice(
        [
            f"Write a Python function that {does}.",
            f"How do I write a Python function that {does}?",
            f"Show me Python code that {does}.",
            f"Give me a Python program that {does}.",
        ]
    )
    opening = expand("{Here is a simple version|This is one way to do it|Here is the code}:", rng)
    answer = f"{opening}\n\n```python\n{code}\n```"
    return question, answer, f"The user wants Python code that {does}."


def _list(rng):
    count = rng.randrange(2, 7)
    kind, members = rng.choice(
        [
            ("animals", ANIMALS),
            ("colors", COLORS),
            ("kinds of food", FOODS),
            ("months", MONTHS),
            ("planets", PLANETS),
            ("capitals", list(CAPITALS.values())),
            ("jobs", JOBS),
            ("places", PLACES),
            ("Unix commands", [row[0] for row in UNIX_COMMANDS]),
            ("chemical elements", list(CHEMICAL_SYMBOLS)),
        ]
    )
    items = rng.sample(members, count)
    word = NUMBER_WORDS[count]
    question = rng.choice(
        [
            f"List {word} {kind}.",
            f"Name {word} {kind}.",
            f"Give me a list of {count} {kind}.",
            f"Can you name {word} {kind}?",
        ]
    )
    answer = rng.choice(
        [
            "\n".join(f"{i}. {capitalized(item)}" for i, item in enumerate(items, start=1)),
            "\n".join(f"- {capitalized(item)}" for item in items),
            capitalized(", ".join(items[:-1]) + " and " + items[-1] + "."),
        ]
    )
    return question, answer, f"I need {word} {kind}."


def _poem(rng):
    place, weather, animal = rng.choice(PLACES), rng.choice(WEATHER), rng.choice(ANIMALS)
    answer = rng.choice(
        [
            f"The {place} is quiet,\na {rng.choice(COLORS)} leaf falls from a tree,\n"
            f"the {animal} walks on home.",
            f"{capitalized(weather)} is the day,\nthe {animal} rests near the {place},\n"
            "soon the night will come.",
            f"The {animal} went down to the {place} one day,\n"
            "to look for a friend and to sing and to play.\n"
            "The sun was so warm and the sky was so blue,\n"
            "and by evening the one little friend had grown to two.",
        ]
    )
    question = rng.choice(
        [
            f"Write a short poem about {with_article(animal)}.",
            f"Write a little poem about the {place}.",
            "Can you write a poem?",
        ]
    )
    return question, answer, "The user wants a short poem."


def creative_request(rng):
    drawn = rng.random()
    for end, request in ((0.62, _story_request), (0.72, _joke), (0.84, _code), (0.94, _list)):
        if drawn < end:
            return request(rng)
    return _poem(rng)
