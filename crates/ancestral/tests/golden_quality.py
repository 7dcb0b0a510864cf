"""Prints the values that the tests of evaluate/ compare with, by NumPy and SciPy in double precision.

    python golden_quality.py

Rows are rounded to single precision: row i, entry j of a set is s + sin(f i + 0.7 j + 0.05 i j).
"""

import numpy as np
from scipy.linalg import sqrtm
from scipy.optimize import linear_sum_assignment


def rows(n, dim, f, s):
    i, j = np.arange(n)[:, None], np.arange(dim)[None, :]
    return (s + np.sin(f * i + 0.7 * j + 0.05 * i * j)).astype(np.float32).astype(np.float64)


def show(name, *values):
    print(f"{name}: {[float(f'{v:.12g}') for v in values]}")


def frechet(a, b):
    ca, cb = np.cov(a, rowvar=False), np.cov(b, rowvar=False)
    root = sqrtm(ca @ cb)
    return ((a.mean(0) - b.mean(0)) ** 2).sum() + np.trace(ca + cb - 2 * root.real)


def discrepancy(a, b):
    k = lambda x, y: (x @ y.T / x.shape[1] + 1) ** 3
    n = len(a)
    within = sum(k(x, x).sum() - np.trace(k(x, x)) for x in (a, b)) / (n * (n - 1))
    return within - 2 * k(a, b).mean()


def distances(a, b):
    return np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1))


def coverage(fake, real, near=3, far=5):
    # The nearest of a row to its own set is itself.
    radii = lambda x, k: np.sort(distances(x, x), 1)[:, k]
    d = distances(fake, real)
    precision = (d <= radii(real, near)[None]).any(1).mean()
    recall = (d <= radii(fake, near)[:, None]).any(0).mean()
    density = (d <= radii(real, far)[None]).sum() / (far * len(fake))
    covered = (d <= radii(real, far)[None]).any(0).mean()
    return precision, recall, density, covered


def score(p):
    return np.exp((p * np.log(p / p.mean(0))).sum(1).mean())


a, b = rows(60, 5, 1.3, 0.0), rows(50, 5, 0.9, 0.6)
show("frechet", frechet(a, b))
show("discrepancy", discrepancy(a[:50], b))
show("coverage", *coverage(a, b))
logits = 3 * rows(40, 4, 1.1, 0.0)
p = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
show("score", score(p))
counts = np.array([[(7 * i * i + 3 * j * j + 5 * i * j) % 23 for j in range(6)] for i in range(6)])
pairs = linear_sum_assignment(-counts)
show("assignment", counts[pairs].sum() / counts.sum())
