"""The values of `importance.rs`: pip install "arviz<0.20"; python pareto.py

k-hat of ArviZ and jackknife errors in double precision of log-weights that the test forms in the same way.
"""

import numpy as np
from arviz import psislw


def log_weights(k, spread):
    """Values of a fixed sequence, whose tail is the heavier the larger the spread is."""
    at = (np.arange(k) * 0.6180339887498949 + 0.25) % 1.0
    return -spread * np.log1p(-at)


for k, spread in [(25, 0.5), (100, 0.3), (100, 0.9), (1000, 0.7), (1000, 1.5), (5000, 0.1)]:
    logs = log_weights(k, spread)
    shape = psislw(logs.copy())[1]
    weights = np.exp(logs)
    without = np.array([np.log(np.delete(weights, i).mean()) for i in range(k)])
    error = np.sqrt((k - 1) / k * ((without - without.mean()) ** 2).sum())
    size = weights.sum() ** 2 / (weights**2).sum()
    print(f"        ({k}, {spread}, {float(shape)!r}, {float(error)!r}, {float(size)!r}),")
