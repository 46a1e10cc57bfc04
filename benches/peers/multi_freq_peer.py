# SPDX-License-Identifier: MIT OR Apache-2.0
"""multi-freq-ldpy: a client function for each report, an aggregator function for all of them.

Its aggregators return shares that are clipped at 0 and renormalised: biased. `captured` takes the raw ones out of them,
from their own counts and constants.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import repeat
from math import exp
from types import ModuleType
from typing import Any
from unittest.mock import patch

import numpy as np
from multi_freq_ldpy.long_freq_est import L_GRR, L_OSUE, L_SUE, dBitFlipPM
from multi_freq_ldpy.mdim_freq_est import RSpFD_solution
from multi_freq_ldpy.pure_frequency_oracles import GRR, HE, LH, SS, UE

import theory
from contender import Contender, clip_and_renormalise

EPS_PERM_FACTOR = 2.0
DBITFLIP_BITS = 8


@dataclass
class Inversion:
    """What an aggregator was about to clip: raw shares, and where it names them its counts and probabilities."""

    raw: np.ndarray
    reports: int = 0
    counts: np.ndarray = field(default_factory=lambda: np.zeros(0))
    probabilities: tuple[float, ...] = ()


@contextmanager
def captured(module: ModuleType) -> Iterator[list[Inversion]]:
    """The inversions that `module`'s aggregators make while it lasts."""
    seen: list[Inversion] = []

    def one_round(counts: np.ndarray, n: int, p: float, q: float) -> np.ndarray:
        raw = (np.asarray(counts) / n - q) / (p - q)
        seen.append(Inversion(raw, n, np.array(counts), (p, q)))
        return raw

    def two_rounds(counts: np.ndarray, n: int, p1: float, q1: float, p2: float, q2: float) -> np.ndarray:
        raw = (np.asarray(counts) / n - q1 * (p2 - q2) - q2) / ((p1 - q1) * (p2 - q2))
        seen.append(Inversion(raw, n, np.array(counts), (p1, q1, p2, q2)))
        return raw

    class Unclipped(np.ndarray):
        def clip(self, *arguments: Any, **named: Any) -> np.ndarray:
            plain = self.view(np.ndarray)
            seen.append(Inversion(plain.astype(float)))
            return plain.clip(*arguments, **named)

    class Numpy:
        """numpy, but what `array` makes is remembered when it is clipped."""

        def __getattr__(self, name: str) -> object:
            return getattr(np, name)

        def array(self, *arguments: Any, **named: Any) -> np.ndarray:
            return np.array(*arguments, **named).view(Unclipped)

    # Modules that share the estimators import them by name; the others invert in place.
    replacements: dict[str, Any] = {"MI": one_round, "MI_long": two_rounds}
    named = {name: new for name, new in replacements.items() if hasattr(module, name)}
    with patch.multiple(module, **(named or {"np": Numpy()})):
        yield seen


@dataclass
class MultiFreq(Contender):
    """A client function and an aggregator function, named in `functions`, with what follows their first argument."""

    module: ModuleType = field(kw_only=True)
    client_arguments: tuple = field(kw_only=True)
    aggregator_arguments: tuple = field(kw_only=True)
    package = "multi-freq-ldpy"

    def __post_init__(self) -> None:
        client, aggregator = self.functions.split(", ")
        self.client, self.aggregator = getattr(self.module, client), getattr(self.module, aggregator)
        self.reset()

    def encode(self, inputs: list) -> list:
        return list(map(self.client, inputs, *map(repeat, self.client_arguments)))

    def reset(self) -> None:
        self.collected, self.weighted = 0, np.zeros(1)

    def aggregate(self, reports: list) -> None:
        self.aggregator(reports, *self.aggregator_arguments)

    def collect(self, reports: list) -> None:
        self.collected += len(reports)
        self.weighted = self.weighted + len(reports) * self.raw_of(reports)

    def raw_of(self, reports: list) -> np.ndarray:
        """The raw shares from these reports alone."""
        return self.inversions(reports)[-1].raw

    def inversions(self, reports: list) -> list[Inversion]:
        """All that the aggregator inverts for these reports: one for each attribute."""
        with captured(self.module) as seen:
            self.aggregate(reports)
        return seen

    def raw(self) -> np.ndarray:
        return self.weighted / self.collected

    def shipped(self, raw: np.ndarray) -> np.ndarray:
        return clip_and_renormalise(raw)


class Summation(MultiFreq):
    """Histogram encoding without a threshold: the raw shares are the mean report."""

    def raw_of(self, reports: list) -> np.ndarray:
        return sum(reports) / len(reports)


class TwoAttributes(MultiFreq):
    """RS+FD with two attributes of d values, the second one the first in reverse."""

    def inputs(self, values: Sequence[int]) -> list:
        last = self.client_arguments[0][0] - 1
        return [(value, last - value) for value in values]

    def raw_of(self, reports: list) -> np.ndarray:
        first, second = self.inversions(reports)
        return np.stack([first.raw, second.raw[::-1]])


def contenders(d: int, epsilon: float) -> list[MultiFreq]:
    """Every protocol of multi-freq-ldpy, without the adaptive ones, which are two of the others."""
    return [*one_shot(d, epsilon), *longitudinal(d, EPS_PERM_FACTOR * epsilon, epsilon), *attributes(d, epsilon)]


def one_shot(d: int, epsilon: float) -> list[MultiFreq]:
    """One report of one value."""

    def make(
        protocol: str, family: str, module: ModuleType, tail: tuple, expected: theory.Theory, slow: bool = False
    ) -> MultiFreq:
        kind = Summation if protocol == "SHE" else MultiFreq
        client = (d, epsilon) if module is HE else (d, epsilon, *tail)
        server = (epsilon, *tail) if module is UE else (d, epsilon, *tail)
        return kind(
            protocol,
            f"{family}_Client, {family}_Aggregator_MI",
            expected,
            slow,
            module=module,
            client_arguments=client,
            aggregator_arguments=server,
        )

    g, w = theory.olh_buckets(epsilon), max(1, round(d / (exp(epsilon) + 1)))
    return [
        make("GRR", "GRR", GRR, (), theory.grr(d, epsilon)),
        make("SUE", "UE", UE, (False,), theory.sue(epsilon)),
        make("OUE", "UE", UE, (True,), theory.oue(epsilon)),
        make("SHE", "HE", HE, (False,), theory.laplace_histogram(epsilon)),
        make("THE", "HE", HE, (True,), theory.the(epsilon)),
        make("BLH", "LH", LH, (False,), theory.local_hashing(2, epsilon), slow=True),
        make("OLH", "LH", LH, (True,), theory.local_hashing(g, epsilon), slow=True),
        make("SS", "SS", SS, (), theory.subset_selection(d, w, epsilon)),
    ]


def longitudinal(d: int, eps_perm: float, eps_1: float) -> list[MultiFreq]:
    """Two rounds of noise, the first one at `eps_perm` for all reports together, or one round that is kept."""

    def make(protocol: str, family: str, module: ModuleType, expected: theory.Theory, note: str = "") -> MultiFreq:
        shape = () if family.endswith("UE") else (d,)
        return MultiFreq(
            protocol,
            f"{family}_Client, {family}_Aggregator_MI",
            expected,
            note=note,
            module=module,
            client_arguments=(d, eps_perm, eps_1),
            aggregator_arguments=(*shape, eps_perm, eps_1),
        )

    def unary(first: theory.Support) -> theory.Support:
        return theory.chain(first, theory.symmetric_second_round(eps_perm, eps_1, first))

    sue, oue = theory.sue(eps_perm), theory.oue(eps_perm)
    published = theory.grr_chain(d, eps_perm, theory.published_odds(eps_perm, eps_1))
    weaker = "its second round is calibrated for two values: more noise than eps_1 asks for"
    return [
        make("L-SUE", "L_SUE", L_SUE, unary(sue)),
        make("L-OSUE", "L_OSUE", L_OSUE, unary(oue)),
        make("L-GRR", "L_GRR", L_GRR, published, note=weaker),
        d_bit_flip(d, DBITFLIP_BITS, eps_1),
    ]


def d_bit_flip(d: int, bits: int, epsilon: float) -> MultiFreq:
    """dBitFlipPM: `bits` of d bits, the same ones in every report."""
    return MultiFreq(
        "dBitFlipPM",
        "dBitFlipPM_Client, dBitFlipPM_Aggregator_MI",
        theory.d_bit_flip(d, bits, epsilon),
        True,
        f"{bits} of d bits, all at epsilon: kept, not refreshed",
        module=dBitFlipPM,
        client_arguments=(d, d, bits, epsilon),
        aggregator_arguments=(d, bits, epsilon),
    )


def attributes(d: int, epsilon: float) -> list[TwoAttributes]:
    """RS+FD: one of two attributes is reported, the other one is a fake."""
    inner = theory.amplified(epsilon, 2)
    oue, grr = theory.oue(inner), theory.grr(d, inner)

    def make(protocol: str, kind: str, one: theory.Support, fake: float) -> TwoAttributes:
        arguments = ([d, d], 2, epsilon)
        return TwoAttributes(
            protocol,
            f"RSpFD_{kind}_Client, RSpFD_{kind}_Aggregator_MI",
            theory.sampled_with_fakes(one, 2, fake),
            kind != "GRR",
            "two attributes of d values",
            module=RSpFD_solution,
            client_arguments=arguments,
            aggregator_arguments=arguments,
        )

    return [
        make("RS+FD[GRR]", "GRR", grr, 1 / d),
        make("RS+FD[OUE-z]", "UE_zero", oue, oue.p_false),
        make("RS+FD[OUE-r]", "UE_rnd", oue, (oue.p_true + (d - 1) * oue.p_false) / d),
    ]
