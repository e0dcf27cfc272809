"""National identifiers: random digits in each issuer's format, kept where the check of python-stdnum passes."""

from importlib import import_module

# Name, format (9 a digit, A a letter, other characters themselves), module that checks, and the words beside it.
# A format may say (YY), (MM), (DD), (YYYY) for the parts of a plausible date.
KINDS = [
    ("us_ssn", "us.ssn", ["999-99-9999", "999 99 9999"], ["SSN", "social security number", "Social Security No."]),
    ("us_itin", "us.itin", ["999-99-9999"], ["ITIN", "taxpayer identification number"]),
    ("ca_sin", "ca.sin", ["999 999 999", "999-999-999", "999999999"], ["SIN", "social insurance number", "NAS"]),
    ("uk_nino", None, ["AA 99 99 99 B", "AA999999B"], ["NI number", "National Insurance number", "NINO"]),
    ("uk_nhs", "gb.nhs", ["999 999 9999", "9999999999"], ["NHS number", "NHS no."]),
    ("de_tax_id", "de.idnr", ["99 999 999 999", "99999999999"], ["Steuer-ID", "Steuerliche Identifikationsnummer", "IdNr."]),
    ("fr_nir", "fr.nir", ["S (YY) (MM) 75 999 999 99", "S(YY)(MM)7599999999"], ["NIR", "numéro de sécurité sociale", "n° sécu"]),
    ("es_dni", "es.dni", ["99999999A", "99999999-A"], ["DNI", "NIF", "documento nacional de identidad"]),
    ("es_nie", "es.nie", ["X9999999A", "Y9999999A"], ["NIE", "número de identidad de extranjero"]),
    ("it_codice_fiscale", "it.codicefiscale", ["AAAAAA(YY)C(DD)A999A"], ["codice fiscale", "C.F.", "CF"]),
    ("nl_bsn", "nl.bsn", ["999999999", "9999.99.999"], ["BSN", "burgerservicenummer"]),
    ("be_national_number", "be.nn", ["(YY).(MM).(DD)-999.99", "(YY)(MM)(DD)99999"], ["rijksregisternummer", "numéro national", "NN"]),
    ("pl_pesel", "pl.pesel", ["(YY)(MM)(DD)99999"], ["PESEL", "numer PESEL"]),
    ("se_personnummer", "se.personnummer", ["(YY)(MM)(DD)-9999", "1N(YY)(MM)(DD)-9999"], ["personnummer", "pnr"]),
    ("no_fodselsnummer", "no.fodselsnummer", ["(DD)(MM)(YY) 99999", "(DD)(MM)(YY)99999"], ["fødselsnummer", "fnr"]),
    ("fi_henkilotunnus", "fi.hetu", ["(DD)(MM)(YY)-999H"], ["henkilötunnus", "HETU"]),
    ("dk_cpr", "dk.cpr", ["(DD)(MM)(YY)-9999"], ["CPR-nummer", "CPR"]),
    ("pt_nif", "pt.nif", ["999 999 999", "999999999"], ["NIF", "número de contribuinte"]),
    ("br_cpf", "br.cpf", ["999.999.999-99", "99999999999"], ["CPF", "CPF nº"]),
    ("mx_curp", "mx.curp", ["AEAA(YY)(MM)(DD)HDFLRR09"], ["CURP", "Clave Única de Registro de Población"]),
    ("cl_rut", "cl.rut", ["19.999.999-9", "19999999-9"], ["RUT", "RUN"]),
    ("ar_cuit", "ar.cuit", ["20-99999999-9", "27-99999999-9"], ["CUIT", "CUIL"]),
    ("in_aadhaar", "in_.aadhaar", ["9999 9999 9999", "999999999999"], ["Aadhaar", "Aadhaar number", "UIDAI"]),
    ("in_pan", "in_.pan", ["AAAPA9999A"], ["PAN", "Permanent Account Number"]),
    ("cn_resident_id", "cn.ric", ["1101051N(YY)(MM)(DD)999K"], ["身份证号码", "公民身份号码", "ID card"]),
    ("kr_rrn", "kr.rrn", ["(YY)(MM)(DD)-1999999", "(YY)(MM)(DD)-2999999"], ["주민등록번호", "RRN"]),
    ("au_tfn", "au.tfn", ["999 999 999", "999999999"], ["TFN", "tax file number"]),
    ("za_id", "za.idnr", ["(YY)(MM)(DD)9999089"], ["ID number", "SA ID", "identity number"]),
    ("tr_kimlik", "tr.tckimlik", ["99999999999"], ["T.C. Kimlik No", "TCKN", "kimlik numarası"]),
    ("ch_ahv", "ch.ssn", ["756.9999.9999.99"], ["AHV-Nummer", "numéro AVS"]),
    ("at_social_security", "at.vnr", ["9999 (DD)(MM)(YY)", "9999(DD)(MM)(YY)"], ["SVNR", "Sozialversicherungsnummer"]),
    ("ro_cnp", "ro.cnp", ["1(YY)(MM)(DD)400999", "2(YY)(MM)(DD)129999"], ["CNP", "cod numeric personal"]),
    ("cz_rodne_cislo", "cz.rc", ["(YY)(MM)(DD)/9999"], ["rodné číslo", "RČ"]),
    ("bg_egn", "bg.egn", ["(YY)(MM)(DD)9999"], ["ЕГН", "EGN"]),
    ("hr_oib", "hr.oib", ["99999999999"], ["OIB", "osobni identifikacijski broj"]),
    ("ee_isikukood", "ee.ik", ["3(YY)(MM)(DD)9999", "4(YY)(MM)(DD)9999"], ["isikukood", "IK"]),
    ("ru_inn", "ru.inn", ["999999999999"], ["ИНН", "ИНН физлица"]),
    ("il_id", "il.idnr", ["999999999"], ["ת.ז.", "teudat zehut"]),
    ("ie_pps", "ie.pps", ["9999999A", "9999999AA"], ["PPS number", "PPSN"]),
    ("gr_amka", "gr.amka", ["(DD)(MM)(YY)99999"], ["ΑΜΚΑ", "AMKA"]),
]

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
# Digits are drawn until the check passes; the rarest check passes once in some four thousand draws.
TRIES = 60_000


def value(rng, name, formats, module):
    """A valid identifier, or None where none was drawn."""
    check = import_module("stdnum." + module) if module else None
    for _ in range(TRIES):
        drawn = draw(rng, rng.choice(formats))
        if name == "uk_nino":
            if drawn[0] in "DFIQUV" or drawn[1] in "DFIOQUV" or drawn[:2] in ("BG", "GB", "NK", "KN", "TN", "NT", "ZZ"):
                continue
            return drawn
        if check.is_valid(drawn):
            return drawn
    return None


def draw(rng, pattern):
    month = rng.randint(1, 12)
    day = rng.randint(1, 28)
    year = rng.randint(40, 99)
    for part, number in (("(YY)", year), ("(MM)", month), ("(DD)", day)):
        pattern = pattern.replace(part, f"{number:02}")
    drawn = []
    for c in pattern:
        drawn.append(
            {
                "9": lambda: rng.choice("0123456789"),
                "N": lambda: "9",
                "A": lambda: rng.choice(LETTERS),
                "B": lambda: rng.choice("ABCD"),
                "C": lambda: rng.choice("ABCDEHLMPRST"),
                "H": lambda: rng.choice("0123456789ABCDEFHJKLMNPRSTUVWXY"),
                "K": lambda: rng.choice("0123456789X"),
                "S": lambda: rng.choice("12"),
                "E": lambda: rng.choice("AEIOU"),
            }.get(c, lambda: c)()
        )
    return "".join(drawn)
