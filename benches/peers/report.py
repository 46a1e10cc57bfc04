# SPDX-License-Identifier: MIT OR Apache-2.0
"""What the comparison leaves behind: tables, a CSV file, the rows of ratios, a page of the book."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterable
from dataclasses import asdict, fields
from math import sqrt
from pathlib import Path

import ours
from measure import Measurement

# How many times the faster peer's rate Stipple is to reach.
GOALS = {
    ("encode", "OUE"): 20.0,
    ("encode", "SS"): 20.0,
    ("encode", "OLH"): 10.0,
    ("encode", "GRR"): 10.0,
    ("aggregate", "OLH"): 500.0,
    ("aggregate", "OUE"): 5.0,
}
STEPS = ("encode", "aggregate")

Table = list[list[str]]


class Comparison:
    """All measurements by protocol, in the order the protocols came in, and domain size."""

    def __init__(self, lines: Iterable[Measurement]) -> None:
        lines = list(lines)
        order = list(dict.fromkeys(line.protocol for line in lines))
        self.groups: dict[tuple[str, int], list[Measurement]] = {}
        for line in sorted(lines, key=lambda line: (order.index(line.protocol), line.d)):
            self.groups.setdefault((line.protocol, line.d), []).append(line)

    def lines(self) -> list[Measurement]:
        """All of them, those of one protocol together."""
        return [line for group in self.groups.values() for line in group]

    def ratio(self, step: str, protocol: str, d: int) -> dict | None:
        """Our rate beside the faster peer's, shaped like a row of target/bench/ratios.json."""
        group = self.groups[protocol, d]
        own = [rate(line, step) for line in group if line.implementation == ours.NAME]
        peers = [(rate(line, step), line.implementation) for line in group if line.implementation != ours.NAME]
        if not own or not peers:
            return None
        reference, name = max(peers)
        row = {"name": f"{step} {protocol}, d = {d}", "ours": own[0], "reference": reference, "reference_name": name}
        return row | {"ratio": own[0] / reference, "goal": GOALS.get((step, protocol))}

    def goal_rows(self) -> list[dict]:
        """The ratios that have a goal."""
        rows = [self.ratio(step, *key) for step in STEPS for key in self.groups]
        return [row for row in rows if row and row["goal"] is not None]

    def without_ours(self) -> list[str]:
        """The protocols with a goal that only the peers have figures of."""
        with_goal = {protocol for _, protocol in GOALS}
        missing = [
            key for key, group in self.groups.items() if not any(line.implementation == ours.NAME for line in group)
        ]
        return [f"{protocol} at d = {d}" for protocol, d in missing if protocol in with_goal]

    def speed(self) -> Table:
        """Reports a second, and how many times the faster peer's rate is ours."""
        header = ["protocol", "d"]
        for step in STEPS:
            header += [f"{step}/s: stipple", "pure-ldp", "multi-freq", "ratio", "goal"]
        return [header, *([key[0], str(key[1]), *self._rates(*key)] for key in self.groups)]

    def _rates(self, protocol: str, d: int) -> list[str]:
        by_name = {line.implementation.split()[0]: line for line in self.groups[protocol, d]}
        cells = []
        for step in STEPS:
            for name in (ours.NAME, "pure-ldp", "multi-freq-ldpy"):
                cells.append(scaled(rate(by_name[name], step)) if name in by_name else "")
            ratio = self.ratio(step, protocol, d)
            goal = GOALS.get((step, protocol))
            cells += [f"{ratio['ratio']:.1f}" if ratio else "", f"{goal:g}" if goal else ""]
        return cells

    def error(self) -> Table:
        """n times the mean squared error, so that runs of different length compare, and the theory beside it."""
        header = ["protocol", "d", "implementation", "n", "raw", "theory", "raw/theory", "projected", "as shipped"]
        return [header, *(_error_cells(line) for line in self.lines() if line.mse_raw is not None)]

    def notes(self) -> list[str]:
        """What to know about single protocols."""
        notes = {f"{line.protocol} ({line.implementation}): {line.note}": None for line in self.lines() if line.note}
        return list(notes)


def rate(line: Measurement, step: str) -> float:
    """Reports a second at one step."""
    return getattr(line, f"{step}_per_s")


def _error_cells(line: Measurement) -> list[str]:
    def times_n(error: float | None) -> str:
        return "" if error is None or line.n is None else f"{error * line.n:#.4g}"

    over = f"{line.mse_raw / line.mse_theory:.2f}" if line.mse_raw and line.mse_theory else ""
    errors = (line.mse_raw, line.mse_theory, line.mse_projected, line.mse_shipped)
    raw, theory, projected, shipped = map(times_n, errors)
    n = "" if line.n is None else str(line.n)
    return [line.protocol, str(line.d), line.implementation, n, raw, theory, over, projected, shipped]


def scaled(number: float) -> str:
    """Three digits and a thousand or a million: 1.91 M."""
    for size, unit in ((1e9, " G"), (1e6, " M"), (1e3, " k")):
        if number >= size:
            return f"{number / size:.3g}{unit}"
    return f"{number:.3g}"


def aligned(table: Table) -> str:
    """Columns of equal width: words to the left, numbers to the right."""
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    words = {i for i, name in enumerate(table[0]) if name in ("protocol", "implementation")}

    def row(cells: list[str]) -> str:
        return "  ".join(
            c.ljust(w) if i in words else c.rjust(w) for i, (c, w) in enumerate(zip(cells, widths, strict=True))
        )

    return "\n".join(row(cells).rstrip() for cells in table)


def markdown(table: Table) -> str:
    """The same as a Markdown table."""
    words = ("protocol", "implementation")
    rule = ["---" if name in words else "---:" for name in table[0]]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in [table[0], rule, *table[1:]])


def write_csv(path: Path, comparison: Comparison) -> None:
    """Every measurement with every figure."""
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Measurement)])
        writer.writeheader()
        writer.writerows(asdict(line) for line in comparison.lines())


def write_json(path: Path, comparison: Comparison) -> None:
    """The ratios that have a goal."""
    path.write_text(json.dumps(comparison.goal_rows(), indent=2) + "\n", encoding="utf-8")


def page(comparison: Comparison, setting: dict[str, str]) -> str:
    """The page of the book."""
    spread = {d: f"{100 * sqrt(2 / d):.1f} % at d = {d}" for _, d in comparison.groups}
    facts = "\n".join(f"- {name}: {value}" for name, value in setting.items())
    notes = "\n".join(f"- {note}" for note in comparison.notes())
    return f"""<!-- SPDX-License-Identifier: MIT OR Apache-2.0 -->
# Side by side with the Python peers

Written by `benches/peers/side_by_side.py`; do not edit. To make it again: `make peers PEERS_FLAGS=--write-docs`.

{facts}

## Speed

Reports a second on one core; values drawn from a Zipf law with exponent 1.1. A peer's rate is its best of several
rounds over one batch, called as its documentation does, compiled before it is timed and without garbage collection.
Ours is the median of the rounds of the example `rates`. A ratio is ours by the faster peer's. multi-freq-ldpy's
aggregate includes its estimate, and so does ours, once for all reports; pure-ldp's estimate is a call of its own and is
not counted. A unary report is a numpy array of d numbers with the peers and d bits with us.

{markdown(comparison.speed())}

## Error

n times the mean squared error of the shares, over all values; the theory is n Var with the data fixed, from the papers'
formulas. A peer's figure is of one run, ours the mean of the rounds of `rates`: for one run, raw/theory has a standard
deviation of about {" and ".join(spread.values())}.

Compare raw with raw and projected with projected, and the latter only at the same n, since it falls more slowly than
1/n. *Projected* is the nearest point of the simplex, computed here for both peers from their raw estimates. *As
shipped* is what the peer returns: for pure-ldp the raw estimates, for multi-freq-ldpy always clipped and renormalised,
which is biased; its raw estimates come from its own counts and constants.

{markdown(comparison.error())}

## Notes

{notes}
- Not compared, since they are not private or not unbiased as published: pure-ldp's RAPPOR and private count sketch,
  multi-freq-ldpy's iterative Bayesian update for L-GRR and L-LH.
"""
