"""The ways a text is made unreadable for a filter and stays readable for a model."""

import base64
import random

LOOKALIKES = str.maketrans("aceiopsxyjABCEHIKMOPTX", "асеіорѕхујАВСЕНІКМОРТХ")


def zero_width(text):
    return "\u200b".join(text)


def homoglyph(text):
    return text.translate(LOOKALIKES)


def full_width(text):
    return "".join(chr(ord(c) + 0xFEE0) if "!" <= c <= "~" else "\u3000" if c == " " else c for c in text)


def tag_characters(text):
    return "".join(chr(0xE0000 + ord(c)) if " " <= c <= "~" else c for c in text)


def combining(text):
    return "".join(c + "\u0336" if c.isalpha() else c for c in text)


def spaced(text):
    return "   ".join(" ".join(word) for word in text.split())


def base64_run(text):
    return "Please look at this: " + base64.b64encode(text.encode()).decode()


UNICODE = {"zero-width": zero_width, "homoglyphs": homoglyph, "full-width": full_width, "tag characters": tag_characters,
           "combining": combining, "spaced letters": spaced}


def padded(text, hosts, rng, size=12_000):
    around = ""
    while len(around) < size:
        around += rng.choice(hosts).text[:4000] + "\n\n"
    at = around.find("\n", rng.randrange(len(around) // 4, 3 * len(around) // 4)) + 1
    return around[:at] + text + "\n" + around[at:]
