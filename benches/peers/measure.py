# SPDX-License-Identifier: MIT OR Apache-2.0
"""Rates and errors of one contender."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from math import inf
from time import perf_counter
from zlib import crc32

import numpy as np

from contender import Contender, project, seed_everything

ZIPF_EXPONENT = 1.1
SLOW_FRACTION = 5


@dataclass
class Measurement:
    """One line of the comparison. Rates are reports a second; errors are mean squares over the values, of shares."""

    protocol: str
    d: int
    epsilon: float
    implementation: str
    functions: str = ""
    encode_per_s: float | None = None
    aggregate_per_s: float | None = None
    estimate_ms: float | None = None
    n: int | None = None
    mse_raw: float | None = None
    mse_theory: float | None = None
    mse_projected: float | None = None
    mse_shipped: float | None = None
    note: str = ""


@dataclass(frozen=True)
class Plan:
    """How much to measure."""

    batch: int
    rounds: int
    seed: int
    reports: int


def zipf_shares(d: int) -> np.ndarray:
    """The shares of d values under a Zipf law."""
    weights = np.arange(1, d + 1) ** -ZIPF_EXPONENT
    return weights / weights.sum()


def measure(contender: Contender, d: int, epsilon: float, plan: Plan) -> Measurement:
    """Rates as the best of the rounds, and the error of one run."""
    draw = np.random.default_rng(plan.seed)
    values = draw.choice(d, max(plan.batch, plan.reports), p=zipf_shares(d)).tolist()
    reports = plan.reports // SLOW_FRACTION if contender.slow else plan.reports
    line = Measurement(contender.protocol, d, epsilon, contender.peer(), contender.functions, note=contender.note)
    seed_everything(plan.seed ^ crc32(f"{contender.protocol} {contender.peer()} {d}".encode()))
    _rates(line, contender, values[: plan.batch], plan.rounds)
    _errors(line, contender, values[: max(1, reports)], plan.batch)
    return line


def _rates(line: Measurement, contender: Contender, values: list[int], rounds: int) -> None:
    inputs = contender.inputs(values)
    _round(contender, inputs[:20])  # compiles what is compiled on first use
    with _no_collections():
        times = np.full(3, inf)
        for _ in range(rounds):
            times = np.minimum(times, _round(contender, inputs))
    encode, aggregate, estimate = times
    line.encode_per_s = len(values) / encode
    line.aggregate_per_s = len(values) / aggregate
    separate = type(contender).estimate is not Contender.estimate
    line.estimate_ms = 1000 * estimate if separate else None


def _round(contender: Contender, inputs: list) -> tuple[float, float, float]:
    contender.reset()
    start = perf_counter()
    reports = contender.encode(inputs)
    encoded = perf_counter()
    contender.aggregate(reports)
    aggregated = perf_counter()
    contender.estimate()
    return encoded - start, aggregated - encoded, perf_counter() - aggregated


@contextmanager
def _no_collections() -> Iterator[None]:
    """No garbage collection inside a measurement, as in `timeit`."""
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def _errors(line: Measurement, contender: Contender, values: list[int], batch: int) -> None:
    d, n = line.d, len(values)
    truth = np.bincount(values, minlength=d) / n
    contender.reset()
    for first in range(0, n, batch):
        contender.collect(contender.encode(contender.inputs(values[first : first + batch])))
    raw = contender.raw()
    line.n = n
    line.mse_raw = float(np.mean((raw - truth) ** 2))
    line.mse_theory = contender.theory(truth, n) / n
    line.mse_projected = float(np.mean((project(raw) - truth) ** 2))
    line.mse_shipped = float(np.mean((contender.shipped(raw) - truth) ** 2))
