"""Prints peers.tsv: the log-likelihoods that scipy 1.17's fit reaches.

    python peers.py [CASES [FAMILY]] > peers.tsv

A line is family, rows, shape of the data, factor, offset, first row, log-likelihood; CASES of them a
family (default 10), of all or of one. Cases where scipy ends with an infinite or impossible point are left
out, and extreme values whose upper end is free to make the likelihood infinite (a shape ξ of −1 or below) or
whose scale goes to 0 at the smallest of n rows (ξ of n − 1 or above).
Data are those of maxima.py, from a first row on.
"""

import sys
import warnings

import numpy as np
from scipy import stats

import maxima

warnings.filterwarnings("ignore")

POSITIVE = ["uniform", "exponential", "heavy", "skewed"]
ANY = ["uniform", "exponential", "heavy", "logistic", "cauchy", "cubed"]
# Name: scipy's distribution, whether the location stays at 0, shapes of data.
PEERS = {
    "normal": (stats.norm, False, ANY), "exponential": (stats.expon, True, POSITIVE),
    "gamma": (stats.gamma, True, POSITIVE), "weibull": (stats.weibull_min, True, POSITIVE),
    "log-normal": (stats.lognorm, True, POSITIVE), "inverse-gamma": (stats.invgamma, True, POSITIVE),
    "beta": (stats.beta, "unit", ["uniform", "skewed"]), "student-t": (stats.t, False, ANY),
    "logistic": (stats.logistic, False, ANY), "log-logistic": (stats.fisk, True, POSITIVE),
    "cauchy": (stats.cauchy, False, ANY), "gumbel": (stats.gumbel_r, False, ANY),
    "laplace": (stats.laplace, False, ANY), "half-normal": (stats.halfnorm, True, POSITIVE),
    "rayleigh": (stats.rayleigh, True, POSITIVE), "chi-squared": (stats.chi2, "standard", POSITIVE),
    "inverse-gaussian": (stats.invgauss, True, POSITIVE), "pareto": (stats.pareto, True, POSITIVE),
    "uniform": (stats.uniform, False, ANY), "skew-normal": (stats.skewnorm, False, ANY),
    "gev": (stats.genextreme, False, ANY), "gpd": (stats.genpareto, True, POSITIVE),
    "von-mises": (stats.vonmises, "circle", ["uniform", "logistic"]),
}


def main():
    cases = int(sys.argv[1]) if len(sys.argv) > 1 else 10
    rng = np.random.default_rng(26)
    for name, (peer, location, shapes) in PEERS.items():
        if name not in sys.argv[2:3] and len(sys.argv) > 2:
            continue
        for _ in range(cases):
            shape = str(rng.choice(shapes))
            n = int(rng.integers(4, 200))
            first = int(rng.integers(0, 100000))
            factor = 1.0 if location in ("unit", "circle") else float(f"{10 ** rng.uniform(-6, 6):.3g}")
            if location == "standard":
                factor = float(f"{10 ** rng.uniform(-1, 1):.3g}")
            offset = float(f"{rng.normal() * factor:.3g}") if location in (False, "circle") else 0.0
            x = maxima.rows(n + first, shape, factor, offset)[first:]
            fixed = {True: {"floc": 0}, False: {}, "unit": {"floc": 0, "fscale": 1}, "standard": {"floc": 0, "fscale": 1}, "circle": {"fscale": 1}}[location]
            try:
                found = peer.fit(x, **fixed)
                value = peer.logpdf(x, *found).sum()
            except Exception:
                continue
            if name == "gev" and not -(n - 1) < found[0] < 1 or name == "gpd" and found[0] <= -1:
                continue
            if np.isfinite(value):
                print("\t".join([name, str(n), shape, repr(factor), repr(offset), str(first), repr(float(value))]), flush=True)


main()
