"""A labelled text: what the corpora are made of."""

import json

# The detector of a span that nobody is asked to find, and nobody blamed for finding: part of an address, a company's name.
NEUTRAL = "-"


class Text:
    """A text that grows, and remembers where the labelled parts of it lie."""

    def __init__(self):
        self.pieces = []
        self.chars = 0
        self.spans = []

    def add(self, piece, detector=None):
        piece = str(piece)
        if detector is not None:
            self.spans.append((detector, self.chars, self.chars + len(piece)))
        self.pieces.append(piece)
        self.chars += len(piece)
        return self

    def fill(self, template, values):
        """Adds a template whose `{name}`s stand for (value, detector), or for several such in a row."""
        rest = template
        while rest:
            before, brace, after = rest.partition("{")
            self.add(before)
            if not brace:
                break
            name, closing, after = after.partition("}")
            if closing and name in values:
                pieces = values[name] if isinstance(values[name], list) else [values[name]]
                for piece in pieces:
                    self.add(*piece)
                rest = after
            else:
                self.add("{")
                rest = rest[len(before) + 1 :]
        return self

    def case(self, name, corpus, part="user", **more):
        return make(name, corpus, "".join(self.pieces), self.spans, part, **more)


def make(name, corpus, text, spans=(), part="user", **more):
    """A case; `spans` are (detector, start, end) in characters, and become bytes."""
    return {
        "id": name,
        "corpus": corpus,
        "part": part,
        "text": text,
        "spans": [
            [detector, len(text[:start].encode()), len(text[:end].encode())]
            for detector, start, end in spans
        ],
        **more,
    }


def write(path, cases):
    with open(path, "w", encoding="utf-8") as out:
        for case in cases:
            out.write(json.dumps(case, ensure_ascii=False) + "\n")


def read(path):
    with open(path, encoding="utf-8") as lines:
        return [json.loads(line) for line in lines]
