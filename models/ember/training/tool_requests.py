"""Requests that one of the five core tools answers.

Each function returns a Request; its arguments carry the tool's original parameter names.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

from facts import (
    CITIES,
    FILE_CONTENTS,
    FILE_EXTENSIONS,
    FILE_NAMES,
    FOLDERS,
    KNOWN_FILES,
    MONTHS,
    TIME_ZONES,
    WEEKDAYS,
    WORKING_FOLDERS,
    read_sections,
)
from questions import OPERATOR_WORDS
from text import capitalized, expand

CORE_TOOLS = ["calculator", "bash", "get_weather", "read_file", "get_time"]


@dataclass
class Request:
    question: str
    arguments: dict
    response: str  # what the tool returns
    answer: str  # what the assistant makes of it
    thought: str


def random_path(rng):
    if rng.random() < 0.25:
        return rng.choice(KNOWN_FILES)
    name = rng.choice(FILE_NAMES)
    if rng.random() < 0.3:
        name += str(rng.randrange(1, 30))
    name += "." + rng.choice(FILE_EXTENSIONS)
    return name if rng.random() < 0.35 else rng.choice(FOLDERS) + "/" + name


# ---------------------------------------------------------------------------------- calculator

CALCULATIONS = [
    "What is {a} {op} {b}?",
    "What is {a} {w} {b}?",
    "Calculate {a} {op} {b}.",
    "Compute {a} {w} {b}.",
    "How much is {a} {w} {b}?",
    "{a} {op} {b}",
    "{a} {op} {b} = ?",
    "Can you calculate {a} {w} {b}?",
    "Please work out {a} {op} {b}.",
    "Use the calculator: {a} {op} {b}.",
    "I need the result of {a} {op} {b}.",
    "What do you get for {a} {w} {b}?",
    "Evaluate {a} {op} {b}",
]
CALCULATIONS_BY_OPERATOR = {
    "+": [
        "Add {a} and {b}.",
        "What is the sum of {a} and {b}?",
        "If I have {a} apples and get {b} more, how many do I have?",
    ],
    "-": [
        "Subtract {b} from {a}.",
        "What is the difference between {a} and {b}?",
        "I had {a} coins and spent {b}. How many are left?",
    ],
    "*": [
        "Multiply {a} by {b}.",
        "What is the product of {a} and {b}?",
        "There are {a} boxes with {b} books each. How many books are there?",
    ],
    "/": [
        "Divide {a} by {b}.",
        "What is {a} over {b}?",
        "Share {a} cookies among {b} children. How many does each get?",
    ],
}


def _operands(rng, operator):
    if operator == "*":
        a, b = rng.randrange(2, 100), rng.randrange(2, 100)
    elif operator == "/":
        b = rng.randrange(2, 25)
        a = b * rng.randrange(2, 60)
    else:
        a, b = rng.randrange(1, 1000), rng.randrange(1, 1000)
        if operator == "-":
            a, b = max(a, b), min(a, b)
    if rng.random() < 0.2:
        a, b = rng.randrange(1, 20), rng.randrange(1, 20)
    if operator == "/" and a % b:
        a = a * b
    return a, b


def calculator_request(rng):
    operator = rng.choice("+-*/+-**")
    a, b = _operands(rng, operator)
    value = {"+": a + b, "-": a - b, "*": a * b, "/": a // b}[operator]
    word = OPERATOR_WORDS[operator]
    template = rng.choice(CALCULATIONS + CALCULATIONS_BY_OPERATOR[operator])
    expression = f"{a} {operator} {b}"
    answer = rng.choice(
        [
            f"{expression} = {value}",
            f"{a} {word} {b} is {value}.",
            f"The result is {value}.",
            f"{expression} is {value}.",
        ]
    )
    return Request(
        template.format(a=a, b=b, op=operator, w=word),
        {"expression": expression},
        str(value),
        answer,
        f"I need to compute {expression}. I will use the calculator.",
    )


# ------------------------------------------------------------------------------------- weather

WEATHER_QUESTIONS = [
    "What is the weather in {C}?",
    "What's the weather like in {C}?",
    "How is the weather in {C} {today|right now|}?",
    "Is it raining in {C}?",
    "Is it {cold|warm|sunny} in {C} {today|right now|}?",
    "Do I need an umbrella in {C}?",
    "Weather in {C}",
    "Tell me the weather in {C}.",
    "Please check the weather in {C}.",
    "What is the temperature in {C}?",
    "Can you look up the weather for {C}?",
    "I am traveling to {C}. How is the weather there?",
    "Get the weather for {C}.",
]


def weather_request(rng, cities):
    city = rng.choice(cities)
    question = expand(rng.choice(WEATHER_QUESTIONS).replace("{C}", city), rng)
    question = re.sub(r" +\?", "?", question)
    degrees = rng.randrange(-8, 36)
    fair = "snowy" if degrees < 4 else "clear"
    sky = rng.choice(["sunny", "cloudy", "rainy", "partly cloudy", "windy", "foggy", fair])
    report = {"city": city, "temperature": degrees, "condition": sky}
    responses = [
        f"{degrees}°C, {sky}",
        json.dumps(report, ensure_ascii=False),
        f"{city}: {sky}, {degrees} degrees Celsius",
        f"{capitalized(sky)}, {degrees} C",
    ]
    response = responses[rng.randrange(len(responses))]
    answer = rng.choice(
        [
            f"It is {sky} in {city} with {degrees} degrees Celsius.",
            f"The weather in {city} is {sky}, and it is {degrees} degrees Celsius.",
            f"In {city} it is {sky} and {degrees} °C.",
        ]
    )
    if question.startswith("Is it raining") or "umbrella" in question:
        yes_or_no = "Yes" if sky == "rainy" else "No"
        answer = f"{yes_or_no}, it is {sky} in {city}, with {degrees} degrees Celsius."
    thought = f"The user wants to know the weather in {city}. I will call the weather tool."
    return Request(question, {"city": city}, response, answer, thought)


# ---------------------------------------------------------------------------------------- time

TIME_QUESTIONS = [
    "What time is it in {C}?",
    "What is the current time in {C}?",
    "What's the time in {C} right now?",
    "Tell me the time in {C}.",
    "How late is it in {C}?",
    "Current time in {C}?",
    "Can you tell me what time it is in {C}?",
    "Please check the time in {C}.",
    "I want to call a friend in {C}. What time is it there?",
    "Time in {C}",
    "Is it already night in {C}?",
]
ZONE_QUESTIONS = [
    "What time is it in the {TZ} time zone?",
    "Get the current time for {TZ}.",
    "What is the time in {TZ}?",
]


def time_request(rng):
    city = rng.choice(list(TIME_ZONES))
    zone = TIME_ZONES[city]
    if rng.random() < 0.1:
        city = zone = "UTC"
    template = rng.choice(TIME_QUESTIONS)
    if city != "UTC" and rng.random() < 0.15:
        template = rng.choice(ZONE_QUESTIONS)
    question = template.replace("{C}", city).replace("{TZ}", zone)
    hour, minute = rng.randrange(24), rng.randrange(60)
    clock = f"{hour:02d}:{minute:02d}"
    response = rng.choice(
        [
            clock,
            f"2025-{rng.randrange(1, 13):02d}-{rng.randrange(1, 29):02d} {clock}",
            json.dumps({"timezone": zone, "time": clock}),
            f"{clock} ({zone})",
        ]
    )
    answer = rng.choice(
        [
            f"It is {clock} in {city}.",
            f"The current time in {city} is {clock}.",
            f"In {city} it is {clock} now.",
        ]
    )
    if "night" in question:
        answer = f"{'Yes' if hour >= 21 or hour < 5 else 'No'}, it is {clock} in {city}."
    thought = f"The time zone of {city} is {zone}. I will call the time tool."
    return Request(question, {"timezone": zone}, response, answer, thought)


# --------------------------------------------------------------------------------------- files

FILE_QUESTIONS = [
    "Read {P}.",
    "Read the file {P}.",
    "What is in {P}?",
    "What does {P} contain?",
    "Show me the contents of {P}.",
    "Open {P} and tell me what it says.",
    "Can you read {P} for me?",
    "Please read the file {P}.",
    "Show me {P}",
    "What is written in the file {P}?",
    "Print the file {P}.",
    "Look into {P} and tell me what is inside.",
]


def file_request(rng):
    path = random_path(rng)
    question = rng.choice(FILE_QUESTIONS).replace("{P}", path)
    content = rng.choice(FILE_CONTENTS)
    if rng.random() < 0.12:
        content = rng.choice(["Error: file not found", f"No such file: {path}"])
        answers = [
            f"The file {path} does not exist.",
            f"I could not read {path}, because the file was not found.",
        ]
    else:
        answers = [
            f"The file {path} contains:\n\n```\n{content}\n```",
            f"Here is the content of {path}:\n\n```\n{content}\n```",
        ]
    thought = f"The user wants to see {path}. I will read the file."
    return Request(question, {"path": path}, content, rng.choice(answers), thought)


# --------------------------------------------------------------------------------------- shell

SHELL_REQUESTS = [
    (command, *lines[0].replace("\\n", "\n").split(" | "), lines[1:])
    for command, lines in read_sections(Path(__file__).with_name("shell_requests.txt")).items()
]
SEARCH_WORDS = "error warning todo main test port user name key value expert token".split()
NEW_FOLDERS = (
    "backup projects photos music archive docs2 work tmpdir demo output reports".split()
)
PLAIN_COMMANDS = [
    "ls -la",
    "git status",
    "git log --oneline",
    "make",
    "make test",
    "python3 main.py",
    "cat notes.txt",
    "ls -lh",
    "du -sh .",
    "whoami",
    "uname -a",
    "git diff",
    "npm test",
    "pwd",
    "id",
    "lscpu",
    "date",
    "./run.sh",
    "git branch",
    "env",
]


def _listing(rng):
    count = rng.randrange(2, 6)
    return sorted(
        rng.choice(FILE_NAMES) + "." + rng.choice(FILE_EXTENSIONS) for _ in range(count)
    )


def _long_listing(rng):
    return [
        f"-rw-r--r-- 1 {rng.choice(['root', 'anna', 'ben'])} users {rng.randrange(10, 9999)} {name}"
        for name in _listing(rng)
    ]


def _shell_outputs(rng, folder, path, extension, number, word, size):
    """All kinds of output. Every one is drawn: the training text depends on the order of draws."""
    return {
        "listing": "\n".join(_listing(rng)),
        "long listing": "\n".join(_long_listing(rng)),
        "folder": rng.choice(WORKING_FOLDERS),
        "disk usage": "Filesystem Size Used Avail Use% Mounted on\n"
        f"/dev/sda1 {number * 10}G {number * 4}G {number * 6}G 40% /",
        "memory usage": f"Mem: {rng.choice([8, 16, 32, 64])}Gi total, {rng.randrange(1, 8)}Gi used",
        "folder size": f"{size}\t{folder}",
        "line count": f"{number} {path}",
        "matching lines": rng.choice(
            [f"{word} = {number}", f"line {number}: {word}", f"{word}: ok\n{word}: done"]
        ),
        "found files": "\n".join(
            f"./{rng.choice(FILE_NAMES)}.{extension}" for _ in range(rng.randrange(1, 4))
        ),
        "nothing": "",
        "date": f"{rng.choice(WEEKDAYS)[:3]} {rng.choice(MONTHS)[:3]} {rng.randrange(1, 29)} "
        f"{rng.randrange(24):02d}:{rng.randrange(60):02d}:{rng.randrange(60):02d} UTC 2025",
        "user": rng.choice(["root", "anna", "ben", "demo"]),
        "uptime": f"up {rng.randrange(2, 30)} days, {rng.randrange(2, 24)} hours",
        "kernel": f"6.{rng.randrange(1, 15)}.{rng.randrange(0, 40)}-amd64",
        "processors": str(rng.choice([2, 4, 8, 12, 16, 32])),
        "hello": "hello",
        "anything": rng.choice(
            ["ok", "done", "all tests passed", "no changes", f"{number} files", "command finished"]
        ),
        "processes": "root 1 init\nroot 212 sshd\nanna 871 bash",
        "host name": rng.choice(["ember", "debian", "server1", "laptop"]),
    }


def shell_request(rng):
    folder, path = rng.choice(FOLDERS), random_path(rng)
    extension, number = rng.choice(FILE_EXTENSIONS), rng.randrange(2, 50)
    word, new_folder = rng.choice(SEARCH_WORDS), rng.choice(NEW_FOLDERS)
    size = f"{rng.randrange(1, 999)}{rng.choice('KMG')}"
    command, output_kind, answer, questions = rng.choice(SHELL_REQUESTS)
    first, second = rng.sample(FILE_NAMES, 2)
    second_extension, line_count = rng.choice(FILE_EXTENSIONS), rng.randrange(2, 21)
    plain_command = rng.choice(
        PLAIN_COMMANDS
        + [
            f"python3 {first}.py",
            f"bash {first}.sh",
            f"cat {first}.{second_extension}",
            f"ls {folder}",
            f"wc -l {first}.{second_extension}",
        ]
    )
    outputs = _shell_outputs(rng, folder, path, extension, number, word, size)
    fillings = {
        "d": folder,
        "p": path,
        "ext": extension,
        "w": word,
        "nm": new_folder,
        "f": f"{first}.{second_extension}",
        "f2": f"{second}.{second_extension}",
        "k": line_count,
        "c": plain_command,
        "out": outputs[output_kind],
        "size": size,
        "n": number,
    }
    question = rng.choice(questions).format(**fillings)
    command = command.format(**fillings)
    thought = rng.choice(
        [
            f"I can do this with a shell command: {command}",
            f"The command for this is {command}.",
            f"I will run {command}.",
        ]
    )
    response = outputs[output_kind]
    return Request(question, {"command": command}, response, answer.format(**fillings), thought)


def tool_request(rng, tool, weather_cities=CITIES):
    """A request for one of CORE_TOOLS."""
    if tool == "get_weather":
        return weather_request(rng, weather_cities)
    simple = {
        "calculator": calculator_request,
        "bash": shell_request,
        "read_file": file_request,
        "get_time": time_request,
    }
    return simple[tool](rng)
