"""The time to read and infer a table, and the memory for it, against pandas' C reader.

    python read_tables.py PROGRAM [ROWS COLUMNS]

Rounds alternate: pandas, ours, pandas, ours. A round is a process of its own, and the time of a
process that reads nothing (`data list`, `import pandas`) is taken off.
"""

import os
import random
import subprocess
import sys
import tempfile
import time

ROUNDS = 7


def run(command):
    began = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    assert status == 0, command
    return time.perf_counter() - began, usage.ru_maxrss / 1024


def main():
    program = os.path.abspath(sys.argv[1])
    rows, columns = (int(n) for n in sys.argv[2:4]) if len(sys.argv) > 3 else (100_000, 20)
    random.seed(0)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("table.csv", "w") as file:
            file.write(",".join(f"c{i}" for i in range(columns)) + "\n")
            for _ in range(rows):
                file.write(",".join(f"{random.gauss(0, 100):.6f}" for _ in range(columns)) + "\n")
        ours = [program, "data", "show", "table.csv"]
        none = [program, "data", "list"]
        start = [sys.executable, "-c", "import pandas"]
        theirs = [sys.executable, "-c", "import pandas; pandas.read_csv('table.csv', engine='c')"]
        best = {}
        for _ in range(ROUNDS):
            for name, command in [
                ("pandas alone", start), ("pandas", theirs), ("ours alone", none), ("ours", ours)
            ]:
                seconds, memory = run(command)
                known = best.setdefault(name, [seconds, memory])
                known[0] = min(known[0], seconds)
                known[1] = max(known[1], memory)
        size = os.path.getsize("table.csv") / 2**20
        print(f"{rows} rows, {columns} columns, {size:.1f} MiB; best of {ROUNDS}")
        for name in ["pandas", "ours"]:
            seconds = best[name][0] - best[f"{name} alone"][0]
            memory = best[name][1] - best[f"{name} alone"][1]
            share = memory * 2**20 / (rows * columns * 8)
            print(f"{name:<8} {seconds:.3f} s, {memory:.0f} MiB = {share:.2f} × the numbers")


if __name__ == "__main__":
    main()
