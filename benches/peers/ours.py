# SPDX-License-Identifier: MIT OR Apache-2.0
"""Stipple's own figures: the JSON lines that the example `rates` of stipple-ldp prints."""

from __future__ import annotations

import json
from pathlib import Path

from measure import Measurement

NAME = "stipple-ldp"
NEEDED = ("protocol", "d", "epsilon", "encode_per_s", "aggregate_per_s", "mse")
APART = ("bits", "report from OS")  # not protocols: lines with other fields, and without a counterpart


class RatesError(Exception):
    """A file that is not what the example prints, in a sentence for people."""


def read(path: Path, epsilon: float) -> list[Measurement]:
    """The lines at this epsilon. Fields that are not needed may be there."""
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        raise RatesError(f"cannot read {path}: {error.strerror}. `make peers` writes it.") from error
    lines = [_line(path, number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    lines = [line for line in lines if line and line.epsilon == epsilon]
    if not lines:
        raise RatesError(f"{path} has no line at epsilon = {epsilon:g}")
    return lines


def _line(path: Path, number: int, text: str) -> Measurement | None:
    try:
        row = json.loads(text)
        if row.get("protocol") in APART:
            return None
        missing = [name for name in NEEDED if name not in row]
    except (ValueError, TypeError, AttributeError) as error:
        raise RatesError(f"{path}, line {number}: not a JSON object: {error}") from error
    if missing:
        raise RatesError(f"{path}, line {number}: no {', '.join(missing)}")
    return Measurement(
        protocol=row["protocol"],
        d=row["d"],
        epsilon=row["epsilon"],
        implementation=NAME,
        encode_per_s=row["encode_per_s"],
        aggregate_per_s=row["aggregate_per_s"],
        n=row.get("n"),
        mse_raw=row["mse"],
        mse_projected=row.get("mse_projected"),
    )
