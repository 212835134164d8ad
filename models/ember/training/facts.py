"""The word lists and facts of facts.txt, all written for this project."""

from pathlib import Path


def read_sections(path):
    """Returns {section name: its lines} of a file like facts.txt; ';' begins a comment line."""
    sections = {}
    lines = []
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if not line or line.startswith(";"):
            continue
        if line.startswith("== "):
            lines = sections.setdefault(line.strip("= "), [])
        else:
            lines.append(line)
    return sections


_SECTIONS = read_sections(Path(__file__).with_name("facts.txt"))


def _words(section):
    return [word.strip() for word in " ".join(_SECTIONS[section]).split(", ")]


def _rows(section, columns):
    """The fields of every line; the last field may contain the separator."""
    rows = [line.split(" | ", columns - 1) for line in _SECTIONS[section]]
    return [[field.replace("\\n", "\n") for field in row] for row in rows]


def _pairs(section):
    return dict(_rows(section, 2))


FEMALE_NAMES = _words("female names")
MALE_NAMES = _words("male names")
ANIMALS = _words("animals")
TRAITS = _words("traits")
OBJECTS = _words("objects")
COLORS = _words("colors")
PLACES = _words("places")
FOODS = _words("foods")
WEATHER = _words("weather")
JOBS = _words("jobs")

CAPITALS = _pairs("capitals")
STATE_CAPITALS = _pairs("state capitals")
CONTINENTS = {
    country: continent
    for continent, countries in _rows("continents", 2)
    for country in countries.split(", ")
}
LANGUAGES = _pairs("languages")
CURRENCIES = _pairs("currencies")

# animal -> (sound, young, group, home, food, legs, class)
ANIMAL_FACTS = {animal: tuple(facts) for animal, *facts in _rows("animal facts", 8)}
THING_COLORS = _pairs("color of things")
COLOR_MIXTURES = {(a, b): mixed for a, b, mixed in _rows("color mixtures", 3)}

OPPOSITES = _pairs("opposites")
PLURALS = _pairs("plurals")
PAST_TENSES = _pairs("past tenses")
CHEMICAL_SYMBOLS = _pairs("chemical symbols")
ELEMENTS_BY_NUMBER = _words("elements by number")  # hydrogen first
PLANETS = _words("planets")
ORDINALS = _words("ordinals")
DAYS_OF_MONTH = {month: int(days) for month, days in _rows("months", 2)}
MONTHS = list(DAYS_OF_MONTH)
WEEKDAYS = _words("weekdays")
SHAPE_SIDES = {shape: int(sides) for shape, sides in _rows("shapes", 2)}
NUMBER_WORDS = _words("number words")  # zero first
TRANSLATIONS = [
    ("French", _pairs("french")),
    ("Spanish", _pairs("spanish")),
    ("German", _pairs("german")),
]

UNIX_COMMANDS = _rows("unix commands", 4)  # command, what it does, how to ..., example
GENERAL_QUESTIONS = _rows("general questions", 2)
EXPLANATIONS = _rows("explanations", 3)  # subject, other names, explanation
JOKES = _rows("jokes", 2)
PYTHON_CODE = _rows("python code", 2)

TIME_ZONES = _pairs("time zones")  # of cities
CITIES = sorted(
    {
        *TIME_ZONES,
        *(capital for capital in CAPITALS.values() if len(capital) < 18),
        *_words("more cities"),
    }
)
# Left out of the tool conversations for training, so that held-out prompts can ask for them.
HELD_OUT_CITIES = _words("held-out cities")

FOLDERS = _words("folders")
WORKING_FOLDERS = _words("working folders")
FILE_NAMES = _words("file names")
FILE_EXTENSIONS = _words("file extensions")
KNOWN_FILES = _words("known files")
FILE_CONTENTS = [content for (content,) in _rows("file contents", 1)]
