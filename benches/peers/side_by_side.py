#!/usr/bin/env python3
# SPDX-License-Identifier: MIT OR Apache-2.0
"""Measures the Python peers and puts stipple-ldp's figures beside them. `make peers` runs it with all that it needs."""

from __future__ import annotations

import os

for threads in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
    os.environ[f"{threads}_NUM_THREADS"] = "1"  # read when numpy and numba are imported

import argparse
import datetime
import platform
import sys
import warnings
from importlib.metadata import version
from pathlib import Path

try:
    import multi_freq_peer
    import pure_ldp_peer
except ModuleNotFoundError as missing:
    sys.exit(f"{missing}. Run benches/peers/setup, then use target/peers-venv/bin/python.")

import ours
import report
from contender import Contender
from measure import Measurement, Plan, measure, zipf_shares

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/mechanisms/side-by-side.md"


def parse(arguments: list[str]) -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog="Example: target/peers-venv/bin/python benches/peers/side_by_side.py --only GRR,OUE --quick",
    )
    parser.add_argument("--ours", type=Path, help="stipple-ldp's figures: what its example `rates` prints")
    parser.add_argument("--domains", type=numbers, default=[100, 1000], help="domain sizes [100,1000]")
    parser.add_argument("--epsilon", type=positive, default=1.0, help="epsilon of a report [1]")
    parser.add_argument("--only", type=names, help="these protocols alone, such as GRR,OUE")
    parser.add_argument("--batch", type=count, default=2000, help="reports in a timed batch [2000]")
    parser.add_argument("--rounds", type=count, default=7, help="timed batches, of which the best counts [7]")
    parser.add_argument(
        "--reports", type=count, default=100_000, help="reports for the error, a fifth if slow [100000]"
    )
    parser.add_argument("--seed", type=int, default=1, help="seed of values and peers [1]")
    parser.add_argument("--core", type=int, default=0, help="the core to run on [0]")
    parser.add_argument("--quick", action="store_true", help="a smoke test: too few reports and rounds for figures")
    parser.add_argument("--out", type=Path, default=ROOT / "target/bench", help="folder for the files [target/bench]")
    parser.add_argument(
        "--write-docs", type=Path, nargs="?", const=PAGE, help=f"write a page [{PAGE.relative_to(ROOT)}]"
    )
    options = parser.parse_args(arguments)
    if options.quick and options.write_docs:
        parser.error("--quick makes no figures for a page: leave out --quick or --write-docs")
    if options.quick:
        options.batch, options.rounds, options.reports = 200, 2, 2000
    return options


def count(text: str) -> int:
    """A whole number from 1."""
    if not text.isdigit() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"a whole number from 1, not '{text}'")
    return int(text)


def numbers(text: str) -> list[int]:
    """Domain sizes with commas between."""
    sizes = [count(part) for part in text.split(",")]
    if min(sizes) < 10:
        raise argparse.ArgumentTypeError("domain sizes from 10, such as 100,1000")
    return sizes


def positive(text: str) -> float:
    """An epsilon that the peers can work with."""
    try:
        number = float(text)
    except ValueError:
        number = 0.0
    if not 0.0 < number <= 8.0:
        raise argparse.ArgumentTypeError(f"a number above 0 and up to 8, not '{text}'")
    return number


def names(text: str) -> set[str]:
    """Protocol names with commas between."""
    return {part.strip().upper() for part in text.split(",")}


def contenders(options: argparse.Namespace, d: int) -> list[Contender]:
    """The protocols of both peers that were asked for."""
    every = [*pure_ldp_peer.contenders(d, options.epsilon), *multi_freq_peer.contenders(d, options.epsilon)]
    return [one for one in every if options.only is None or one.protocol.upper() in options.only]


def measure_peers(chosen: list[tuple[int, Contender]], options: argparse.Namespace) -> list[Measurement]:
    """Measures one contender after another, with a line of progress for each."""
    plan = Plan(options.batch, options.rounds, options.seed, options.reports)
    lines = []
    for number, (d, one) in enumerate(chosen, 1):
        print(
            f"{number}/{len(chosen)}: {one.protocol}, d = {d}, {one.peer()}", end=" ... ", file=sys.stderr, flush=True
        )
        lines.append(measure(one, d, options.epsilon, plan))
        rates = [report.scaled(report.rate(lines[-1], step)) for step in report.STEPS]
        print(f"encode {rates[0]}/s, aggregate {rates[1]}/s", file=sys.stderr)
    return lines


def own_figures(chosen: list[tuple[int, Contender]], options: argparse.Namespace) -> list[Measurement]:
    """Our lines, with the theory of the protocol of that name."""
    if options.ours is None:
        return []
    theories = {(one.protocol, d): one.theory for d, one in chosen}
    lines = [line for line in ours.read(options.ours, options.epsilon) if line.d in options.domains]
    lines = [line for line in lines if options.only is None or line.protocol.upper() in options.only]
    for line in lines:
        expected = theories.get((line.protocol, line.d))
        if expected and line.n:
            line.mse_theory = expected(zipf_shares(line.d), line.n) / line.n
    return lines


def setting(options: argparse.Namespace) -> dict[str, str]:
    """Where and with what the figures were made."""
    cpu = platform.processor() or "unknown"
    info = Path("/proc/cpuinfo")
    if info.exists():
        models = [row.split(":", 1)[1].strip() for row in info.read_text().splitlines() if row.startswith("model name")]
        cpu = models[0] if models else cpu
    packages = [f"{name} {version(name)}" for name in ("pure-ldp", "multi-freq-ldpy", "numpy", "numba", "xxhash")]
    return {
        "date": datetime.date.today().isoformat(),
        "machine": f"{cpu}, one of {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f} at the start",
        "software": ", ".join([f"Python {platform.python_version()}", *packages]),
        "parameters": f"epsilon = {options.epsilon:g}, {multi_freq_peer.EPS_PERM_FACTOR:g} times that for two rounds; "
        f"batches of {options.batch} reports, best of {options.rounds} rounds; seed {options.seed}",
    }


def settle(core: int) -> None:
    """Keeps to one core, and says so when the machine is busy."""
    try:
        os.sched_setaffinity(0, {core})
    except (AttributeError, OSError) as error:
        sys.exit(f"cannot keep to core {core}: {error}. Choose another with --core.")
    load = os.getloadavg()[0]
    if load > 1.5:  # `make peers` has just kept one core busy with our own figures
        print(f"The machine is busy (load {load:.1f}): these rates are not final.", file=sys.stderr)
    warnings.simplefilter("ignore")  # pure-ldp warns of every small batch


def main() -> None:
    options = parse(sys.argv[1:])
    settle(options.core)
    where = setting(options)
    chosen = [(d, one) for d in options.domains for one in contenders(options, d)]
    if not chosen:
        sys.exit("--only names no protocol of the peers, such as GRR, OUE, OLH, SS or L-SUE")
    try:
        own = own_figures(chosen, options)  # before the minutes that the peers take
    except ours.RatesError as error:
        sys.exit(str(error))
    comparison = report.Comparison([*own, *measure_peers(chosen, options)])
    print(report.aligned(comparison.speed()), report.aligned(comparison.error()), sep="\n\n")
    options.out.mkdir(parents=True, exist_ok=True)
    written = [options.out / "side_by_side.csv", options.out / "side_by_side.json"]
    report.write_csv(written[0], comparison)
    report.write_json(written[1], comparison)
    if options.write_docs:
        options.write_docs.parent.mkdir(parents=True, exist_ok=True)
        options.write_docs.write_text(report.page(comparison, where), encoding="utf-8")
        written.append(options.write_docs)
    print("\nwritten to " + ", ".join(map(str, written)))
    if missing := comparison.without_ours():
        print(f"No figure of ours, and so no ratio, for {', '.join(missing)}: see --ours.", file=sys.stderr)


if __name__ == "__main__":
    main()
