"""Short stories, put together from the plots of stories.txt and the word lists of facts.py."""

import re
from dataclasses import dataclass
from pathlib import Path

from facts import (
    ANIMALS,
    COLORS,
    FEMALE_NAMES,
    FOODS,
    JOBS,
    MALE_NAMES,
    OBJECTS,
    PLACES,
    TRAITS,
    WEATHER,
    read_sections,
)
from text import capitalized, with_article

_SECTIONS = read_sections(Path(__file__).with_name("stories.txt"))


def _lines(section):
    return ["" if line == "-" else line for line in _SECTIONS[section]]


OPENINGS = _lines("opening")
HABITS = _lines("habit")
HOBBIES = _lines("hobby")
ENDINGS = _lines("ending")
FEARS = _lines("fear")
THINGS = _lines("thing")
CONTESTS = _lines("contest")
BUILDINGS = _lines("building")
# A plot is a list of steps, a step a list of alternatives.
PLOTS = [
    [step.split(" | ") for step in steps]
    for name, steps in _SECTIONS.items()
    if name.startswith("plot: ")
]

CHILD_TRAITS = [trait for trait in TRAITS if trait != "old"]
ELDER_TRAITS = ["old", "kind", "patient", "cheerful", "quiet", "wise"]
GOOD_TRAITS = ["brave", "kind", "clever", "strong", "good", "helpful", "gentle"]
BAD_FEELINGS = ["sad", "worried", "lonely", "nervous", "upset", "tired"]
WEAK_TRAITS = ["small", "slow", "young", "weak"]
SEQUELS = [
    "The next day was {weather} again.",
    "A few weeks later everything was different.",
    "But that was not the end of the story.",
]


@dataclass
class Person:
    """Somebody in a story: "a kind fox named Anna"."""

    name: str
    description: str
    female: bool
    animal: str | None = None

    @property
    def he(self):
        return "she" if self.female else "he"

    @property
    def him(self):
        return "her" if self.female else "him"

    @property
    def his(self):
        return "her" if self.female else "his"


def _random_name(rng, female):
    return rng.choice(FEMALE_NAMES if female else MALE_NAMES)


def _random_child(rng, female):
    name = _random_name(rng, female)
    noun = "girl" if female else "boy"
    trait = rng.choice(CHILD_TRAITS)
    described = rng.choice([f"a {trait} {noun} named {name}", f"a {noun} named {name}"])
    return Person(name, described, female)


def _random_animal(rng):
    animal = rng.choice(ANIMALS)
    female = rng.random() < 0.5
    name = _random_name(rng, female)
    described = f"{with_article(rng.choice(TRAITS))} {animal} named {name}"
    return Person(name, described, female, animal)


def _random_elder(rng):
    female = rng.random() < 0.5
    job = rng.choice(JOBS)
    name = _random_name(rng, female)
    described = f"{with_article(rng.choice(ELDER_TRAITS))} {job} named {name}"
    return Person(name, described, female)


def random_person(rng):
    kind = rng.choice(["girl", "boy", "animal", "animal", "elder"])
    if kind == "animal":
        return _random_animal(rng)
    if kind == "elder":
        return _random_elder(rng)
    return _random_child(rng, kind == "girl")


def _cast_as(person, animal, job, rng):
    """Turns the hero into the given animal, or into somebody with the given job."""
    if animal:
        person.animal = animal
        person.description = f"{with_article(rng.choice(TRAITS))} {animal} named {person.name}"
    elif job:
        person.female = rng.random() < 0.5
        person.name = _random_name(rng, person.female)
        person.description = f"{with_article(rng.choice(TRAITS))} {job} named {person.name}"


def _fillings(hero, friend, place, other_place, thing, rng):
    """What stands for each {name} of the templates."""
    return {
        "name": hero.name,
        "Name": hero.name,
        "desc": hero.description,
        "he": hero.he,
        "He": capitalized(hero.he),
        "him": hero.him,
        "his": hero.his,
        "His": capitalized(hero.his),
        "himself": "herself" if hero.female else "himself",
        "friend": friend.name,
        "Friend": friend.name,
        "friend_desc": friend.description,
        "Cfriend_desc": capitalized(friend.description),
        "CFHe": capitalized(friend.he),
        "FHe": capitalized(friend.he),
        "fhis": friend.his,
        "place": place,
        "place2": other_place,
        "the_place": "the " + place,
        "the_place2": "the " + other_place,
        "art_place": with_article(place),
        "in_place": rng.choice(["in the " + place, "near the " + place]),
        "in_place2": rng.choice(["in the " + other_place, "behind the " + other_place]),
        "obj": thing,
        "food": rng.choice(FOODS),
        "food2": rng.choice(FOODS),
        "color": rng.choice(COLORS),
        "weather": rng.choice(WEATHER),
        "adj": rng.choice(TRAITS),
        "adjgood": rng.choice(GOOD_TRAITS),
        "feelbad": rng.choice(BAD_FEELINGS),
        "thing": rng.choice(THINGS),
        "thing2": rng.choice(THINGS),
        "fear": rng.choice(FEARS),
        "contest": rng.choice(CONTESTS),
        "build": rng.choice(BUILDINGS),
        "job": rng.choice(JOBS),
        "small": rng.choice(WEAK_TRAITS),
    }


def _tell(rng, long):
    """The templates of a story in their order."""
    plot = rng.choice(PLOTS)
    parts = [rng.choice(OPENINGS), rng.choice(HABITS)]
    parts += [rng.choice(step) for step in plot]
    if long:
        parts.append(rng.choice(SEQUELS))
        second_plot = rng.choice([other for other in PLOTS if other is not plot])
        parts += [rng.choice(step) for step in second_plot]
    parts.append(rng.choice(ENDINGS))
    return parts


def _introduce(friend, hero, sentences, rng):
    """Adds a sentence about the friend where the plot uses the name before the description."""
    body = " ".join(sentences[2:])
    named = body.find(friend.name)
    described = [body.find(friend.description), body.find(capitalized(friend.description))]
    first_description = min([at for at in described if at >= 0], default=len(body))
    if 0 <= named < first_description:
        introductions = [
            f"{hero.name}'s best friend was {friend.description}.",
            f"Next door lived {friend.description}.",
            f"{capitalized(hero.he)} had a friend, {friend.description}.",
        ]
        sentences.insert(2, rng.choice(introductions))


def story(rng, animal=None, job=None, place=None, long=False):
    """Returns (text, hero). The hero is the given animal or has the given job, if any."""
    hero, friend = random_person(rng), random_person(rng)
    while friend.name == hero.name:
        friend = random_person(rng)
    _cast_as(hero, animal, job, rng)
    first_place, other_place = rng.sample(PLACES, 2)
    thing = rng.choice(OBJECTS)

    fillings = _fillings(hero, friend, place or first_place, other_place, thing, rng)
    fillings["hobby"] = rng.choice(HOBBIES).format(**fillings)
    sentences = [part.format(**fillings) for part in _tell(rng, long)]
    _introduce(friend, hero, sentences, rng)
    sentences = [sentence for sentence in sentences if sentence]

    half = len(sentences) // 2
    if rng.random() < 0.6:
        paragraphs = [sentences[:3], sentences[3 : half + 2], sentences[half + 2 :]]
        text = "\n\n".join(" ".join(paragraph) for paragraph in paragraphs)
    else:
        text = " ".join(sentences)
    return re.sub(r" +", " ", text).strip(), hero
