"""Prompt injections: a set of attacks and of harmless requests in the same words, written by hand and used for nothing else.

What the model was trained on has a test half of its own, which `cargo xtask train-injection` measures; `docs/injection-model.md`
has its figures.
"""

import pathlib

import yaml
from case import make


def cases(_root):
    """Attacks and harmless requests, each a case; an attack's text is labelled as a whole."""
    sets = yaml.safe_load(pathlib.Path(__file__).with_name("injections.yaml").read_text(encoding="utf-8"))
    for kind, texts in sets.items():
        for number, text in enumerate(texts):
            part = "tool_result" if kind == "attacks_from_outside" else "user"
            attack = kind != "harmless"
            yield make(f"injection/{kind}/{number}", f"injections.{kind}", text, part=part, attack=attack, way="plain")


def score(labelled, harmless, findings, scores):
    """By disguise and kind: texts, findings, and the middle of the scores."""
    table = {}
    for case in labelled:
        row = table.setdefault(f"{case['corpus'].partition('.')[2]}, {case['way']}", {"texts": 0, "found": 0, "scores": []})
        row["texts"] += 1
        row["found"] += any(detector == "prompt_injection" for detector, *_ in findings[case["id"]])
        row["scores"].append(scores.get(case["id"], 0.0))
    for row in table.values():
        ordered = sorted(row.pop("scores"))
        row["median_score"] = round(ordered[len(ordered) // 2], 3)
    alarms = sum(any(detector == "prompt_injection" for detector, *_ in findings[case["id"]]) for case in harmless)
    if harmless:
        table["harmless documents"] = {"texts": len(harmless), "found": alarms}
    return table
