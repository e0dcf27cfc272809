"""Scores `weir inspect` and its peers on labelled texts; `cargo xtask score` runs it.

A span counts as found where findings of its kind cover at least half of it, and as exact where one finding has its very
bounds. A finding counts as right where half of it, or half of what it should have found, lies in a span of its family. No figure
is an average over detectors: each detector, each corpus and each disguise has a line of its own, with the numbers it is made of.
"""

import argparse
import collections
import json
import pathlib
import random
import subprocess
import sys
import time

import benign
import disguise
import injections
import keys
import pii
import report
from case import NEUTRAL, read, write

SEED = 6
# Least share of a span that its findings must cover, and of a finding that must be right.
HALF = 0.5


def main():
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--weir", required=True, type=pathlib.Path)
    arguments.add_argument("--work", required=True, type=pathlib.Path)
    arguments.add_argument("--root", required=True, type=pathlib.Path)
    arguments.add_argument("--peer", action="append", default=[], help="NAME=PYTHON")
    arguments.add_argument("--missing-peer", action="append", default=[], help="NAME=REASON")
    arguments.add_argument("--json", type=pathlib.Path)
    arguments.add_argument("--examples", type=int, default=0)
    arguments.add_argument("--only", nargs="*", default=["pii", "secret", "prompt_injection", "benign"])
    arguments = arguments.parse_args()
    arguments.weir = arguments.weir.resolve()
    arguments.work.mkdir(parents=True, exist_ok=True)

    plain, disguised, harmless = corpora(arguments)
    everything = arguments.work / "cases.jsonl"
    write(everything, plain + disguised + harmless)
    findings, scores, seconds = run_weir(arguments.weir, everything)
    result = {
        "seed": SEED,
        "cases": dict(collections.Counter(case["corpus"] for case in plain + disguised + harmless)),
        "weir": score(plain, disguised, harmless, findings, scores, arguments.examples),
        "weir_seconds": round(seconds, 3),
        "peers": {name: {"missing": reason} for name, _, reason in split(arguments.missing_peer)},
    }
    for name, _, python in split(arguments.peer):
        result["peers"][name] = run_peer(name, python, arguments, plain, disguised, harmless)
    report.tables(result, sys.stdout)
    if arguments.json:
        arguments.json.write_text(json.dumps(result, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def split(pairs):
    return [pair.partition("=") for pair in pairs]


def corpora(arguments):
    """Labelled texts as they are, the same disguised, and those without anything to find."""
    rng = random.Random(SEED)
    labelled = {
        "pii": lambda: pii.cases(rng),
        "secret": lambda: keys.cases(rng),
        "prompt_injection": lambda: injections.cases(arguments.root),
    }
    plain, disguised = [], []
    for family, make in labelled.items():
        if family not in arguments.only:
            continue
        cases = [{**case, "family": family} for case in make()]
        plain.extend(cases)
        for way in disguise.WAYS:
            if family == "prompt_injection":
                disguised.extend(disguise.whole(case, way) for case in cases if case["attack"])
            else:
                sample = rng.sample(cases, min(len(cases), 900))
                disguised.extend(filter(None, (disguise.values(case, way) for case in sample)))
    harmless = []
    if "benign" in arguments.only:
        catalogues = pathlib.Path(next(path for path in sys.path if path.endswith("site-packages"))) / "django"
        harmless = [{**case, "family": "benign"} for case in benign.cases(rng, benign.registry(), catalogues)]
    return plain, disguised, harmless


def run_weir(weir, cases):
    """Findings and injection scores by case, and the seconds it took."""
    begin = time.monotonic()
    options = ["inspect"]
    if "--score-all" in subprocess.run([weir, "inspect", "--help"], capture_output=True, text=True, check=True).stdout:
        options.append("--score-all")
    with open(cases, "rb") as lines:
        done = subprocess.run([weir, *options], stdin=lines, capture_output=True)
    if done.returncode != 0:
        sys.exit(f"weir inspect: {done.stderr.decode()}")
    seconds = time.monotonic() - begin
    findings, scores = collections.defaultdict(list), {}
    for line in done.stdout.splitlines():
        found = json.loads(line)
        if "detector" in found:
            findings[found["id"]].append((found["detector"], found["start"], found["end"], found["confidence"]))
        elif "injection_score" in found:
            scores[found["id"]] = found["injection_score"]
    return findings, scores, seconds


def run_peer(name, python, arguments, plain, disguised, harmless):
    """A peer reads what its detectors are for, in its own environment. Disguises and harmless texts are sampled: it is slow."""
    rng = random.Random(SEED)
    families = {"presidio": ["pii"], "detect-secrets": ["secret"], "litellm": ["pii", "secret"]}[name]
    mine = [case for case in plain if case["family"] in families]
    hidden = [case for case in disguised if case["family"] in families]
    hidden = rng.sample(hidden, min(700, len(hidden)))
    # Every kind of harmless text, a hundred documents in all.
    few = rng.sample(harmless, min(120, len(harmless)))
    wanted, out = arguments.work / f"{name}.in.jsonl", arguments.work / f"{name}.out.jsonl"
    write(wanted, mine + hidden + few)
    script = pathlib.Path(__file__).with_name("peers.py")
    begin = time.monotonic()
    done = subprocess.run([python, script, name, wanted, out], capture_output=True, text=True)
    if done.returncode != 0:
        return {"missing": f"it failed: {done.stderr.strip().splitlines()[-1:]}"}
    findings = collections.defaultdict(list)
    for line in read(out):
        findings[line["id"]] = [(detector, start, end, 1.0) for detector, start, end in line["findings"]]
    scored = score(mine, hidden, few, findings, {}, 0)
    return {**scored, "seconds": round(time.monotonic() - begin, 1)}


def kind_of(detector):
    """The detector a span asks for: any of the national identifiers, and any of the secrets, stands for the others."""
    for group in ("pii.national_id.", "secret."):
        if detector.startswith(group):
            return group
    return detector


def is_same(found, wanted):
    """A URL with a password in it is a secret and names a person, whichever family says so."""
    urls = {"pii.url_credentials", "secret."}
    kinds = {kind_of(found), kind_of(wanted)}
    return len(kinds) == 1 or kinds == urls


def covered(start, end, findings):
    """Bytes of the span that the findings cover; they are disjoint."""
    return sum(max(0, min(end, f_end) - max(start, f_start)) for _, f_start, f_end, _ in findings)


def judge(case, findings):
    """For each span: whether it was found by its kind, by anything, exactly; for each finding: whether it is right."""
    for detector, start, end in case["spans"]:
        if detector == NEUTRAL:
            continue
        same = [finding for finding in findings if is_same(finding[0], detector)]
        # A value in base64 is a part of the run it travels in.
        least = 0.15 if case.get("way") == "base64" else HALF
        yield "span", detector, {
            "found": covered(start, end, same) >= least * (end - start),
            "covered": covered(start, end, findings) >= least * (end - start),
            "exact": any((start, end) == finding[1:3] for finding in same),
            "at": (start, end),
        }
    for finding in findings:
        detector, start, end, _ = finding
        right = neutral = False
        for wanted, w_start, w_end in case["spans"]:
            both = max(0, min(end, w_end) - max(start, w_start))
            if both >= HALF * min(end - start, w_end - w_start) and both > 0:
                neutral |= wanted == NEUTRAL
                right |= is_same(detector, wanted)
        if right or not neutral:
            yield "finding", detector, {"right": right, "at": (start, end)}


def score(plain, disguised, harmless, findings, scores, examples):
    result = {
        "detectors": spans_and_findings([case for case in plain if case["family"] != "prompt_injection"], findings, examples),
        "disguises": {},
        "benign": alarms(harmless, findings, examples),
    }
    for way in disguise.WAYS:
        cases = [case for case in disguised if case["way"] == way and case["family"] != "prompt_injection"]
        result["disguises"][way] = {
            family: spans_and_findings([case for case in cases if case["family"] == family], findings, 3 if examples else 0)
            for family in ("pii", "secret")
            if any(case["family"] == family for case in cases)
        }
    labelled = [case for case in plain + disguised if case["family"] == "prompt_injection"]
    if labelled:
        result["prompt_injection"] = injections.score(labelled, harmless, findings, scores)
    return result


def spans_and_findings(cases, findings, examples):
    """By detector: spans wanted, found, covered, exact; findings given and right."""
    table = collections.defaultdict(collections.Counter)
    shown = collections.defaultdict(lambda: {"missed": [], "false": []})
    for case in cases:
        text = case["text"].encode()
        for what, detector, verdict in judge(case, findings[case["id"]]):
            row = table[detector]
            start, end = verdict["at"]
            excerpt = text[max(0, start - 40) : start].decode(errors="ignore") + "⟦" + text[start:end].decode(errors="replace")[:120] + "⟧"
            excerpt = f"{case['id']}: " + (excerpt + text[end : end + 20].decode(errors="ignore")).replace("\n", "⏎")
            if what == "span":
                row["wanted"] += 1
                row.update(key for key in ("found", "covered", "exact") if verdict[key])
                if not verdict["found"]:
                    shown[detector]["missed"].append(excerpt)
            else:
                row["findings"] += 1
                row["right"] += verdict["right"]
                if not verdict["right"]:
                    shown[detector]["false"].append(excerpt)
    rng = random.Random(SEED)
    rows = {}
    for detector, row in sorted(table.items()):
        rows[detector] = {key: row[key] for key in ("wanted", "found", "covered", "exact", "findings", "right")}
        if examples:
            for key, lines in shown[detector].items():
                rows[detector][key + "_examples"] = rng.sample(lines, min(examples, len(lines)))
    return rows


def alarms(cases, findings, examples):
    """Documents with an alarm, by corpus and detector and by corpus and family."""
    rng = random.Random(SEED)
    result = {}
    by_corpus = collections.defaultdict(list)
    for case in cases:
        by_corpus[case["corpus"]].append(case)
    shown = collections.defaultdict(list)
    for corpus, members in sorted(by_corpus.items()):
        detectors, families = collections.Counter(), collections.Counter()
        for case in members:
            found = {detector for detector, *_ in findings[case["id"]]}
            detectors.update(found)
            families.update({detector.partition(".")[0] for detector in found})
            text = case["text"].encode()
            for detector, start, end, _ in findings[case["id"]]:
                around = text[max(0, start - 40) : start].decode(errors="ignore") + "⟦" + text[start:end].decode(errors="replace")[:120] + "⟧"
                around += text[end : end + 20].decode(errors="ignore")
                shown[detector].append(f"{case['id']}: " + around.replace("\n", "⏎"))
        result[corpus] = {
            "documents": len(members),
            "families": dict(sorted(families.items())),
            "detectors": dict(sorted(detectors.items())),
        }
    if examples:
        result["examples"] = {detector: rng.sample(lines, min(examples, len(lines))) for detector, lines in sorted(shown.items())}
    return result


if __name__ == "__main__":
    main()
