# SPDX-License-Identifier: MIT OR Apache-2.0
"""pure-ldp: client and server objects. `aggregate` only counts, `estimate_all` follows once.

Left out are RAPPOR, whose client never clears a set bit (it is not private), and the private count sketch, whose
estimates are not debiased.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from pure_ldp.frequency_oracles.apple_cms import CMSClient, CMSServer
from pure_ldp.frequency_oracles.direct_encoding import DEClient, DEServer
from pure_ldp.frequency_oracles.hadamard_mechanism import HadamardMechClient, HadamardMechServer
from pure_ldp.frequency_oracles.hadamard_response import HadamardResponseClient, HadamardResponseServer
from pure_ldp.frequency_oracles.histogram_encoding import HEClient, HEServer
from pure_ldp.frequency_oracles.local_hashing import FastLHClient, FastLHServer, LHClient, LHServer
from pure_ldp.frequency_oracles.unary_encoding import UEClient, UEServer

import theory
from contender import Contender

FLH_HASHES = 1000
SKETCH_HASHES, SKETCH_WIDTH = 128, 1024


@dataclass
class PureLdp(Contender):
    """A client and its server. pure-ldp counts values from 1 unless told otherwise."""

    client: Any = field(kw_only=True)
    server: Any = field(kw_only=True)
    domain: int = field(kw_only=True)
    package = "pure-ldp"

    def inputs(self, values: Sequence[int]) -> list:
        return [value + 1 for value in values]

    def encode(self, inputs: list) -> list:
        return list(map(self.client.privatise, inputs))

    def reset(self) -> None:
        self.server.reset()
        if isinstance(self.server, FastLHServer):
            self.server.hash_counts[:] = 0  # its reset() forgets them

    def aggregate(self, reports: list) -> None:
        self.server.aggregate_all(reports)

    def estimate(self) -> np.ndarray:
        return self.server.estimate_all(range(1, self.domain + 1), suppress_warnings=True)

    def collect(self, reports: list) -> None:
        self.aggregate(reports)

    def raw(self) -> np.ndarray:
        return np.asarray(self.estimate(), dtype=float) / self.server.n


def contenders(d: int, epsilon: float) -> list[PureLdp]:
    """Every protocol of pure-ldp that is private and unbiased."""
    return [
        *direct(d, epsilon),
        *local_hashing(d, epsilon),
        fast_local_hashing(d, epsilon),
        *hadamard(d, epsilon),
        *sketches(d, epsilon),
    ]


def direct(d: int, epsilon: float) -> list[PureLdp]:
    """A report of a symbol, of d bits or of d real numbers."""

    def unary(protocol: str, optimised: bool, expected: theory.Theory) -> PureLdp:
        client, server = UEClient(epsilon, d, use_oue=optimised), UEServer(epsilon, d, use_oue=optimised)
        return PureLdp(protocol, "UEClient, UEServer", expected, client=client, server=server, domain=d)

    def histogram(protocol: str, threshold: bool, expected: theory.Theory) -> PureLdp:
        client, server = HEClient(epsilon, d), HEServer(epsilon, d, use_the=threshold)
        return PureLdp(protocol, "HEClient, HEServer", expected, client=client, server=server, domain=d)

    grr = (DEClient(epsilon, d), DEServer(epsilon, d))
    return [
        PureLdp("GRR", "DEClient, DEServer", theory.grr(d, epsilon), client=grr[0], server=grr[1], domain=d),
        unary("SUE", False, theory.sue(epsilon)),
        unary("OUE", True, theory.oue(epsilon)),
        histogram("SHE", False, theory.laplace_histogram(epsilon)),
        histogram("THE", True, theory.the(epsilon)),
    ]


def local_hashing(d: int, epsilon: float) -> list[PureLdp]:
    """A report of a hash function's seed and a bucket."""

    def make(protocol: str, optimised: bool, buckets: int) -> PureLdp:
        client, server = LHClient(epsilon, d, use_olh=optimised), LHServer(epsilon, d, use_olh=optimised)
        expected = theory.local_hashing(buckets, epsilon)
        return PureLdp(protocol, "LHClient, LHServer", expected, slow=True, client=client, server=server, domain=d)

    return [make("BLH", False, 2), make("OLH", True, theory.olh_buckets(epsilon))]


def fast_local_hashing(d: int, epsilon: float) -> PureLdp:
    """Optimised local hashing with the hash functions from a small pool."""
    return PureLdp(
        "FLH",
        "FastLHClient, FastLHServer",
        theory.fast_local_hashing(theory.olh_buckets(epsilon), epsilon, FLH_HASHES),
        note=f"a pool of {FLH_HASHES} hashes; its collisions are part of the theory",
        client=FastLHClient(epsilon, d, FLH_HASHES, use_olh=True),
        server=FastLHServer(epsilon, d, FLH_HASHES, use_olh=True),
        domain=d,
    )


def hadamard(d: int, epsilon: float) -> list[PureLdp]:
    """A report of a Hadamard code word, or of one bit in a random row."""
    power = 2 ** math.ceil(math.log2(d))  # the mechanism's transform takes nothing else
    server = HadamardResponseServer(epsilon, d)
    response = PureLdp(
        "HR",
        "HadamardResponseClient, HadamardResponseServer",
        theory.hadamard_response(epsilon),
        note="aggregate appends to a list; the counting is in estimate",
        client=HadamardResponseClient(epsilon, d, server.get_hash_funcs()),
        server=server,
        domain=d,
    )
    mechanism = PureLdp(
        "1-bit HR",
        "HadamardMechClient, HadamardMechServer",
        theory.hadamard_bit(epsilon),
        note="t = 1; its transform needs a power of two, to which d is rounded up",
        client=HadamardMechClient(epsilon, power, 1),
        server=HadamardMechServer(epsilon, power, 1),
        domain=d,
    )
    # Its theory is of the high-privacy regime, which pure-ldp takes up to epsilon = 1.
    return [response, mechanism] if epsilon <= 1 else [mechanism]


def sketches(d: int, epsilon: float) -> list[PureLdp]:
    """A report of one noisy row of a sketch, or of one bit in it."""

    def sketch(protocol: str, hadamard: bool, expected: theory.Theory) -> PureLdp:
        server = CMSServer(epsilon, SKETCH_HASHES, SKETCH_WIDTH, is_hadamard=hadamard)
        client = CMSClient(epsilon, server.get_hash_funcs(), SKETCH_WIDTH, is_hadamard=hadamard)
        note = f"{SKETCH_HASHES} hashes, width {SKETCH_WIDTH}; collisions are part of the theory"
        return PureLdp(protocol, "CMSClient, CMSServer", expected, note=note, client=client, server=server, domain=d)

    size = (SKETCH_HASHES, SKETCH_WIDTH)
    return [
        sketch("CMS", False, theory.count_mean_sketch(epsilon, *size)),
        sketch("HCMS", True, theory.hadamard_count_mean_sketch(epsilon, *size)),
    ]
