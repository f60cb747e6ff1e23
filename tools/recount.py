#!/usr/bin/env python3
"""Count an owners' vote again, from its export, trusting nobody.

    python3 recount.py EXPORT.json [--box-hash HASH] [--electorate-hash HASH] [--receipt CODE]

One file, Python's standard library only. It checks that the electorate is the one whose hash was published,
that no entry of the ballot box was changed, removed or added, that every ballot was timely and allowed by
the rules, that no head and no area counts twice, and it counts everything again with whole numbers.

Compare the hashes that it prints with those that you noted during the vote, or give them as options.
Exit status: 0 the result is right, 1 it is not, 2 the export cannot be read.
"""

import argparse
import hashlib
import json
import sys
from datetime import datetime, timedelta
from pathlib import Path

FORMAT = "linli-vote/1"
CHOICES = ("YES", "NO", "ABSTAIN")
CHANNELS = ("ONLINE", "PAPER", "DOORSTEP")
CLASSES = (
    "ASSEMBLY_RULES",
    "MANAGEMENT_CONVENTION",
    "COMMITTEE_ELECTION",
    "PROPERTY_MANAGER",
    "USE_OF_FUNDS",
    "RAISING_FUNDS",
    "REBUILDING",
    "COMMON_PARTS",
    "OTHER_MATTERS",
)
SPECIAL = ("RAISING_FUNDS", "REBUILDING", "COMMON_PARTS")
# What the law asks for at least: (numerator, denominator, whether it must be exceeded).
LAW = {"quorum": (2, 3, False), "ordinary": (1, 2, True), "special": (3, 4, False)}


def canonical(value):
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()


class Recount:
    """One export, and everything that is found wrong in it."""

    def __init__(self, export):
        self.export = export
        self.header = export["header"]
        self.rules = self.header["rules"]
        self.secret = self.header["secret"]
        self.wrong = []
        self.electors = {}
        self.counted = {}
        self.disputed = {}
        self.ballots = {}
        self.standing = {}
        self.closes_at = self.header["closes_at"]

    def check(self, holds, message):
        if not holds:
            self.wrong.append(message)
        return holds

    def run(self):
        self.check(self.export["format"] == FORMAT == self.header["format"], "The format is not " + FORMAT)
        self.check_rules()
        self.check_electorate()
        self.check_chain()
        self.check(
            self.export["closes_at"] == self.closes_at, "The close is not the announced or extended one"
        )
        if self.secret:
            self.check_pieces()
        self.recounted = self.count()
        self.compare()
        return not self.wrong

    # The rules

    def check_rules(self):
        positions = [item["position"] for item in self.header["items"]]
        self.check(positions == list(range(1, len(positions) + 1)), "The items are not numbered from 1")
        for item in self.header["items"]:
            self.check(item["class"] in CLASSES, f"Item {item['position']} is of no class of article 278")
        if not self.rules["binding"]:
            return
        for name, (numerator, denominator, strict) in LAW.items():
            rule = self.rules[name]
            left, right = rule["numerator"] * denominator, numerator * rule["denominator"]
            enough = left > right or (left == right and (rule["strict"] or not strict))
            self.check(enough, f"A binding vote whose threshold for {name} is below the law's")

    # The electorate

    def check_electorate(self):
        electorate = self.export["electorate"]
        self.snapshot_hash = digest(canonical(electorate))
        self.check(
            self.snapshot_hash == self.header["electorate"],
            "The electorate is not the one that was frozen: its hash differs",
        )
        self.check(electorate["motion"] == self.header["motion"], "The electorate is another motion's")
        homes = set()
        for elector in electorate["electors"]:
            number = elector["number"]
            self.check(number not in self.electors, f"Elector {number} is there twice")
            self.check(bool(elector["homes"]), f"Elector {number} has no home")
            for home in elector["homes"]:
                self.check(home["number"] not in homes, f"Home {home['number']} is there twice")
                self.check(
                    type(home["area"]) is int and home["area"] >= 0, f"Home {home['number']}: bad area"
                )
                homes.add(home["number"])
            self.electors[number] = sum(home["area"] for home in elector["homes"])

    # The box

    def check_chain(self):
        previous = digest(canonical(self.header))
        receipts = set()
        for expected, entry in enumerate(self.export["entries"], 1):
            content = entry["content"]
            self.check(content["number"] == expected, f"Entry {expected} is missing or out of order")
            self.check(content["previous"] == previous, f"Entry {expected} does not follow the one before")
            previous = digest(canonical(content))
            self.check(previous == entry["hash"], f"Entry {expected} was changed: its hash differs")
            kind = content["kind"]
            if kind == "BALLOT":
                self.check(content["receipt"] not in receipts, f"Ballot {expected}: a receipt twice")
                receipts.add(content["receipt"])
                self.ballot(expected, content)
            elif kind == "RESOLUTION":
                self.resolution(expected, content)
            elif kind == "EXTENSION":
                self.extension(expected, content)
            else:
                self.check(False, f"Entry {expected} is of no known kind")
        self.last_hash = previous
        self.check(previous == self.export["last_hash"], "The last hash is not the box's")

    def ballot(self, number, content):
        elector = content["elector"]
        if not self.check(
            elector in self.electors, f"Ballot {number}: elector {elector} is not in the electorate"
        ):
            return
        timely = self.header["opens_at"] <= content["at"] < self.closes_at
        self.check(timely, f"Ballot {number}: not between opening and close")
        self.check(content["channel"] in CHANNELS, f"Ballot {number}: no channel")
        if self.secret:
            self.check("choices" not in content and content.get("commitment"), f"Ballot {number}: not secret")
        else:
            choices = content["choices"]
            good = len(choices) == len(self.header["items"]) and all(it in CHOICES for it in choices)
            self.check(good, f"Ballot {number}: its choices do not answer the items")
        if content["via"] == "PROXY":
            self.check(self.rules["proxies_allowed"], f"Ballot {number}: the rules allow no proxies")
        before = self.counted.get(elector)
        supersedes, disputes = content["supersedes"], content["disputes"]
        self.ballots[number] = content
        if disputes is not None:
            self.check(disputes == before, f"Ballot {number}: is in conflict with none that counts")
            self.check(elector not in self.disputed, f"Ballot {number}: a second conflict")
            self.check(not self.secret, f"Ballot {number}: a conflict in a secret vote")
            self.disputed[elector] = number
            return
        self.check(supersedes == before, f"Ballot {number}: elector {elector} would count twice")
        if supersedes is not None:
            allowed = self.rules["changes_allowed"] and not self.secret
            self.check(allowed, f"Ballot {number}: changed against the rules")
            online = content["channel"] == self.ballots[supersedes]["channel"] == "ONLINE"
            self.check(online, f"Ballot {number}: changed through another channel")
        self.counted[elector] = number

    def resolution(self, number, content):
        elector, stands = content["elector"], content["stands"]
        rivals = (self.counted.get(elector), self.disputed.pop(elector, None))
        self.check(None not in rivals and stands in rivals, f"Entry {number} settles no conflict")
        if stands in rivals:
            self.counted[elector] = stands

    def extension(self, number, content):
        self.extensions = getattr(self, "extensions", 0) + 1
        self.check(self.extensions <= self.rules["most_extensions"], f"Entry {number}: extended too often")
        self.check(content["at"] >= self.closes_at, f"Entry {number}: extended before the close")
        total, part = self.weight(self.electors), self.weight(self.counted)
        self.check(not self.quorum(part, total), f"Entry {number}: extended although enough took part")
        longest = datetime.fromisoformat(content["at"]) + timedelta(hours=self.rules["extension_hours"])
        self.check(
            datetime.fromisoformat(self.closes_at) < datetime.fromisoformat(content["closes_at"]) <= longest,
            f"Entry {number}: extended by more than the rules say",
        )
        self.closes_at = content["closes_at"]

    # The secret pool

    def check_pieces(self):
        codes = [piece["code"] for piece in self.export["pieces"]]
        self.check(len(set(codes)) == len(codes), "A piece of a secret ballot is there twice")
        heads, area = self.weight(self.counted)
        for item in self.header["items"]:
            found = [piece for piece in self.export["pieces"] if piece["position"] == item["position"]]
            self.check(
                sum(piece["heads"] for piece in found) == heads
                and sum(piece["area"] for piece in found) == area,
                f"Item {item['position']}: the pool does not add up to those who took part",
            )
        for piece in self.export["pieces"]:
            good = piece["choice"] in CHOICES and piece["heads"] >= 0 and piece["area"] >= 0
            self.check(good, f"Piece {piece['code'][:12]}: no choice or weight")

    # Counting

    def weight(self, numbers):
        return len(numbers), sum(self.electors[number] for number in numbers)

    def met(self, rule, part, whole):
        left, right = part * rule["denominator"], whole * rule["numerator"]
        return whole > 0 and (left > right if rule["strict"] else left >= right)

    def quorum(self, part, total):
        return all(self.met(self.rules["quorum"], *pair) for pair in zip(part, total, strict=True))

    def tests(self, rule, part, whole):
        names = ("numerator", "denominator", "strict", "clause")
        return [
            {
                "measure": measure,
                "part": part[place],
                "whole": whole[place],
                **{name: rule[name] for name in names},
                "passed": self.met(rule, part[place], whole[place]),
            }
            for measure, place in (("AREA", 1), ("HEADS", 0))
        ]

    def answers(self, position, electors):
        found = {choice.lower(): {"heads": 0, "area": 0} for choice in CHOICES}
        if self.secret:
            for piece in self.export["pieces"]:
                if piece["position"] == position:
                    side = found[piece["choice"].lower()]
                    side["heads"] += piece["heads"]
                    side["area"] += piece["area"]
            return found
        for elector in electors:
            side = found[self.ballots[self.counted[elector]]["choices"][position - 1].lower()]
            side["heads"] += 1
            side["area"] += self.electors[elector]
        return found

    def count(self):
        total, part = self.weight(self.electors), self.weight(self.counted)
        valid = self.quorum(part, total)
        items = []
        for item in self.header["items"]:
            rule = self.rules["special" if item["class"] in SPECIAL else "ordinary"]
            found = self.answers(item["position"], self.counted)
            tests = self.tests(rule, (found["yes"]["heads"], found["yes"]["area"]), part)
            passed = all(test["passed"] for test in tests)
            outcome = ("ADOPTED" if passed else "REJECTED") if valid else "FAILED_PARTICIPATION"
            items.append(
                {
                    "position": item["position"],
                    "class": item["class"],
                    **found,
                    "tests": tests,
                    "outcome": outcome,
                }
            )
        channels = []
        for channel in CHANNELS:
            chosen = [it for it, number in self.counted.items() if self.ballots[number]["channel"] == channel]
            heads, area = self.weight(chosen)
            answers = [
                {"position": item["position"], **self.answers(item["position"], chosen)}
                for item in self.header["items"]
            ]
            channels.append(
                {"channel": channel, "heads": heads, "area": area, "items": [] if self.secret else answers}
            )
        return {
            "total": {"heads": total[0], "area": total[1]},
            "participating": {"heads": part[0], "area": part[1]},
            "quorum": self.tests(self.rules["quorum"], part, total),
            "items": items,
            "channels": channels,
            "binding": self.rules["binding"],
            "conflicts": len(self.disputed),
        }

    def compare(self):
        published = self.export["result"]
        for name, value in self.recounted.items():
            self.check(
                published.get(name) == value, f"The published result differs from the recount in {name}"
            )

    # One's own ballot

    def receipt(self, code):
        """What lies in the box under a receipt's code, in words; None if nothing does."""
        code = "".join(code.split()).replace("-", "").upper()
        wanted = digest("receipt|" + code)
        for number, content in self.ballots.items():
            if content["receipt"] == wanted:
                counts = self.counted.get(content["elector"]) == number
                choices = content.get("choices")
                if self.secret:
                    choices = self.pieces_of(code)
                    bound = digest(canonical({"choices": choices, "secret": code}))
                    self.check(bound == content["commitment"], "The receipt's pieces are not what was cast")
                    weight = self.area_of(code)
                    area = self.electors[content["elector"]]
                    for position, found in enumerate(weight, 1):
                        self.check(
                            found == area, f"Item {position}: the receipt's area is not all in the pool"
                        )
                answers = ", ".join(str(choice) for choice in choices)
                return f"ballot {number}, {'counts' if counts else 'does not count'}: {answers}"
        return None

    def pieces_of(self, code):
        pool = {piece["code"]: piece for piece in self.export["pieces"]}
        found = []
        for item in self.header["items"]:
            piece = pool.get(self.piece_code(code, item["position"], 0))
            found.append(piece["choice"] if piece and piece["heads"] == 1 else None)
        return found

    def area_of(self, code):
        pool = {piece["code"]: piece for piece in self.export["pieces"]}
        areas = []
        for item in self.header["items"]:
            area, number = 0, 1
            head = pool.get(self.piece_code(code, item["position"], 0))
            while piece := pool.get(self.piece_code(code, item["position"], number)):
                if head is None or piece["choice"] != head["choice"]:
                    break
                area += piece["area"]
                number += 1
            areas.append(area)
        return areas

    def piece_code(self, code, position, number):
        return digest(f"piece|{code}|{self.header['motion']}|{position}|{number}")


def metres(area):
    return f"{area // 10_000}.{area % 10_000:04d} m²"


def told(test):
    rule = f"{test['numerator']}/{test['denominator']}"
    sign = ">" if test["strict"] else "≥"
    if test["measure"] == "AREA":
        figures = f"{metres(test['part'])} of {metres(test['whole'])}"
    else:
        figures = f"{test['part']} of {test['whole']} heads"
    return f"{figures} {sign} {rule}: {'yes' if test['passed'] else 'NO'}  [{test['clause']}]"


def report(recount, out):
    header, found = recount.header, recount.recounted
    out(f"{header['title']}  ({header['motion']})")
    out("Binding in law" if found["binding"] else "An opinion survey (意见征询), not binding in law")
    out(f"Rules: {recount.rules['name']}, version {recount.rules['version']}")
    out(f"From {header['opens_at']} to {recount.closes_at}")
    out(f"Electorate hash: {recount.snapshot_hash}")
    out(f"Box hash:        {recount.last_hash}  ({len(recount.export['entries'])} entries)")
    out("")
    out("Took part:")
    for test in found["quorum"]:
        out(f"  {told(test)}")
    for channel in found["channels"]:
        if channel["heads"]:
            out(f"  {channel['channel'].lower()}: {channel['heads']} heads, {metres(channel['area'])}")
    if found["conflicts"]:
        out(f"  {found['conflicts']} unsettled conflicts: the first ballot counts")
    for item, result in zip(header["items"], found["items"], strict=True):
        out("")
        number = CLASSES.index(item["class"]) + 1
        out(f"{item['position']}. {item['title']}  (article 278, item {number})")
        for name in ("yes", "no", "abstain"):
            out(f"  {name:<8}{result[name]['heads']:>6} heads {metres(result[name]['area']):>18}")
        for test in result["tests"]:
            out(f"  {told(test)}")
        out(f"  {result['outcome'].replace('_', ' ')}")
    out("")


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("export", help="the export of a closed motion (JSON)")
    parser.add_argument("--box-hash", help="the box's last hash, as you noted it after the close")
    parser.add_argument("--electorate-hash", help="the electorate's hash, as published at the opening")
    parser.add_argument("--receipt", help="a receipt's code: look for its ballot, too")
    options = parser.parse_args(arguments)
    try:
        recount = Recount(json.loads(Path(options.export).read_text(encoding="utf-8")))
        recount.run()
        if options.box_hash:
            recount.check(
                recount.last_hash == options.box_hash.lower(), "The box is not the one that you noted"
            )
        if options.electorate_hash:
            recount.check(
                recount.snapshot_hash == options.electorate_hash.lower(),
                "The electorate is not the one that you noted",
            )
        found = recount.receipt(options.receipt) if options.receipt else None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
        print(f"The export cannot be read: {type(error).__name__}: {error}", file=sys.stderr)
        return 2
    report(recount, print)
    if options.receipt:
        recount.check(found is not None, "No ballot in the box belongs to this receipt")
        print(f"Your receipt: {found or 'not found'}\n")
    if recount.wrong:
        print("WRONG:")
        for message in recount.wrong:
            print(f"  - {message}")
        return 1
    print("RIGHT: the chain is whole, and the recount is the published result.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
