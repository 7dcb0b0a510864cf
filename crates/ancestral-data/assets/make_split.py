#!/usr/bin/env python3
"""Writes split.txt: one of train, valid, test for each row of digits.csv.gz.

Within each class the rows are ordered by the SHA-256 of "ancestral-digits-ROW" (ROW from 0), the
first go to test, the next to valid, the rest to train. How many of each class go to a part is its
share, rounded by largest remainder, so that the parts hold exactly 300, 200 and 1297 rows.
"""
import gzip
import hashlib
import pathlib

here = pathlib.Path(__file__).parent
rows = gzip.open(here / "digits.csv.gz", "rt").read().split()
labels = [int(row.rsplit(",", 1)[1]) for row in rows]
classes = [
    sorted(
        (i for i, label in enumerate(labels) if label == c),
        key=lambda i: hashlib.sha256(b"ancestral-digits-%d" % i).digest(),
    )
    for c in range(10)
]
parts = ["train"] * len(rows)
for name, total in (("test", 300), ("valid", 200)):
    shares = [sum(l == c for l in labels) * total / len(labels) for c in range(10)]
    counts = [int(share) for share in shares]
    by_remainder = sorted(range(10), key=lambda c: counts[c] - shares[c])
    for c in by_remainder[: total - sum(counts)]:
        counts[c] += 1
    for c, count in enumerate(counts):
        for i in classes[c][:count]:
            parts[i] = name
        classes[c] = classes[c][count:]
(here / "split.txt").write_text("\n".join(parts) + "\n")
