"""Tells whether budgets of time are kept: the wall time of a whole `train`, with its test pass, in parts of --time.

    python budgets.py [CASE ...] [--program PROGRAM] [--data-dir FOLDER] [--seconds N] [--runs N]

Cases: vae (gray MNIST), iwae and nade (binary MNIST), dcgan (MNIST), gan (rings:8). Prints the median of the parts
with their quartiles; the bar is 1.1. PROGRAM is `ancestral`, by default that of target/release; FOLDER has the data,
by default shared/data next to the project.
"""

import argparse
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
CASES = {
    "vae": ["vae", "--data", "mnist"],
    "iwae": ["iwae", "--data", "binarized-mnist"],
    "nade": ["nade", "--data", "binarized-mnist"],
    "dcgan": ["dcgan", "--data", "mnist"],
    "gan": ["gan", "--data", "rings:8"],
}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=[])
    parser.add_argument("--program", default=str(HERE.parent / "target/release/ancestral"))
    parser.add_argument("--data-dir", default=str(HERE.parent.parent / "shared/data"))
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--runs", type=int, default=5)
    args = parser.parse_args()
    for name in args.cases or CASES:
        parts = []
        for run in range(args.runs):
            with tempfile.TemporaryDirectory() as folder:
                command = [args.program, "train", *CASES[name], "--time", f"{args.seconds}s", "--data-dir", args.data_dir]
                start = time.perf_counter()
                subprocess.run([*command, "--seed", str(run), "--quiet", "--out", f"{folder}/run"], check=True, stdout=subprocess.DEVNULL)
                parts.append((time.perf_counter() - start) / args.seconds)
        low, middle, high = statistics.quantiles(parts, n=4) if len(parts) > 1 else 3 * parts
        print(f"{name}: {middle:.3f} of {args.seconds:g} s [{low:.3f}, {high:.3f}], {len(parts)} runs; bar 1.1", flush=True)


if __name__ == "__main__":
    main()
