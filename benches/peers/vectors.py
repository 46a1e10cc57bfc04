#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Writes ldp/tests/vectors: what the peers answer, where they are right, for the tests of stipple-ldp to compare with.

Each record names its peer, version and functions, and holds the peer's own probabilities, the support counts (or
other cells) of a few seeded reports, and the raw estimates that the peer makes of them. A record without cells is of
probabilities alone. Variances are pairs of a share and n Var there: `noise_variance` with the data fixed, `variance`
with the senders a random sample.
"""

from __future__ import annotations

import argparse
import json
import sys
import warnings
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from importlib.metadata import version
from pathlib import Path
from types import ModuleType

import numpy as np
from multi_freq_ldpy.long_freq_est import L_LH, L_OUE, L_SOUE
from multi_freq_ldpy.long_freq_est.Variance_LONG_PURE import VAR_Long_Pure
from multi_freq_ldpy.mdim_freq_est import Variance_RSpFD
from multi_freq_ldpy.pure_frequency_oracles import GRR, SS
from multi_freq_ldpy.pure_frequency_oracles.Variance_PURE import VAR_Pure
from pure_ldp.frequency_oracles.apple_cms import CMSClient, CMSServer

import multi_freq_peer
import pure_ldp_peer
import theory
from contender import Contender, clip_and_renormalise, seed_everything
from multi_freq_peer import Inversion, MultiFreq, TwoAttributes
from pure_ldp_peer import PureLdp

FOLDER = Path(__file__).resolve().parents[2] / "ldp/tests/vectors"
SEED = 20_261_125
REPORTS = 100
EPSILONS = (0.5, 1.0, 2.0, 4.0)
TWO_ROUNDS = ((1.0, 0.5), (2.0, 1.0), (4.0, 2.0))
DOMAINS = (4, 10)
WIDE_DOMAINS = (64, 1000)
SHARES = (0.0, 0.1, 0.5)

Record = dict[str, object]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        epilog="Example: target/peers-venv/bin/python benches/peers/vectors.py",
    )
    parser.add_argument("--out", type=Path, default=FOLDER, help="folder for the files [ldp/tests/vectors]")
    folder = parser.parse_args().out
    warnings.simplefilter("ignore")  # pure-ldp warns of every small batch
    folder.mkdir(parents=True, exist_ok=True)
    files = {"one_shot": one_shot, "sketch": sketch, "longitudinal": longitudinal, "attributes": attributes}
    for name, records in files.items():
        seed_everything(SEED)
        path = folder / f"{name}.json"
        lines = [json.dumps(record) for record in records()]
        path.write_text("[\n" + ",\n".join(lines) + "\n]\n", encoding="utf-8")
        print(f"{path}: {len(lines)} records, {path.stat().st_size} bytes")


def one_shot() -> Iterator[Record]:
    """One report of one value, from both peers."""
    for epsilon in EPSILONS:
        for d in DOMAINS:
            yield from (of_multi_freq(one, d, epsilon) for one in multi_freq_peer.one_shot(d, epsilon))
            chosen = pure_ldp_peer.direct(d, epsilon) + pure_ldp_peer.local_hashing(d, epsilon)
            yield from (of_pure_ldp(one, d, epsilon) for one in chosen + pure_ldp_peer.hadamard(d, epsilon))
        for d in WIDE_DOMAINS:
            wide = (one for one in multi_freq_peer.one_shot(d, epsilon) if one.module in (GRR, SS))
            yield from (of_multi_freq(one, d, epsilon, probabilities_alone=True) for one in wide)


def head(one: Contender, d: int, epsilon: float, **more: object) -> Record:
    """What every record begins with."""
    peer = {"peer": one.package, "version": version(one.package), "functions": one.functions}
    return {"protocol": one.protocol, **peer, "d": d, "epsilon": epsilon, **more}


def values(d: int) -> list[int]:
    """Values with falling shares, so that a mix-up of two of them shows."""
    shares = np.arange(d, 0, -1) / (d * (d + 1) / 2)
    return np.random.choice(d, REPORTS, p=shares).tolist()


def of_multi_freq(one: MultiFreq, d: int, epsilon: float, *, probabilities_alone: bool = False) -> Record:
    """A pure protocol, or SHE, whose cells are sums of real numbers."""
    reports = one.encode(one.inputs(values(d)))
    record = head(one, d, epsilon)
    if one.protocol == "SHE":
        raw = one.raw_of(reports)
        confirm(one, reports, [raw])
        return record | {"n": REPORTS, "cells": numbers(sum(reports)), "estimates": numbers(raw)}
    (inversion,) = inversions(one, reports)
    p, q = inversion.probabilities
    record |= {"p": float(p), "q": float(q), "noise_variance": variances(lambda f: VAR_Pure(p, q, 1, f))}
    if one.protocol == "SS":
        record["subset"] = len(reports[0])
    if not probabilities_alone:
        record |= cells(inversion) | spelled(one.protocol, reports)
    return record


def inversions(one: MultiFreq, reports: list) -> list[Inversion]:
    """What the aggregator inverts, once it is sure that its own answer follows from that."""
    found = one.inversions(reports)
    confirm(one, reports, [inversion.raw for inversion in found])
    return found


def confirm(one: MultiFreq, reports: list, raw: list[np.ndarray]) -> None:
    """Stops unless the aggregator, left alone, returns these raw estimates clipped and renormalised."""
    shipped = one.aggregator(reports, *one.aggregator_arguments)
    shipped = shipped if len(raw) > 1 else [shipped]
    for theirs, estimates in zip(shipped, raw, strict=True):
        if not np.allclose(np.asarray(theirs, dtype=float), clip_and_renormalise(estimates), rtol=1e-12, atol=1e-15):
            sys.exit(
                f"{one.protocol}: the raw estimates {estimates} do not lead to what {one.peer()} returns, {theirs}"
            )


def cells(inversion: Inversion) -> Record:
    """Counts and the raw estimates of them."""
    return {"n": inversion.reports, "cells": numbers(inversion.counts), "estimates": numbers(inversion.raw)}


def variances(n_var: Callable[[float], float], shares: Iterable[float] = SHARES) -> list[list[float]]:
    """Pairs of a share and n Var there."""
    return [[share, float(n_var(share))] for share in shares]


def spelled(protocol: str, reports: list) -> Record:
    """The reports themselves, where they mean the same to every implementation."""
    match protocol:
        case "GRR" | "HR":
            return {"reports": [int(report) for report in reports]}
        case "SS":
            return {"reports": [sorted(map(int, report)) for report in reports]}
        case "SUE" | "OUE":
            return {"reports": ["".join(str(int(bit)) for bit in report) for report in reports]}
    return {}


def of_pure_ldp(one: PureLdp, d: int, epsilon: float) -> Record:
    """A pure protocol, SHE, or a Hadamard protocol, whose cells are counts of messages or of signed rows."""
    one.reset()
    reports = [list(report) if isinstance(report, zip) else report for report in one.encode(one.inputs(values(d)))]
    record = head(one, d, epsilon) | spelled(one.protocol, reports)
    one.collect(reports)
    server = one.server
    sums = np.bincount(reports, minlength=server.hr.outsz) if one.protocol == "HR" else server.aggregated_data
    found = {"n": server.n, "cells": numbers(sums), "estimates": numbers(one.raw())}
    return record | constants(one) | found


def constants(one: PureLdp) -> Record:
    """The server's own probabilities, by the names of multi-freq-ldpy."""
    server = one.server
    match one.protocol:
        case "SHE":
            return {}
        case "BLH" | "OLH":
            return {"p": server.p, "q": 1 / server.g, "buckets": server.g}
        case "HR":
            return {"p": 1 - server.hr.pri_para, "q": 0.5, "messages": server.hr.outsz}
        case "1-bit HR":
            return {"p": server.p, "rows": server.d}
        case "THE":
            return {"p": server.p, "q": server.q, "theta": server.theta}
    return {"p": server.p, "q": server.q}


def sketch() -> Iterator[Record]:
    """Apple's count mean sketch and its Hadamard variant: the server's matrix, and what it makes of it."""
    hashes, width, d = 4, 16, 6
    for epsilon in EPSILONS:
        for hadamard in (False, True):
            server = CMSServer(epsilon, hashes, width, is_hadamard=hadamard)
            client = CMSClient(epsilon, server.get_hash_funcs(), width, is_hadamard=hadamard)
            protocol = "HCMS" if hadamard else "CMS"
            one = PureLdp(protocol, "CMSClient, CMSServer", theory.oue(epsilon), client=client, server=server, domain=d)
            one.collect(one.encode(one.inputs(values(d))))
            columns = [[int(h(str(value + 1))) for h in server.get_hash_funcs()] for value in range(d)]
            yield head(one, d, epsilon) | {
                "flip": client.prob,
                "scale": server.c,
                "columns": columns,
                "n": server.n,
                "cells": [numbers(row) for row in server.sketch_matrix],
                "estimates": numbers(one.raw()),
            }


def longitudinal() -> Iterator[Record]:
    """Two rounds of noise, and dBitFlipPM's one round that is kept."""
    for eps_perm, eps_1 in TWO_ROUNDS:
        for d in DOMAINS:
            for one in [*multi_freq_peer.longitudinal(d, eps_perm, eps_1), *_more_rounds(d, eps_perm, eps_1)]:
                if one.protocol != "dBitFlipPM":
                    yield of_two_rounds(one, d, eps_perm, eps_1)
    for epsilon in EPSILONS:
        yield d_bit_flip(6, 2, epsilon)


def _more_rounds(d: int, eps_perm: float, eps_1: float) -> list[MultiFreq]:
    def make(protocol: str, family: str, module: ModuleType, *shape: int) -> MultiFreq:
        return MultiFreq(
            protocol,
            f"{family}_Client, {family}_Aggregator_MI",
            theory.oue(eps_1),
            module=module,
            client_arguments=(d, eps_perm, eps_1),
            aggregator_arguments=(*shape, eps_perm, eps_1),
        )

    return [make("L-OUE", "L_OUE", L_OUE), make("L-SOUE", "L_SOUE", L_SOUE), make("L-OLH", "L_LH", L_LH, d)]


def of_two_rounds(one: MultiFreq, d: int, eps_perm: float, eps_1: float) -> Record:
    """L-GRR and L-OLH have the published second round, which is weaker than eps_1 allows beyond two values.

    The peer's variance takes both rounds for symmetric: with others it is right at the share 0 alone.
    """
    (inversion,) = inversions(one, one.encode(one.inputs(values(d))))
    names = ("p1", "q1", "p2", "q2")
    rounds = dict(zip(names, map(float, inversion.probabilities), strict=True))
    shares = SHARES if one.protocol == "L-SUE" else (0.0,)
    record = head(one, d, eps_1, epsilon_permanent=eps_perm) | rounds
    record["variance"] = variances(lambda f: VAR_Long_Pure(*rounds.values(), 1, f), shares)
    if one.protocol == "L-OLH":
        record["buckets"] = round(1 / rounds["q1"])
    return record | cells(inversion)


def d_bit_flip(d: int, bits: int, epsilon: float) -> Record:
    """Reports are strings of d signs: 0, 1, or - for a bit that was not drawn."""
    one = multi_freq_peer.d_bit_flip(d, bits, epsilon)
    reports = one.encode(one.inputs(values(d)))
    spelling = ["".join("-" if bit < 0 else str(int(bit)) for bit in report) for report in reports]
    (inversion,) = inversions(one, reports)
    found = {"bits": bits, "n": REPORTS, "reports": spelling, "estimates": numbers(inversion.raw)}
    return head(one, d, epsilon) | found


def attributes() -> Iterator[Record]:
    """RS+FD of two attributes: one record for each attribute."""
    formulas = {
        "RS+FD[GRR]": lambda f, p, q, d: Variance_RSpFD.VAR_RSpFD_GRR(p, q, d, 2, 1, f),
        "RS+FD[OUE-z]": lambda f, p, q, d: Variance_RSpFD.VAR_RSpFD_UE_zero(p, q, 2, 1, f),
        "RS+FD[OUE-r]": lambda f, p, q, d: Variance_RSpFD.VAR_RSpFD_UE_rnd(p, q, d, 2, 1, f),
    }
    sizes = (4, 10)
    for epsilon in EPSILONS:
        inner = theory.amplified(epsilon, len(sizes))
        for one in multi_freq_peer.attributes(sizes[0], epsilon):
            for place, record in enumerate(of_attributes(one, sizes, epsilon)):
                d = sizes[place]
                support = theory.grr(d, inner) if one.protocol == "RS+FD[GRR]" else theory.oue(inner)
                formula = partial(formulas[one.protocol], p=support.p_true, q=support.p_false, d=d)
                yield record | {"variance": variances(formula)}


def of_attributes(one: TwoAttributes, sizes: tuple[int, int], epsilon: float) -> Iterator[Record]:
    """The same reports, seen at each attribute."""
    one.client_arguments = one.aggregator_arguments = (list(sizes), 2, epsilon)
    inputs = list(zip(values(sizes[0]), values(sizes[1]), strict=True))
    reports = one.encode(inputs)
    for place, (d, inversion) in enumerate(zip(sizes, inversions(one, reports), strict=True)):
        column = [report[place] for report in reports]
        counts = np.bincount(column, minlength=d) if one.protocol == "RS+FD[GRR]" else sum(column)
        found = {"n": REPORTS, "cells": numbers(counts), "estimates": numbers(inversion.raw)}
        yield head(one, d, epsilon, attributes=2) | found


def numbers(array: Iterable) -> list[int | float]:
    """Plain numbers: whole ones without a point."""
    return [int(x) if float(x).is_integer() else float(x) for x in array]


if __name__ == "__main__":
    main()
