"""Finds the HTML and manual pages of unpacked packages, the English ones."""

import gzip
import os
import re
import zlib

SKIPPED_PAGES = ("genindex.html", "search.html", "py-modindex.html", "print.html", "toc.html")
TRANSLATED_MANUAL = re.compile(r"/man/(?!man\d)")
MANUAL = re.compile(r"/man/man\d")
HTML = re.compile(r"\.x?html?(\.gz)?$")

# What a path within the package must match, or must not.
_DEBIAN_MANUALS = re.compile(
    r"\.(de|es|fr|it|ja|pt|pt-br|ru|zh-cn|zh-tw|ca|ko|lt)\.html|/(de|fr|it|ja|ru|zh[-_a-z]*)/"
)
_TRANSLATIONS = re.compile(
    r"/(de|fr|es|it|ja|ca|cs|hu|nl|zh|pt|ru|pl|uk|id)[^/]*/"
    r"|\.(de|fr|es|it|ja|ca|cs|hu|nl|zh|pt|ru)\.html"
)
WANTED = {
    "debian-handbook": re.compile(r"/en-US/"),
    "installation-guide-amd64": re.compile(r"/en/|/en\."),
    "live-manual-html": re.compile(r"/en/|\.en\."),
    "apache2-doc": re.compile(r"/en/"),
    "libreoffice-help-en-us": re.compile(r"/en-US/"),
    "rust-doc": re.compile(
        r"/html/(book|reference|nomicon|cargo|rust-by-example|rustc|rustdoc|edition-guide"
        r"|embedded-book|unstable-book)/"
    ),
}
UNWANTED = {
    "gnucash-docs": _TRANSLATIONS,
    "kicad-doc-en": _TRANSLATIONS,
    "lilypond-doc-html": _TRANSLATIONS,
    "harden-doc": re.compile(r"/(de|es|fr|it|ja|pt|ru|zh)/|\.(de|es|fr|it|ja|pt-br|ru)\.html"),
    "maint-guide": _DEBIAN_MANUALS,
    "debian-history": _DEBIAN_MANUALS,
    "debian-faq": _DEBIAN_MANUALS,
    "debmake-doc": _DEBIAN_MANUALS,
    "debian-reference-en": _DEBIAN_MANUALS,
    "developers-reference": _DEBIAN_MANUALS,
    "debian-policy": _DEBIAN_MANUALS,
}


def read_bytes(path):
    """The file's content, unpacked; None if it cannot be read."""
    try:
        with gzip.open(path) if path.endswith(".gz") else open(path, "rb") as file:
            return file.read()
    except (OSError, EOFError, zlib.error):
        return None


def read_text(path):
    """Like read_bytes, as text; bytes that are no UTF-8 are replaced."""
    opener = gzip.open if path.endswith(".gz") else open
    with opener(path, "rt", encoding="utf-8", errors="replace") as file:
        return file.read()


def _is_wanted(package, path, name):
    if not HTML.search(name) or name in SKIPPED_PAGES:
        return False
    if package in WANTED and not WANTED[package].search(path):
        return False
    if package in UNWANTED and UNWANTED[package].search(path):
        return False
    # The reference of SciPy's functions is long: a third of it is enough.
    if package == "python-scipy-doc" and "/generated/" in path and hash(path) % 3:
        return False
    return True


def _page_kind(package, folder, name):
    """Returns "man", "html" or None; `folder` is relative to the package and ends in a slash."""
    if MANUAL.search(folder):
        return "man"
    if name.endswith(".page") and "/C/" in folder:
        return "html"
    return "html" if _is_wanted(package, folder + name, name) else None


def find_pages(root):
    """Yields (kind, package, path)."""
    for package in sorted(os.listdir(root)):
        base = os.path.join(root, package)
        for folder, _, names in os.walk(base):
            inner = folder[len(base) :] + "/"
            if os.path.islink(folder) or TRANSLATED_MANUAL.search(inner):
                continue
            for name in names:
                path = os.path.join(folder, name)
                kind = None if os.path.islink(path) else _page_kind(package, inner, name)
                if kind:
                    yield kind, package, path
