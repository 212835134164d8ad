"""The text of HTML pages, without navigation, tables and code that nobody reads aloud."""

import re
import unicodedata

import lxml.etree
import lxml.html

DROPPED_TAGS = frozenset(
    "script style nav footer svg img head form button select noscript iframe object map audio "
    "video math table".split()
)
DROPPED_CLASSES = re.compile(
    r"sphinxsidebar|\brelated\b|navheader|navfooter|\btoc\b|headerlink|breadcrumb|sidebar|navset|"
    r"tocset|versionbox|navigation|footer|bottomnav|topnav|localtoc|searchbox|menu|langs|quickview|"
    r"top-nav|nav-chapters|NAVHEADER|node-up|maintoc|index-list|refnav|SIntrapara_nav",
    re.IGNORECASE,
)
BLOCK_TAGS = frozenset(
    "p li h1 h2 h3 h4 h5 h6 dt dd blockquote div section article ul ol dl pre br main body tr td "
    "th figure figcaption aside header center".split()
)
HEADINGS = ("h1", "h2", "h3", "h4")
PREFORMATTED_MAX = 4000
DEPTH_MAX = 150
REPLACEMENTS = str.maketrans(
    {
        "\u00a0": " ",  # no-break space
        "\u00ad": None,  # soft hyphen
        "\u200b": None,  # zero-width space
        "\ufeff": None,  # byte order mark
        "\u00b6": None,  # pilcrow, the link beside a heading
        "\u2010": "-",
        "\u2011": "-",
        "\u2212": "-",
    }
)


def clean(text):
    text = unicodedata.normalize("NFC", text).translate(REPLACEMENTS)
    return re.sub(r"[\x00-\x08\x0b-\x1f\x7f]", "", text)


def _squeezed(text):
    return re.sub(r"\s+", " ", text).strip()


class _Extractor:
    def __init__(self):
        self.paragraphs = []
        self._current = []

    def flush(self):
        text = _squeezed("".join(self._current))
        self._current.clear()
        if text:
            self.paragraphs.append(text)

    def walk(self, element, depth=0):
        tag = element.tag
        if not isinstance(tag, str) or tag in DROPPED_TAGS or depth > DEPTH_MAX:
            return
        names = (element.get("class") or "") + " " + (element.get("id") or "")
        if names.strip() and DROPPED_CLASSES.search(names):
            return
        if tag == "pre":
            self._add_preformatted(element)
            return
        if tag in BLOCK_TAGS:
            self.flush()
        if tag in HEADINGS:
            heading = _squeezed(element.text_content()).rstrip("#").strip()
            if heading:
                self.paragraphs.append(heading)
            return
        self._add_children(element, depth)
        if tag in BLOCK_TAGS:
            self.flush()

    def _add_preformatted(self, element):
        self.flush()
        text = element.text_content().rstrip().lstrip("\n")
        if 0 < len(text) < PREFORMATTED_MAX:
            self.paragraphs.append(text.expandtabs(8))

    def _add_children(self, element, depth):
        if element.tag == "li":
            self._current.append("- ")
        if element.text:
            self._current.append(element.text)
        for child in element:
            self.walk(child, depth + 1)
            if child.tail:
                self._current.append(child.tail)


def _main_part(document):
    for path in (".//main", ".//div[@class='body']", "body"):
        part = document.find(path)
        if part is not None:
            return part
    return None


def html_to_text(page):
    """Paragraphs separated by empty lines; "" if the page cannot be parsed."""
    try:
        body = _main_part(lxml.html.document_fromstring(page))
    except (ValueError, lxml.etree.LxmlError):
        return ""
    if body is None:
        return ""
    extractor = _Extractor()
    extractor.walk(body)
    extractor.flush()
    return clean("\n\n".join(text for text in extractor.paragraphs if text not in ("-", "- ")))
