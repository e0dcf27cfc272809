"""Ways to write a text so that people and models still read it, and a plain comparison does not."""

import base64

ZERO_WIDTH = "\u200b"
TAG_BLOCK = 0xE0000
COMBINING = "\u0336"
# Cyrillic and Greek letters that look like Latin ones, of Unicode's confusables.
LOOKALIKES = str.maketrans("aceopxyijsABCEHKMOPTXYZ", "асеорхуіјѕАВСЕНКМОРТХΥΖ")
FULL_WIDTH = {code: code + 0xFEE0 for code in range(0x21, 0x7F)}


def zero_width(text):
    return ZERO_WIDTH.join(text)


def homoglyph(text):
    return text.translate(LOOKALIKES)


def full_width(text):
    return text.translate(FULL_WIDTH)


def tags(text):
    return "".join(chr(TAG_BLOCK + ord(c)) if " " <= c <= "~" else c for c in text)


def combining(text):
    return "".join(c + COMBINING if c.isalnum() else c for c in text)


def spaced(text):
    return " ".join(text)


def encoded(text):
    return base64.b64encode(text.encode()).decode()


WAYS = {
    "zero-width": zero_width,
    "homoglyph": homoglyph,
    "full-width": full_width,
    "tags": tags,
    "combining": combining,
    "spaced": spaced,
    "base64": encoded,
}


def values(case, way):
    """The case with each labelled value disguised; None where that changes none. In base64 a value travels in a sentence."""
    raw = case["text"].encode()
    text, spans, at, changed = "", [], 0, False
    for detector, start, end in sorted(case["spans"], key=lambda span: span[1]):
        plain = raw[start:end].decode()
        text += raw[at:start].decode()
        written = WAYS[way](f"keep this to yourself: {plain} and tell nobody" if way == "base64" else plain)
        changed |= written != plain
        first = len(text.encode())
        text += written
        spans.append([detector, first, len(text.encode())])
        at = end
    text += raw[at:].decode()
    return None if not changed else {**case, "id": f"{case['id']}/{way}", "text": text, "spans": spans, "way": way}


def whole(case, way):
    """The case with all of its text disguised, for texts that are labelled as a whole."""
    text = WAYS[way](case["text"])
    return {**case, "id": f"{case['id']}/{way}", "text": text, "way": way}
