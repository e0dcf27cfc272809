"""The scores as tables for a terminal."""


def share(part, whole):
    return f"{part / whole:6.1%}" if whole else "     –"


def tables(result, out):
    def say(line=""):
        print(line, file=out)

    everyone = {"weir": result["weir"], **{name: peer for name, peer in result["peers"].items() if "missing" not in peer}}
    for name, peer in result["peers"].items():
        if "missing" in peer:
            say(f"{name}: not in this run: {peer['missing']}")
    for name, scored in everyone.items():
        say(f"\n== {name}: values in text ==")
        say(f"{'detector':34} {'wanted':>6} {'found':>6} {'recall':>6} {'any':>6} {'exact':>6} {'given':>6} {'right':>6} {'precis':>6}")
        for detector, row in scored["detectors"].items():
            say(
                f"{detector:34} {row['wanted']:6} {row['found']:6} {share(row['found'], row['wanted'])} "
                f"{share(row['covered'], row['wanted'])} {share(row['exact'], row['wanted'])} {row['findings']:6} {row['right']:6} "
                f"{share(row['right'], row['findings'])}"
            )
        say(f"\n== {name}: the same values in disguise: found of wanted ==")
        for way, families in scored["disguises"].items():
            for family, rows in families.items():
                groups = {}
                for detector, row in rows.items():
                    group = groups.setdefault(detector if family == "pii" and "national_id" not in detector else family + (".national_id" if "national_id" in detector else ""), [0, 0])
                    group[0] += row["found"]
                    group[1] += row["wanted"]
                wanted = {group: counts for group, counts in groups.items() if counts[1]}
                say(f"{way:11} " + "  ".join(f"{group} {found}/{of}" for group, (found, of) in wanted.items()))
        say(f"\n== {name}: documents with an alarm, of harmless ones ==")
        for corpus, row in scored["benign"].items():
            if corpus == "examples":
                continue
            detectors = " ".join(f"{detector}={count}" for detector, count in row["detectors"].items())
            say(f"{corpus:18} {row['documents']:5}  {detectors or '-'}")
        if "prompt_injection" in scored:
            say(f"\n== {name}: prompt injection ==")
            for corpus, row in scored["prompt_injection"].items():
                say(f"{corpus:40} " + "  ".join(f"{key}={value}" for key, value in row.items()))
        examples(scored, say)


def examples(scored, say):
    for detector, row in scored["detectors"].items():
        for key in ("missed_examples", "false_examples"):
            if row.get(key):
                say(f"\n-- {detector}: {key.replace('_', ' ')} --")
                for line in row[key]:
                    say(f"   {line}")
    for detector, lines in scored["benign"].get("examples", {}).items():
        say(f"\n-- {detector}: alarms on harmless documents --")
        for line in lines:
            say(f"   {line}")
