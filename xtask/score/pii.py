"""Personal data with exact spans: presidio-evaluator's sentences, and messages of our own in many languages and layouts.

What is drawn is valid by the issuer's or the standard's rule: cards pass Luhn, IBANs python-stdnum, phone numbers
libphonenumber. Neither the sentences nor the values are any that the detectors were written from.
"""

import importlib.metadata
import json

import phonenumbers
from faker import Faker
from stdnum import iban as iban_check
from stdnum import luhn

import national_ids
from case import NEUTRAL, Text

# Faker's locale, its country, and the words that stand beside each kind of value there.
LOCALES = {
    "en_US": ("US", "phone|e-mail|IBAN|card|name|address|date of birth|passport"),
    "en_GB": ("GB", "mobile|email|IBAN|card number|full name|postal address|DOB|passport no"),
    "de_DE": ("DE", "Telefon|E-Mail|IBAN|Kreditkarte|Name|Anschrift|Geburtsdatum|Reisepass"),
    "de_AT": ("AT", "Tel.|E-Mail|IBAN|Karte|Name|Adresse|geboren am|Passnummer"),
    "de_CH": ("CH", "Telefonnummer|E-Mail|IBAN|Kartennummer|Name|Adresse|Geburtsdatum|Passnummer"),
    "fr_FR": ("FR", "téléphone|courriel|IBAN|carte bancaire|nom|adresse|date de naissance|passeport"),
    "it_IT": ("IT", "telefono|e-mail|IBAN|carta di credito|nome|indirizzo|data di nascita|passaporto"),
    "es_ES": ("ES", "teléfono|correo|IBAN|tarjeta|nombre|dirección|fecha de nacimiento|pasaporte"),
    "pt_BR": ("BR", "telefone|e-mail|IBAN|cartão|nome|endereço|data de nascimento|passaporte"),
    "nl_NL": ("NL", "telefoon|e-mail|IBAN|creditcard|naam|adres|geboortedatum|paspoort"),
    "pl_PL": ("PL", "telefon|e-mail|IBAN|karta|nazwisko|adres|data urodzenia|paszport"),
    "sv_SE": ("SE", "telefon|e-post|IBAN|kort|namn|adress|födelsedatum|pass"),
    "fi_FI": ("FI", "puhelin|sähköposti|IBAN|kortti|nimi|osoite|syntymäaika|passi"),
    "no_NO": ("NO", "telefon|e-post|IBAN|kort|navn|adresse|fødselsdato|pass"),
    "da_DK": ("DK", "telefon|e-mail|IBAN|kort|navn|adresse|fødselsdato|pas"),
    "cs_CZ": ("CZ", "telefon|e-mail|IBAN|karta|jméno|adresa|datum narození|pas"),
    "ru_RU": ("RU", "телефон|почта|IBAN|карта|имя|адрес|дата рождения|паспорт"),
    "uk_UA": ("UA", "телефон|пошта|IBAN|картка|ім'я|адреса|дата народження|паспорт"),
    "tr_TR": ("TR", "telefon|e-posta|IBAN|kart|ad soyad|adres|doğum tarihi|pasaport"),
    "ja_JP": ("JP", "電話番号|メール|IBAN|カード番号|氏名|住所|生年月日|パスポート"),
    "zh_CN": ("CN", "电话|邮箱|IBAN|卡号|姓名|地址|出生日期|护照"),
    "ko_KR": ("KR", "전화번호|이메일|IBAN|카드번호|이름|주소|생년월일|여권"),
    "hi_IN": ("IN", "फ़ोन|ईमेल|IBAN|कार्ड|नाम|पता|जन्म तिथि|पासपोर्ट"),
    "ro_RO": ("RO", "telefon|e-mail|IBAN|card|nume|adresă|data nașterii|pașaport"),
    "hu_HU": ("HU", "telefon|e-mail|IBAN|kártya|név|cím|születési dátum|útlevél"),
    "el_GR": ("GR", "τηλέφωνο|e-mail|IBAN|κάρτα|όνομα|διεύθυνση|ημερομηνία γέννησης|διαβατήριο"),
}
KINDS = "phone email iban credit_card person postal_address birth_date passport".split()

# How a passport's number looks; a digit is `#`, a letter `?`.
PASSPORTS = {
    "US": ["#########", "?########"], "GB": ["#########"], "DE": ["C########", "C0#X##T##"], "FR": ["##??#####"],
    "IT": ["??#######"], "ES": ["???######"], "NL": ["??######?", "N??######"], "PL": ["??#######"], "BR": ["??######"],
    "JP": ["??#######"], "CN": ["E########", "G########"], "KR": ["M########"], "IN": ["?#######"], "CH": ["?#######"],
    "AT": ["?#######", "P#######"], "RU": ["## #######"], "UA": ["??######"], "SE": ["########"], "FI": ["??#######"],
}  # fmt: skip
DATES = {
    "US": ["%m/%d/%Y", "%B %d, %Y", "%Y-%m-%d"],
    "GB": ["%d/%m/%Y", "%d %B %Y"],
    "JP": ["%Y年%m月%d日", "%Y/%m/%d"],
    "CN": ["%Y年%m月%d日", "%Y-%m-%d"],
    "KR": ["%Y년 %m월 %d일", "%Y.%m.%d"],
    "HU": ["%Y.%m.%d"],
    "SE": ["%Y-%m-%d"],
}
# The layouts a value with its label stands in. `{V}` is the value, `{L}` the label.
LAYOUTS = [
    "{L}: {V}",
    "{L} {V}.",
    "- **{L}**: {V}\n- status: open",
    '{"{L}": "{V}", "active": true}',
    "{L}\t{V}\n",
    "id;{L};plan\n17;{V};basic\n",
    "<td>{L}</td><td>{V}</td>",
    "({L}={V})",
]
# A value in an English sentence, which says what it is by its words.
PROSE = {
    "phone": ["Please call me back at {V} after five.", "You can reach the clinic on {V}, any day.", "I texted {V} and nobody answered"],
    "email": ["Write to {V} and copy my boss.", "forward this to {V}", "Contact {V}; he knows."],
    "iban": ["Transfer the deposit to {V} by Friday.", "My account is {V}, thanks!", "Refund it to {V}"],
    "credit_card": ["Charge {V}, it expires in May.", "I paid with {V} last week", "My card {V} was stolen"],
    "ip_address": ["The request came from {V} at noon.", "Ping {V} and tell me", "Blocked {V} in the firewall"],
    "mac_address": ["The printer's MAC is {V}.", "Lease for {V} expired", "device {V} left the network"],
    "birth_date": ["She was born on {V} in a small town.", "My date of birth is {V}, please check.", "DOB {V}"],
    "passport": ["My passport number is {V} and it expires soon.", "Passport {V} was reported lost.", "travelling on passport no. {V}"],
}  # fmt: skip


def cases(rng, per_kind=60):
    fakers = {}
    for locale in LOCALES:
        fakers[locale] = Faker(locale)
        fakers[locale].seed_instance(rng.randrange(1 << 30))
    drawn = list(presidio_sentences(rng, fakers["en_US"]))
    for locale, (country, labels) in LOCALES.items():
        labels = dict(zip(KINDS, labels.split("|"), strict=True))
        for kind, label in labels.items():
            for i in range(per_kind // 4):
                value = draw(rng, fakers[locale], country, kind)
                if value is None:
                    continue
                name = f"pii.{kind}/{locale}/{i}"
                drawn.append(labelled(rng, name, f"labelled.{locale}", f"pii.{kind}", label, value))
        drawn.extend(record(rng, fakers[locale], country, labels, f"pii/record/{locale}/{i}", locale) for i in range(6))
    english = fakers["en_US"]
    for kind, sentences in PROSE.items():
        for i in range(per_kind):
            country = rng.choice([country for country, _ in LOCALES.values()])
            value = draw(rng, english, country, kind)
            if value is not None:
                text = Text().fill(rng.choice(sentences), {"V": (value, f"pii.{kind}")})
                drawn.append(text.case(f"pii.{kind}/prose/{i}", "prose.en"))
    for kind, label in (("ip_address", "ip"), ("mac_address", "hwaddr")):
        for i in range(per_kind):
            value = draw(rng, english, "US", kind)
            drawn.append(labelled(rng, f"pii.{kind}/labelled/{i}", "labelled.en_US", f"pii.{kind}", label, value))
    for i in range(per_kind):
        drawn.append(url_with_credentials(rng, english, i))
    for name, module, formats, labels in national_ids.KINDS:
        for i in range(per_kind // 2):
            value = national_ids.value(rng, name, formats, module)
            if value is not None:
                detector = f"pii.national_id.{name}"
                drawn.append(labelled(rng, f"{detector}/{i}", "national_ids", detector, rng.choice(labels), value))
    return drawn


def labelled(rng, name, corpus, detector, label, value):
    layout = rng.choice(LAYOUTS)
    if '"' in layout and ('"' in value or "\n" in value):
        layout = LAYOUTS[0]
    return Text().fill(layout, {"L": (label, None), "V": (value, detector)}).case(name, corpus)


def record(rng, faker, country, labels, name, locale):
    """A customer's record: every kind at once, in a shuffled order."""
    text = Text()
    kinds = list(labels)
    rng.shuffle(kinds)
    for kind in kinds:
        value = draw(rng, faker, country, kind)
        if value is not None:
            text.add(f"{labels[kind]}: ").add(value, f"pii.{kind}").add("\n")
    return text.case(name, f"record.{locale}", part=rng.choice(["user", "tool_result", "document"]))


def draw(rng, faker, country, kind):
    if kind == "phone":
        return phone(rng, faker, country)
    if kind == "email":
        return faker.ascii_email() if rng.random() < 0.7 else faker.ascii_company_email()
    if kind == "iban":
        return iban(rng, faker)
    if kind == "credit_card":
        return card(rng)
    if kind == "person":
        return faker.name()
    if kind == "postal_address":
        return faker.address() if rng.random() < 0.5 else faker.address().replace("\n", ", ")
    if kind == "birth_date":
        return faker.date_of_birth(minimum_age=5, maximum_age=99).strftime(rng.choice(DATES.get(country, ["%d.%m.%Y", "%d/%m/%Y"])))
    if kind == "passport":
        pattern = rng.choice(PASSPORTS.get(country, ["??#######"]))
        return "".join(rng.choice("0123456789") if c == "#" else rng.choice("ABCEFGHKLMNPRSTVXYZ") if c == "?" else c for c in pattern)
    if kind == "ip_address":
        return faker.ipv4_public() if rng.random() < 0.6 else faker.ipv6()
    if kind == "mac_address":
        mac = faker.mac_address()
        return rng.choice([mac, mac.upper(), mac.replace(":", "-").upper()])
    raise ValueError(kind)


def phone(rng, faker, country):
    """A number that libphonenumber holds for valid, Faker's way of writing it or one of the library's own."""
    for _ in range(40):
        if rng.random() < 0.4:
            written = faker.phone_number()
            try:
                parsed = phonenumbers.parse(written, country)
            except phonenumbers.NumberParseException:
                continue
            if phonenumbers.is_valid_number(parsed) and not parsed.extension:
                return written
            continue
        kind = rng.choice([phonenumbers.PhoneNumberType.MOBILE, phonenumbers.PhoneNumberType.FIXED_LINE])
        example = phonenumbers.example_number_for_type(country, kind)
        if example is None:
            continue
        digits = str(example.national_number)
        kept = rng.randint(2, 5)
        drawn = digits[:kept] + "".join(rng.choice("0123456789") for _ in digits[kept:])
        number = phonenumbers.PhoneNumber(country_code=example.country_code, national_number=int(drawn))
        if len(str(int(drawn))) == len(digits) and phonenumbers.is_valid_number(number):
            formats = phonenumbers.PhoneNumberFormat
            chosen = rng.choice([formats.NATIONAL, formats.INTERNATIONAL, formats.INTERNATIONAL, formats.E164])
            return phonenumbers.format_number(number, chosen)
    return None


def iban(rng, faker):
    for _ in range(40):
        drawn = faker.iban()
        if iban_check.is_valid(drawn, check_country=False):
            return " ".join(drawn[i : i + 4] for i in range(0, len(drawn), 4)) if rng.random() < 0.5 else drawn
    return None


# Issuer's first digits and the number's length, of ISO/IEC 7812's registered ranges as the networks publish them.
CARDS = [
    ("4", 16), ("4", 16), ("51", 16), ("55", 16), ("2221", 16), ("2720", 16), ("34", 15), ("37", 15), ("6011", 16),
    ("65", 16), ("644", 16), ("36", 14), ("38", 14), ("305", 14), ("3528", 16), ("3589", 16), ("62", 16), ("62", 19),
    ("6759", 16), ("5018", 16), ("2200", 16), ("6521", 16),
]  # fmt: skip


def card(rng):
    prefix, length = rng.choice(CARDS)
    digits = prefix + "".join(rng.choice("0123456789") for _ in range(length - len(prefix) - 1))
    digits += luhn.calc_check_digit(digits)
    groups = {14: (4, 6, 4), 15: (4, 6, 5), 16: (4, 4, 4, 4), 19: (4, 4, 4, 4, 3)}[length]
    separator = rng.choice(["", "", " ", "-"])
    parts, at = [], 0
    for group in groups:
        parts.append(digits[at : at + group])
        at += group
    return separator.join(parts)


def url_with_credentials(rng, faker, i):
    scheme, port = rng.choice([("https", ""), ("ftp", ""), ("postgresql", ":5432"), ("mysql", ":3306"), ("amqp", ":5672"), ("redis", ":6379"), ("mongodb+srv", "")])
    user = faker.user_name()
    word = "".join(rng.choice("abcdefghkmnpqrstuvwxyzABCDEFGH23456789_.~") for _ in range(rng.randint(8, 20)))
    text = Text().add(rng.choice(["DATABASE_URL=", "clone from ", "url: ", "connect to <", ""])).add(f"{scheme}://")
    text.add(f"{user}:{word}", "pii.url_credentials").add(f"@{faker.domain_name()}{port}/{faker.word()}\n")
    return text.case(f"pii.url_credentials/{i}", "urls")


def presidio_sentences(rng, faker):
    """The sentences of presidio-evaluator (MIT) with values of our own."""
    # Importing the package would ask for spaCy; only its data is wanted.
    package = importlib.metadata.distribution("presidio-evaluator")
    raw = package.locate_file("presidio_evaluator/data_generator/raw_data/templates.txt")
    for i, template in enumerate(raw.read_text(encoding="utf-8", errors="replace").splitlines()):
        text = Text()
        rest = template.strip().replace("\\n", "\n")
        while "{{" in rest:
            before, _, rest = rest.partition("{{")
            kind, _, rest = rest.partition("}}")
            text.add(before)
            text.add(*presidio_value(rng, faker, kind))
        text.add(rest)
        yield text.case(f"pii/presidio/{i}", "presidio-evaluator")


def presidio_value(rng, faker, kind):
    country = rng.choice(["US", "US", "GB", "DE", "FR"])
    ours = {
        "credit_card_number": "credit_card",
        "phone_number": "phone",
        "email": "email",
        "iban": "iban",
        "ip_address": "ip_address",
        "date_of_birth": "birth_date",
        "address": "postal_address",
    }
    if kind in ours:
        value = draw(rng, faker, country, ours[kind]) or faker.ascii_email()
        return value, f"pii.{ours[kind]}"
    if kind == "ssn":
        return faker.ssn(), "pii.national_id.us_ssn"
    if kind in ("person", "name", "name_male", "name_female"):
        return faker.name(), "pii.person"
    if kind.startswith(("first_name", "last_name")):
        return getattr(faker, kind)(), NEUTRAL
    made = {
        "organization": faker.company,
        "street_name": faker.street_name,
        "building_number": faker.building_number,
        "secondary_address": faker.secondary_address,
        "nationality": faker.country,
        "nation_woman": faker.country,
        "nation_plural": faker.country,
        "age": lambda: rng.randint(1, 99),
        "us_driver_license": lambda: faker.bothify("?#######").upper(),
        "date_time": lambda: faker.date_time().isoformat(" "),
    }
    value = made[kind]() if kind in made else getattr(faker, kind)()
    return value, NEUTRAL


if __name__ == "__main__":
    import random

    for case in cases(random.Random(6), 8):
        print(json.dumps(case, ensure_ascii=False))
