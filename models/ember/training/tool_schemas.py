"""Function schemas of the tools, and the variations of them that training shows."""

# tool -> (descriptions, {parameter: (type, descriptions)})
TOOLS = {
    "calculator": (
        [
            "Evaluate an arithmetic expression.",
            "Calculate the value of a mathematical expression.",
            "A simple calculator.",
            "Evaluates a math expression and returns the result.",
        ],
        {
            "expression": (
                "string",
                [
                    "The expression to evaluate",
                    "Arithmetic expression, for example 2 + 2",
                    'The expression, e.g. "3 * 4"',
                ],
            )
        },
    ),
    "bash": (
        [
            "Run a command in a bash shell.",
            "Execute a shell command and return its output.",
            "Run a bash command on this machine.",
        ],
        {
            "command": (
                "string",
                ["The command to run", "The bash command to execute", "Shell command"],
            )
        },
    ),
    "get_weather": (
        [
            "Get the current weather for a city.",
            "Returns the weather in a city.",
            "Look up the current weather.",
        ],
        {"city": ("string", ["The name of the city", "City name", "The city, e.g. Paris"])},
    ),
    "read_file": (
        [
            "Read a file and return its contents.",
            "Read the contents of a file.",
            "Returns the text of a file.",
        ],
        {"path": ("string", ["The path of the file", "Path to the file", "File to read"])},
    ),
    "get_time": (
        [
            "Get the current time in a time zone.",
            "Returns the current time for a time zone.",
            "Look up the current time.",
        ],
        {
            "timezone": (
                "string",
                [
                    "The IANA time zone, for example Europe/Berlin",
                    "Time zone name",
                    "IANA time zone",
                ],
            )
        },
    ),
    "web_search": (
        ["Search the web.", "Search the internet for a query."],
        {"query": ("string", ["The search query", "What to search for"])},
    ),
    "translate": (
        ["Translate a text into another language."],
        {
            "text": ("string", ["The text to translate"]),
            "language": ("string", ["The target language"]),
        },
    ),
    "write_file": (
        ["Write text to a file."],
        {
            "path": ("string", ["The path of the file"]),
            "content": ("string", ["The text to write"]),
        },
    ),
    "list_directory": (
        ["List the files in a directory."],
        {"path": ("string", ["The directory to list"])},
    ),
    "set_timer": (["Set a timer."], {"minutes": ("integer", ["The number of minutes"])}),
}
OTHER_TOOL_NAMES = {
    "calculator": ["calc", "calculate", "math"],
    "bash": ["shell", "run_command", "terminal"],
    "get_weather": ["weather", "current_weather", "weather_lookup"],
    "read_file": ["open_file", "cat_file", "file_read"],
    "get_time": ["time", "current_time", "clock"],
}
OTHER_PARAMETER_NAMES = {
    "expression": ["expr", "input"],
    "command": ["cmd"],
    "city": ["location", "place"],
    "path": ["file_path", "filename"],
    "timezone": ["tz", "zone"],
}


def _with_sorted_keys(value):
    if not isinstance(value, dict):
        return value
    return {key: _with_sorted_keys(value[key]) for key in sorted(value)}


def make_schema(rng, tool, vary):
    """Returns (schema, tool name, {original parameter name: name in the schema}).

    `vary` allows other names, missing descriptions and other key orders, so that the model learns
    to read the schema instead of knowing the tools by heart.
    """
    descriptions, parameters = TOOLS[tool]
    name = tool
    if vary and tool in OTHER_TOOL_NAMES and rng.random() < 0.5:
        name = rng.choice(OTHER_TOOL_NAMES[tool])
    properties, renamed = {}, {}
    for original, (kind, parameter_descriptions) in parameters.items():
        shown = original
        if vary and original in OTHER_PARAMETER_NAMES and rng.random() < 0.4:
            shown = rng.choice(OTHER_PARAMETER_NAMES[original])
        renamed[original] = shown
        spec = {"type": kind, "description": rng.choice(parameter_descriptions)}
        if vary and rng.random() < 0.2:
            del spec["description"]
        if vary and rng.random() < 0.2:
            spec = dict(reversed(spec.items()))
        properties[shown] = spec
    function = {
        "name": name,
        "description": rng.choice(descriptions),
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": list(properties),
        },
    }
    schema = {"type": "function", "function": function}
    if vary and rng.random() < 0.4:  # as JSON libraries that sort keys write it
        schema = _with_sorted_keys(schema)
    return schema, name, renamed
