"""What the server promises when things go wrong, each promise tried on a server of its own.

Run: python bench/serve_faults.py [--only overload swaps ends kills fuzz slow streams]
    [--bundle FOLDER] [--share 1.0] [--seed 0] [--json FILE]
``--share 0.05`` does a twentieth of everything. Without a bundle the smallest one is served, which
is as good for all parts but ``overload``, whose figures are of the bundle that is given, and
``streams``, which needs one that writes. Load and server share the machine. Prints one table; ends
with 1 if a promise is not kept.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

from faults.fuzz import fuzz
from faults.life import ends, kills, swaps
from faults.overload import Plan, overload
from faults.requests import tiny_bundle
from faults.row import Row
from faults.slow import slow
from faults.streams import streams


def count(most: int, share: float) -> int:
    """A share of a number, one at least."""
    return max(1, round(most * share))


def main() -> None:
    """Try every part and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--only", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--bundle", type=Path)
    parser.add_argument("--share", type=float, default=1.0, help="Of the full numbers.")
    parser.add_argument("--texts", type=int, default=1, help="In a request of the overload.")
    parser.add_argument("--saturation", type=float, help="Requests a second, if known.")
    parser.add_argument("--seed", type=int, default=0, help="Of the fuzzed requests.")
    parser.add_argument("--json", type=Path, help="Write the rows there, too.")
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        for part in given.only:
            bundle = given.bundle or tiny_bundle(Path(folder) / f"{part}-bundle")
            for row in PARTS[part](given, bundle):
                rows.append(row)
                tell(row)
    if given.json is not None:
        given.json.write_text(json.dumps([asdict(row) for row in rows], indent=1) + "\n")
    sys.exit(0 if all(row.ok for row in rows) else 1)


def tell(row: Row) -> None:
    """Print a row, and what was unexpected if it is not as wanted."""
    wanted = f" (wanted: {row.wanted})" if row.wanted else ""
    kept = "ok  " if row.ok else "FAIL"
    print(f"{kept} {row.part:9} {row.what}: {row.found}{wanted}", flush=True)
    for note in () if row.ok else row.notes:
        print(f"       {note}")


Part = Callable[[argparse.Namespace, Path], list[Row]]
PARTS: dict[str, Part] = {
    "overload": lambda given, bundle: overload(
        Plan(bundle, 60 * given.share, given.texts, given.saturation)
    ),
    "swaps": lambda given, bundle: swaps(count(100, given.share), bundle.parent / "swaps"),
    "ends": lambda given, bundle: ends(count(100, given.share), bundle),
    "kills": lambda given, bundle: kills(count(50, given.share), bundle, workers=2),
    "fuzz": lambda given, bundle: fuzz(count(20_000, given.share), bundle, given.seed),
    "slow": lambda given, bundle: slow(count(500, given.share), 15 * given.share, bundle),
    "streams": lambda given, _: streams(count(20, given.share), given.bundle),
}


if __name__ == "__main__":
    main()
