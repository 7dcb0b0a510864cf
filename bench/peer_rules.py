"""Times frequent sets by pyfim and mlxtend, to compare `ancestral rules` with.

    pip install pyfim mlxtend
    python peer_rules.py DATA COUNT [mlxtend]

Prints seconds of pyfim's algorithms for counting (`report='#'`) and for a list of all sets, from baskets in
memory, the number of sets, and the process's peak memory; with `mlxtend` also seconds of its fpgrowth.
The lists of Python objects are made beforehand; pyfim's own conversion of them is part of its time.
"""

import gzip
import resource
import sys
import time

import fim


def baskets(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    lines = [line.strip() for line in opened]
    separator = "," if any("," in line for line in lines) else None
    split = [[cell.strip() for cell in line.split(separator)] for line in lines if line]
    return [sorted({int(c) if c.isdigit() else c for c in row if c}) for row in split]


def timed(call):
    best, result = float("inf"), None
    for _ in range(3):
        result = None
        start = time.process_time()
        result = call()
        best = min(best, time.process_time() - start)
    return best, result


rows, count = baskets(sys.argv[1]), int(sys.argv[2])
for target in "scm":
    for name in ("fpgrowth", "eclat"):
        seconds, spectrum = timed(lambda: getattr(fim, name)(rows, target=target, supp=-count, report="#"))
        print(f"{target} {name} counting: {seconds:.3f} s, {round(sum(spectrum.values()))} sets", flush=True)
        seconds, found = timed(lambda: getattr(fim, name)(rows, target=target, supp=-count))
        del found
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10
        print(f"{target} {name} list: {seconds:.3f} s, peak {peak} MiB", flush=True)
if "mlxtend" in sys.argv:
    import pandas as pd
    from mlxtend.frequent_patterns import fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    encoder = TransactionEncoder()
    matrix = encoder.fit_transform(rows, sparse=True)
    table = pd.DataFrame.sparse.from_spmatrix(matrix, columns=encoder.columns_)
    start = time.process_time()
    found = fpgrowth(table, min_support=count / len(rows))
    print(f"mlxtend fpgrowth: {time.process_time() - start:.3f} s, {len(found)} sets")
