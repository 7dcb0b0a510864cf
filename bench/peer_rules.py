"""Times frequent sets by `ancestral rules` against pyfim and mlxtend, in alternating rounds.

    pip install pyfim mlxtend
    python peer_rules.py counting DATA COUNT [BENCH]    # against report='#' of pyfim's best algorithm
    python peer_rules.py output DATA COUNT [PROGRAM]    # both read the file and write all sets to one
    python peer_rules.py mlxtend DATA COUNT [BENCH]     # its fpgrowth; from baskets to sets, in memory

DATA has a basket a line, and COUNT is a number of baskets. Each prints, for all, closed and maximal sets (the
last for all sets only, kept in memory on both sides), seconds of wall time on both sides, the median of the ratios theirs / ours with their
quartiles, and for output the peak memory of both. BENCH is `ancestral-bench`, PROGRAM is `ancestral`; by default those of
target/release. Ours has two threads; pyfim has one. Counting is from baskets in memory on both sides, without
reading the file: lists of Python objects made beforehand, and pyfim's own conversion of them is part of its
time.
"""

import gzip
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

PAIRS = 15
HERE = Path(__file__).resolve().parent
TARGETS = {"s": "all", "c": "closed", "m": "maximal"}


def baskets(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    lines = [line.strip() for line in opened]
    separator = "," if any("," in line for line in lines) else None
    split = [[cell.strip() for cell in line.split(separator)] for line in lines if line]
    return [sorted({int(c) if c.isdigit() else c for c in row if c}) for row in split]


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def report(what, pairs, more=""):
    ratios = [theirs / ours for ours, theirs in pairs]
    low, ratio, high = statistics.quantiles(ratios, n=4) if len(pairs) > 1 else 3 * ratios
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    times = f"ours {1e3 * ours:.1f} ms, theirs {1e3 * theirs:.1f} ms"
    print(f"{what}: {ratio:.2f}x [{low:.2f}, {high:.2f}]; {times}{more}", flush=True)


def best_algorithm(fim, rows, count, target):
    """The quicker of pyfim's algorithms."""
    names = ("fpgrowth", "eclat")
    calls = {n: lambda n=n: getattr(fim, n)(rows, target=target, supp=-count, report="#") for n in names}
    return min((timed(calls[name])[0], name) for name in names)[1], calls


class Ours:
    """Our bench, a process that counts or finds sets on request."""

    def __init__(self, program, data, count, target):
        command = [program, "--rules-counts", data, "--support", str(count), "--target", target, "--threads", "2"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.round()

    def round(self):
        """Seconds, and the number of sets."""
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        seconds, sets = self.process.stdout.readline().split()
        return float(seconds), int(sets)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def counting(data, count, program):
    import fim

    rows = baskets(data)
    for target, name in TARGETS.items():
        algorithm, calls = best_algorithm(fim, rows, count, target)
        ours, pairs = Ours(program, data, count, name), []
        for _ in range(PAIRS):
            mine, sets = ours.round()
            theirs, spectrum = timed(calls[algorithm])
            pairs.append((mine, theirs))
        ours.end()
        known = round(sum(spectrum.values()))
        report(f"counting {name}, {sets} sets (pyfim's {algorithm}: {known})", pairs)


WRITE = """
import sys
sys.path.insert(0, sys.argv[1])
import fim, peer_rules
data, count, target, algorithm, out = sys.argv[2:]
rows = peer_rules.baskets(data)
found = getattr(fim, algorithm)(rows, target=target, supp=-int(count))
with open(out, "w") as file:
    for items, n in found:
        file.write(",".join(map(str, items)) + f",{n / len(rows)},{n}\\n")
"""


def process(command):
    began = time.perf_counter()
    child = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(child.pid, 0)
    assert status == 0, command
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def output(data, count, program):
    import fim

    rows = baskets(data)
    with tempfile.TemporaryDirectory() as folder:
        for target, name in TARGETS.items():
            algorithm, _ = best_algorithm(fim, rows, count, target)
            out = str(Path(folder, "sets.csv"))
            kind = [] if name == "all" else [f"--{name}"]
            ours = [program, "rules", "--data", data, "--sets", "--min-support", str(count), *kind]
            ours += ["--out", out, "--threads", "2", "--quiet"]
            theirs = [sys.executable, "-c", WRITE, str(HERE), data, str(count), target, algorithm, out]
            pairs, memory = [], [0, 0]
            for _ in range(PAIRS):
                sides = [process(ours), process(theirs)]
                pairs.append(tuple(seconds for seconds, _ in sides))
                memory = [max(known, peak) for known, (_, peak) in zip(memory, sides)]
            peaks = f"; peak memory {memory[0]:.0f} MiB, theirs {memory[1]:.0f} MiB"
            report(f"output of {name} sets", pairs, peaks)


def mlxtend(data, count, program):
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    rows = baskets(data)
    encoder = TransactionEncoder()
    matrix = encoder.fit_transform(rows, sparse=True)
    table = pd.DataFrame.sparse.from_spmatrix(matrix, columns=[str(name) for name in encoder.columns_])
    ours, pairs = Ours(program, data, count, "found"), []
    for _ in range(PAIRS):
        mine, sets = ours.round()
        theirs, found = timed(lambda: fpgrowth(table, min_support=count / len(rows)))
        pairs.append((mine, theirs))
    ours.end()
    report(f"fpgrowth of mlxtend, {sets} sets (theirs: {len(found)})", pairs)


if __name__ == "__main__":
    what, data, count = sys.argv[1:4]
    usual = HERE.parent / "target/release" / ("ancestral" if what == "output" else "ancestral-bench")
    program = sys.argv[4] if len(sys.argv) > 4 else str(usual)
    {"counting": counting, "output": output, "mlxtend": mlxtend}[what](data, int(count), program)
