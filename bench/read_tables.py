"""The time to read and infer a table, and the memory for it, against pandas' C reader.

    python read_tables.py PROGRAM BENCH [ROWS COLUMNS]

PROGRAM is `ancestral` and BENCH `ancestral-bench`. Times are those of the call alone, in two processes
that stay, in alternation: pandas, ours, pandas, ours. The memory is that of `data show` above `data
list`, and of a process that reads with pandas above one that imports it.
"""

import os
import random
import statistics
import subprocess
import sys
import tempfile

PAIRS = 31

PANDAS = """
import sys, time, pandas
for _ in sys.stdin:
    began = time.perf_counter()
    table = pandas.read_csv("table.csv", engine="c")
    print(time.perf_counter() - began, len(table), flush=True)
"""


def memory(command):
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return usage.ru_maxrss * 1024


class Reader:
    def __init__(self, command):
        pipe = subprocess.PIPE
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)

    def seconds(self, rows):
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        seconds, found = self.process.stdout.readline().split()
        assert int(found) == rows
        return float(seconds)


def main():
    program, bench = (os.path.abspath(path) for path in sys.argv[1:3])
    rows, columns = (int(n) for n in sys.argv[3:5]) if len(sys.argv) > 4 else (100_000, 20)
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("table.csv", "w") as file:
            file.write(",".join(f"c{i}" for i in range(columns)) + "\n")
            for _ in range(rows):
                file.write(",".join(f"{random.gauss(0, 100):.6f}" for _ in range(columns)) + "\n")
        size = os.path.getsize("table.csv") / 2**20
        print(f"{rows} rows, {columns} columns, {size:.1f} MiB; {PAIRS} pairs")
        theirs, ours = Reader([sys.executable, "-c", PANDAS]), Reader([bench, "--read", "table.csv"])
        theirs.seconds(rows), ours.seconds(rows)
        pairs = [(theirs.seconds(rows), ours.seconds(rows)) for _ in range(PAIRS)]
        for side, name in enumerate(["pandas", "ours"]):
            print(f"{name:<8} {statistics.median(pair[side] for pair in pairs):.4f} s")
        low, median, high = statistics.quantiles([a / b for a, b in pairs], n=4)
        print(f"pandas / ours: {median:.2f} [{low:.2f}, {high:.2f}]")
        python = [sys.executable, "-c"]
        reads = "import pandas; pandas.read_csv('table.csv', engine='c')"
        for name, one, none in [
            ("pandas", [*python, reads], [*python, "import pandas"]),
            ("ours", [program, "data", "show", "table.csv"], [program, "data", "list"]),
        ]:
            used = memory(one) - memory(none)
            share = used / (rows * columns * 8)
            print(f"{name:<8} {used / 2**20:.0f} MiB = {share:.2f} × the numbers")


if __name__ == "__main__":
    main()
