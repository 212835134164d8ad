#!/usr/bin/python3
"""Renders tests/data/jinja/golden.json anew with the reference implementation of Jinja2.

The file holds {"context": variables, "cases": [{"name", "template", "expected" or "error"}]}; add
cases with a name and a template, run this, and read the difference. Needs Debian's
python3-jinja2; the environment is the one that Hugging Face transformers builds for chat templates.

  scripts/generate_jinja_golden.py            renders the golden file in place
  scripts/generate_jinja_golden.py --stdin    renders {"template", "context"} lines from stdin
"""

import copy
import datetime
import json
import pathlib
import sys

import jinja2
import jinja2.ext
import jinja2.nodes
import jinja2.sandbox


class Generation(jinja2.ext.Extension):
    """{% generation %}: what the assistant said; here it only renders its body."""

    tags = {"generation"}

    def parse(self, parser):
        line = next(parser.stream).lineno
        body = parser.parse_statements(["name:endgeneration"], drop_needle=True)
        call = self.call_method("_render")
        return jinja2.nodes.CallBlock(call, [], [], body).set_lineno(line)

    def _render(self, caller):
        return caller()


def raise_exception(message):
    raise jinja2.exceptions.TemplateError(message)


def tojson(x, ensure_ascii=False, indent=None, separators=None, sort_keys=False):
    return json.dumps(x, ensure_ascii=ensure_ascii, indent=indent, separators=separators,
                      sort_keys=sort_keys)


def environment():
    env = jinja2.sandbox.ImmutableSandboxedEnvironment(
        trim_blocks=True, lstrip_blocks=True, extensions=[Generation, jinja2.ext.loopcontrols])
    env.filters["tojson"] = tojson
    env.globals["raise_exception"] = raise_exception
    env.globals["strftime_now"] = lambda fmt: datetime.datetime.now().strftime(fmt)
    return env


def render(env, template, context):
    try:
        output = env.from_string(template).render(**copy.deepcopy(context))
        output.encode()  # half a surrogate pair is no text
        return {"expected": output}
    except Exception as error:  # whatever the template provokes
        return {"error": str(error)[:200]}


def main():
    env = environment()
    if "--stdin" in sys.argv:
        for line in sys.stdin:
            record = json.loads(line)
            result = render(env, record["template"], record.get("context", {}))
            print(json.dumps({**record, **result}), flush=True)
        return
    path = pathlib.Path(__file__).resolve().parent.parent / "tests/data/jinja/golden.json"
    golden = json.loads(path.read_text())
    lines = []
    for case in golden["cases"]:
        result = render(env, case["template"], golden["context"])
        record = {"name": case["name"], "template": case["template"], **result}
        lines.append(json.dumps(record, ensure_ascii=False))
    context = json.dumps(golden["context"], ensure_ascii=False)
    path.write_text(f'{{"context": {context},\n"cases": [\n' + ",\n".join(lines) + "\n]}\n")


if __name__ == "__main__":
    main()
