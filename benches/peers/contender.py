# SPDX-License-Identifier: MIT OR Apache-2.0
"""One protocol of one peer: the same five steps for all of them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version

import numpy as np
from numba import njit

from theory import Theory


@dataclass
class Contender(ABC):
    """A protocol at one domain size and epsilon, with the calls that the peer's documentation recommends.

    Values are 0 to d - 1; shares are arrays of d, or of (attributes, d).
    """

    protocol: str
    functions: str
    theory: Theory
    slow: bool = False
    note: str = ""
    package = ""

    @classmethod
    def peer(cls) -> str:
        """The package and its installed version."""
        return f"{cls.package} {version(cls.package)}"

    def inputs(self, values: Sequence[int]) -> list:
        """The values as the peer's client takes them."""
        return list(values)

    @abstractmethod
    def encode(self, inputs: list) -> list:
        """One report for each input. Timed."""

    def reset(self) -> None:
        """Forgets all reports."""

    @abstractmethod
    def aggregate(self, reports: list) -> None:
        """Takes the reports as the peer's server does. Timed."""

    def estimate(self) -> object:
        """The peer's estimation, where it is a call of its own. Timed."""

    @abstractmethod
    def collect(self, reports: list) -> None:
        """Like `aggregate`, and lets `raw` add the reports to those collected since `reset`."""

    @abstractmethod
    def raw(self) -> np.ndarray:
        """The unbiased estimates of the shares, from the peer's own counts and constants."""

    def shipped(self, raw: np.ndarray) -> np.ndarray:
        """What the peer returns: the raw estimates, unless it processes them further."""
        return raw


@njit
def _seed_numba(seed: int) -> None:
    np.random.seed(seed)


def seed_everything(seed: int) -> None:
    """Python's generator, numpy's, and the one of numba's own: the peers use all three."""
    random.seed(seed)
    np.random.seed(seed)
    _seed_numba(seed)


def project(raw: np.ndarray) -> np.ndarray:
    """The nearest point of the simplex, for each attribute (Norm-Sub; Wang et al., NDSS 2020)."""
    if raw.ndim > 1:
        return np.stack([project(row) for row in raw])
    falling = np.sort(raw)[::-1]
    excess = (np.cumsum(falling) - 1) / np.arange(1, len(raw) + 1)
    last = np.nonzero(falling > excess)[0][-1]
    return np.maximum(raw - excess[last], 0)


def clip_and_renormalise(raw: np.ndarray) -> np.ndarray:
    """Negative shares to 0, then all to a sum of 1: what multi-freq-ldpy always does."""
    clipped = np.maximum(raw, 0)
    return clipped / clipped.sum(axis=-1, keepdims=True)
