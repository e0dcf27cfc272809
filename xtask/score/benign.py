"""Texts in which nothing is to be found: documentation, licences, sources, and messages of programs in many languages.

They are real files of this machine: what is personal in them is an author's published address and documentation's own examples,
so that each detector's alarms are given by themselves, and those of `pii.email`, `pii.person` and `pii.url_credentials` are no measure.
"""

import gzip
import pathlib
import subprocess

from case import make

# A document is cut here: longer ones would make the share of documents with an alarm a question of their length.
MAX_CHARS = 8_000
# Of each kind, at most.
MAX_DOCUMENTS = 500


def cases(rng, registry, catalogues):
    kinds = {
        "README": lambda: registry.glob("*/*/README*.md"),
        "rust": lambda: registry.glob("*/*/src/**/*.rs"),
        "c": lambda: pathlib.Path("/usr/include").glob("**/*.h"),
        "python": lambda: pathlib.Path("/usr/lib/python3").glob("**/*.py"),
        "doc": lambda: pathlib.Path("/usr/share/doc").glob("**/*"),
        "licence": lambda: [*pathlib.Path("/usr/share/common-licenses").glob("*"), *registry.glob("*/*/LICENSE*")],
        "man": lambda: pathlib.Path("/usr/share/man").glob("man[1-8]/*.gz"),
        "json": lambda: pathlib.Path("/usr/share").glob("**/*.json"),
    }
    for kind, paths in kinds.items():
        files = sorted(path for path in paths() if path.is_file())
        rng.shuffle(files)
        seen = set()
        for path in files:
            text = read(path)
            if text is None or text in seen:
                continue
            seen.add(text)
            if len(text) > MAX_CHARS:
                at = rng.randrange(len(text) - MAX_CHARS)
                text = text[at : at + MAX_CHARS]
            yield make(f"benign/{kind}/{len(seen)}", f"benign.{kind}", text, part="document", file=str(path))
            if len(seen) >= MAX_DOCUMENTS:
                break
    yield from translations(rng, catalogues)


def read(path):
    try:
        raw = path.read_bytes()
        if path.suffix == ".gz":
            raw = gzip.decompress(raw)
        text = raw.decode()
    except (OSError, UnicodeDecodeError, EOFError):
        return None
    return text if len(text) > 200 and "\0" not in text else None


def translations(rng, catalogues):
    """Django's messages (BSD), a document for each forty of one language."""
    for path in sorted(catalogues.glob("**/LC_MESSAGES/django.po")):
        messages = []
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("msgstr"):
                message = line.partition('"')[2].rstrip('"')
                if message:
                    messages.append(message)
        language = path.parent.parent.name
        for at in range(0, len(messages) - 39, 40):
            name = f"benign/django/{path.parts[-5]}/{language}/{at}"
            yield make(name, "benign.django", "\n".join(messages[at : at + 40]), part="user")


def registry():
    """Where cargo keeps the sources of crates."""
    home = subprocess.run(["sh", "-c", 'echo "${CARGO_HOME:-$HOME/.cargo}"'], capture_output=True, text=True, check=True)
    return pathlib.Path(home.stdout.strip()) / "registry/src"
