# SPDX-License-Identifier: MIT OR Apache-2.0
"""Textbook variances, independent of the peers' code: n Var of a raw estimate, averaged over the values.

The data are fixed and only the noise is random. A theory takes `f`, the vector of true shares, and `n`, the number of
reports, which matters where hash collisions do not average out. `a = e^epsilon`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import exp, sqrt

import numpy as np
from scipy.optimize import minimize_scalar

Theory = Callable[[np.ndarray, int], float]


@dataclass(frozen=True)
class Support:
    """The chances that a report supports a value its sender holds, or does not (Wang et al., USENIX Security 2017)."""

    p_true: float
    p_false: float

    def __call__(self, f: np.ndarray, n: int = 1) -> float:
        """n Var, averaged over the values."""
        held, other = self.p_true * (1 - self.p_true), self.p_false * (1 - self.p_false)
        return float(np.mean(f * held + (1 - f) * other)) / (self.p_true - self.p_false) ** 2


def grr(d: int, epsilon: float) -> Support:
    """Randomised response over d values (Kairouz, Bonawitz and Ramage, ICML 2016)."""
    a = exp(epsilon)
    return Support(a / (a + d - 1), 1 / (a + d - 1))


def sue(epsilon: float) -> Support:
    """Symmetric unary encoding, one-shot basic RAPPOR."""
    p = exp(epsilon / 2) / (exp(epsilon / 2) + 1)
    return Support(p, 1 - p)


def oue(epsilon: float) -> Support:
    """Optimised unary encoding."""
    return Support(0.5, 1 / (exp(epsilon) + 1))


def the(epsilon: float) -> Support:
    """Histogram encoding with the threshold of least variance at f = 0."""

    def at(theta: float) -> Support:
        return Support(1 - exp(epsilon * (theta - 1) / 2) / 2, exp(-epsilon * theta / 2) / 2)

    none = np.zeros(1)
    best = minimize_scalar(lambda theta: at(theta)(none), bounds=(0.5, 1.0), method="bounded")
    return at(best.x)


def local_hashing(g: int, epsilon: float) -> Support:
    """Local hashing to g buckets with a fresh hash for each report."""
    a = exp(epsilon)
    return Support(a / (a + g - 1), 1 / g)


def olh_buckets(epsilon: float) -> int:
    """g of both peers' optimised local hashing."""
    return round(exp(epsilon)) + 1


def subset_selection(d: int, w: int, epsilon: float) -> Support:
    """Subset selection of w from d values (Ye and Barg, IEEE Transactions on Information Theory 2018)."""
    a = exp(epsilon)
    p = w * a / (w * a + d - w)
    return Support(p, (p * (w - 1) + (1 - p) * w) / (d - 1))


def hadamard_response(epsilon: float) -> Support:
    """Hadamard response in the high-privacy regime (Acharya, Sun and Zhang, AISTATS 2019)."""
    a = exp(epsilon)
    return Support(a / (a + 1), 0.5)


def hadamard_bit(epsilon: float) -> Theory:
    """One flipped Hadamard coefficient of a random row."""
    c2 = ((exp(epsilon) + 1) / (exp(epsilon) - 1)) ** 2
    return lambda f, _: float(np.mean(c2 - f))


def laplace_histogram(epsilon: float) -> Theory:
    """Summation with histogram encoding: Laplace(2 / epsilon) on every value."""
    return lambda *_: 8 / epsilon**2


def fast_local_hashing(g: int, epsilon: float, hashes: int) -> Theory:
    """Local hashing from a fixed pool: the collisions of the pool's hashes do not average out with n.

    A value v gains `(g / (g-1)) f_u (X - 1/g)` from each other value u, X the share of hashes in which they collide, of
    variance `(1/g)(1 - 1/g) / hashes`: in all `sum f_u^2 / (hashes (g-1))`.
    """
    noise = local_hashing(g, epsilon)
    return lambda f, n: noise(f) + n * _other_squares(f) / (hashes * (g - 1))


def count_mean_sketch(epsilon: float, hashes: int, width: int) -> Theory:
    """Apple's count mean sketch: the noise of one symmetric bit, and collisions that do not average out with n."""
    r = exp(epsilon / 2)
    return lambda f, n: _sketch(r / (r - 1) ** 2, f, hashes, width, n)


def hadamard_count_mean_sketch(epsilon: float, hashes: int, width: int) -> Theory:
    """Its Hadamard variant: one flipped coefficient."""
    c2 = ((exp(epsilon) + 1) / (exp(epsilon) - 1)) ** 2
    return lambda f, n: _sketch(c2 - float(np.mean(f)), f, hashes, width, n)


def _sketch(noise: float, f: np.ndarray, hashes: int, width: int, n: int) -> float:
    return (width / (width - 1)) ** 2 * noise + n * _other_squares(f) / (hashes * (width - 1))


def _other_squares(f: np.ndarray) -> float:
    """The sum of f_u^2 over u other than v, averaged over v."""
    return float(np.sum(f**2) * (1 - 1 / len(f)))


def chain(first: Support, second: Support) -> Support:
    """A unary report randomised twice, bit by bit."""

    def bit(p: float) -> float:
        return p * second.p_true + (1 - p) * second.p_false

    return Support(bit(first.p_true), bit(first.p_false))


def grr_chain(d: int, eps_perm: float, odds: float) -> Support:
    """Randomised response twice: at eps_perm, then keeping the symbol with `odds` against each other one."""
    first, second = grr(d, eps_perm), grr(d, np.log(odds))
    p, q, p2, q2 = first.p_true, first.p_false, second.p_true, second.p_false
    return Support(p * p2 + (1 - p) * q2, q * p2 + p * q2 + (d - 2) * q * q2)


def published_odds(eps_perm: float, eps_1: float) -> float:
    """The odds of L-GRR's second round as published: right for two values only (Arcolezi et al., DCN 2022)."""
    return (exp(eps_1 + eps_perm) - 1) / (exp(eps_perm) - exp(eps_1))


def symmetric_second_round(eps_perm: float, eps_1: float, first: Support) -> Support:
    """The symmetric second round that brings a bit from `first` to eps_1, by bisection."""

    def loss(p2: float) -> float:
        both = chain(first, Support(p2, 1 - p2))
        return float(np.log(both.p_true * (1 - both.p_false) / ((1 - both.p_true) * both.p_false)))

    assert loss(1.0 - 1e-15) > eps_1, "eps_1 must be below eps_perm"
    low, high = 0.5, 1.0 - 1e-15
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if loss(middle) < eps_1 else (low, middle)
    return Support(low, 1 - low)


def d_bit_flip(d: int, bits: int, epsilon: float) -> Theory:
    """`bits` of d bits, each with symmetric noise at epsilon / 2 (Ding, Kulkarni and Yekhanin, NeurIPS 2017)."""
    s, scale = sqrt(exp(epsilon)) / (sqrt(exp(epsilon)) - 1) ** 2, d / bits
    return lambda f, _: float(np.mean(f * (scale * (1 + s) - 1) + (1 - f) * scale * s))


def sampled_with_fakes(one: Support, attributes: int, fake: float) -> Support:
    """RS+FD: one attribute of many is reported, the others hold fakes that support a value with chance `fake`."""
    rest = (attributes - 1) * fake
    return Support((one.p_true + rest) / attributes, (one.p_false + rest) / attributes)


def amplified(epsilon: float, attributes: int) -> float:
    """The epsilon of RS+FD's one true attribute (Arcolezi et al., CIKM 2021)."""
    return float(np.log(attributes * (exp(epsilon) - 1) + 1))
