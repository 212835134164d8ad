#!/usr/bin/env python3
"""Turns unpacked packages into plain-text documents.

usage: extract_corpus.py PACKAGES_FOLDER NPM_FOLDER OUTPUT.jsonl [EARLIER.jsonl]

PACKAGES_FOLDER has one folder for each unpacked Debian package. The output has one JSON object a
line: {"src": package, "text": ...}. Paragraphs that occurred before are dropped. With EARLIER.jsonl
those of that file are dropped too, and only HTML and manual pages are read.
Needs python3-lxml and groff-base.
"""

import hashlib
import json
import os
import re
import subprocess
import sys
from multiprocessing import Pool
from pathlib import Path

from corpus_files import find_pages, read_bytes
from corpus_special import special_documents
from html_text import clean, html_to_text

STOP_WORDS = frozenset(
    "the of and to a in is that for it with as be this on are by or you if not from can an will "
    "which".split()
)
DICTIONARIES = ("dict-wn", "dict-gcide")  # entries, not sentences: no test for English
HTML_BYTES_MAX = 4_000_000
MANUAL_BYTES_MIN = 400
HTML_TEXT_MIN, MANUAL_TEXT_MIN, DOCUMENT_MIN = 250, 400, 200
PARAGRAPH_TO_COMPARE = 90  # shorter ones may repeat
GROFF = "groff -k -t -mandoc -Tutf8 -P-cbou -rLL=78n -rHY=0 -dAD=l".split()


def is_english(text):
    words = re.findall(r"[A-Za-z']+", text[:20_000].lower())
    if len(words) < 40:
        return False
    return sum(word in STOP_WORDS for word in words) / len(words) > 0.13


def is_prose(paragraph):
    if len(paragraph) < 30:
        return True
    letters = sum(c.isalpha() or c == " " for c in paragraph)
    return letters / len(paragraph) > 0.6


def from_mallard(data):
    """GNOME's help pages (.page) as HTML."""
    data = re.sub(rb"(?s)<info>.*?</info>", b"", data)
    data = re.sub(rb"<(/?)title\b", rb"<\1h2", data)
    data = re.sub(rb"<\?[^>]*>|<(/?)page[^>]*>", b"", data)
    return b"<html><meta charset='utf-8'><body>" + data + b"</body></html>"


def decoded(data):
    """Pages that declare a character set are left to the parser."""
    if b"charset" in data[:2000].lower():
        return data
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def html_document(path):
    data = read_bytes(path)
    if data is None or len(data) > HTML_BYTES_MAX:
        return None
    if path.endswith(".page"):
        data = from_mallard(data)
    paragraphs = html_to_text(decoded(data)).split("\n\n")
    text = "\n\n".join(paragraph for paragraph in paragraphs if is_prose(paragraph))
    return text if len(text) >= HTML_TEXT_MIN and is_english(text) else None


def manual_document(path):
    data = read_bytes(path)
    if data is None or len(data) < MANUAL_BYTES_MIN or data[:4] == b".so ":
        return None
    folder = Path(path).parent.parent  # what .so lines are relative to
    try:
        run = subprocess.run(GROFF, input=data, capture_output=True, timeout=60, cwd=folder)
    except (OSError, subprocess.TimeoutExpired):
        return None
    text = clean(run.stdout.decode("utf-8", "replace"))
    text = re.sub(r"[ \t]+\n", "\n", text)
    text = re.sub(r"\n{3,}", "\n\n", text).strip()
    return text if len(text) >= MANUAL_TEXT_MIN and is_english(text) else None


def read_page(page):
    kind, package, path = page
    text = html_document(path) if kind == "html" else manual_document(path)
    return (package, text) if text else None


class Writer:
    """Writes documents without the paragraphs that were seen before."""

    def __init__(self, path):
        self._file = open(path, "w", encoding="utf-8")
        self._seen = set()
        self.characters = {}  # by package

    def close(self):
        self._file.close()

    def _is_new(self, paragraph):
        if len(paragraph) <= PARAGRAPH_TO_COMPARE:
            return True
        letters = re.sub(r"\W+", "", paragraph.lower())
        digest = hashlib.blake2b(letters.encode(), digest_size=8).digest()
        if digest in self._seen:
            return False
        self._seen.add(digest)
        return True

    def skip_paragraphs_of(self, path):
        with open(path, encoding="utf-8") as lines:
            for line in lines:
                for paragraph in json.loads(line)["text"].split("\n\n"):
                    self._is_new(paragraph)

    def add(self, package, text):
        new = [paragraph for paragraph in clean(text).split("\n\n") if self._is_new(paragraph)]
        text = "\n\n".join(paragraph.rstrip() for paragraph in new if paragraph.strip())
        text = text.strip("\n")
        if len(text) < DOCUMENT_MIN:
            return
        self.characters[package] = self.characters.get(package, 0) + len(text)
        record = {"src": package, "text": text}
        self._file.write(json.dumps(record, ensure_ascii=False) + "\n")


def main():
    packages, npm, output, *earlier = sys.argv[1:]
    writer = Writer(output)
    if earlier:
        writer.skip_paragraphs_of(earlier[0])
    else:
        for package, text in special_documents(packages, npm):
            if is_english(text) or package in DICTIONARIES:
                writer.add(package, text)
    with Pool(os.cpu_count()) as pool:
        for document in pool.imap(read_page, find_pages(packages), chunksize=16):
            if document:
                writer.add(*document)
    writer.close()
    for package, count in sorted(writer.characters.items(), key=lambda item: -item[1]):
        print(f"{count / 1e6:8.2f} MB  {package}")
    print(f"{sum(writer.characters.values()) / 1e6:8.2f} MB in all")


if __name__ == "__main__":
    main()
