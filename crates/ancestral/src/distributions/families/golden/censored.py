"""Prints censored.tsv: fits of censored rows by scipy 1.17, refined with its own log-likelihood.

    python censored.py > censored.tsv

Row i of 40 (those of maxima.py) is known to an interval of a width if i % 4 is 1, above it if 2, below it
if 3. A line is family, shape of the data, width, log-likelihood, parameters.
"""

import numpy as np
from scipy import optimize, stats

import maxima

CASES = [
    ("normal", stats.norm, "logistic", lambda t: (t[0], np.exp(t[1])), [0.0, 0.5]),
    ("gamma", stats.gamma, "exponential", lambda t: (np.exp(t[0]), 0, np.exp(t[1])), [0.0, 0.0]),
    ("weibull", stats.weibull_min, "exponential", lambda t: (np.exp(t[0]), 0, np.exp(t[1])), [0.0, 0.0]),
    ("log-normal", stats.lognorm, "heavy", lambda t: (np.exp(t[1]), 0, np.exp(t[0])), [0.0, 0.0]),
    ("beta", stats.beta, "uniform", lambda t: (np.exp(t[0]), np.exp(t[1]), 0, 1), [0.0, 0.0]),
    ("logistic", stats.logistic, "cauchy", lambda t: (t[0], np.exp(t[1])), [0.0, 0.5]),
    ("gumbel", stats.gumbel_r, "logistic", lambda t: (t[0], np.exp(t[1])), [0.0, 0.5]),
    ("log-logistic", stats.fisk, "heavy", lambda t: (np.exp(t[0]), 0, np.exp(t[1])), [0.0, 0.0]),
    ("inverse-gaussian", stats.invgauss, "exponential", lambda t: (np.exp(t[0] - t[1]), 0, np.exp(t[1])), [0.0, 0.0]),
]


def main():
    for name, peer, shape, theta, start in CASES:
        x = maxima.rows(40, shape, 1.0, 0.0)
        for width in (0.01, 0.2):
            kind = np.arange(40) % 4
            top = np.minimum(x + width, 0.999) if name == "beta" else x + width
            data = stats.CensoredData(
                uncensored=x[kind == 0], interval=np.stack([x, top], 1)[kind == 1], right=x[kind == 2], left=x[kind == 3]
            )
            loss = lambda t: peer._penalized_nnlf(theta(t), data)
            best = optimize.minimize(loss, start, method="BFGS", options={"gtol": 1e-9})
            best = optimize.minimize(loss, best.x, method="Nelder-Mead", options={"xatol": 1e-11, "fatol": 1e-13, "maxiter": 4000})
            shown = best.x if name in ("normal", "logistic", "gumbel") else np.exp(best.x)
            if name == "log-normal":
                shown = [best.x[0], np.exp(best.x[1])]
            elif name in ("normal", "logistic", "gumbel"):
                shown = [best.x[0], np.exp(best.x[1])]
            print("\t".join([name, shape, str(width), repr(float(-best.fun)), *(repr(float(v)) for v in shown)]))


main()
