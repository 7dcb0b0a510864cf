"""Prints the sets of pyfim on published data, as numbers and checksums, for `rules_golden.rs`.

    pip install pyfim
    python rules_golden.py FOLDER

FOLDER has groceries.csv.gz, retail.dat.gz, T10I4D100K.dat.gz and mushroom.dat.gz. The checksum is the sum of
count · (sum of the FNV-1a hashes of the names)² over all sets, modulo 2^64. pyfim leaves out sets of nothing
but items of all baskets, which are added here.
"""

import gzip
import sys
from itertools import combinations

import fim

SUPPORTS = {
    "groceries.csv.gz": (98, 20, 5),
    "retail.dat.gz": (100, 20, 8),
    "T10I4D100K.dat.gz": (500, 100, 10),
    "mushroom.dat.gz": (2400, 1600, 1000),
}


def fnv(name):
    state = 0xCBF29CE484222325
    for byte in name.encode():
        state = (state ^ byte) * 0x100000001B3 % 2**64
    return state


def baskets(path):
    lines = [line.strip() for line in gzip.open(path, "rt")]
    separator = "," if any("," in line for line in lines) else None
    split = [[cell.strip() for cell in line.split(separator)] for line in lines if line]
    return [sorted({cell for cell in row if cell}) for row in split]


for name, supports in SUPPORTS.items():
    rows = baskets(f"{sys.argv[1]}/{name}")
    hashes = {item: fnv(item) for row in rows for item in row}
    everywhere = set.intersection(*map(set, rows))
    for support in supports:
        for target, word in zip("scm", ("All", "Closed", "Maximal")):
            found = fim.fpgrowth(rows, target=target, supp=-support)
            if target == "s":
                found += [(s, len(rows)) for n in range(1, len(everywhere) + 1) for s in combinations(everywhere, n)]
            elif target == "c" and everywhere:
                found.append((tuple(everywhere), len(rows)))
            total = sum(count * sum(hashes[i] for i in items) ** 2 for items, count in found) % 2**64
            print(f'    ("{name}", {support}, Target::{word}, {len(found)}, 0x{total:016x}),', flush=True)
