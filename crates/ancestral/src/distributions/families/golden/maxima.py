"""Prints maxima.tsv: maxima of likelihoods by Newton's method in mpmath with 50 digits, from scipy's fit.

    python maxima.py [FAMILY ...] > maxima.tsv

A line is family, rows, shape of the data, factor, offset, log-likelihood, and for each parameter its
value and its standard error by the observed information. Row i of n is factor · g(u) + offset with
u = frac((i + 1) · 0.6180339887498949), the same doubles as tests/maxima.rs makes.
"""

import math
import sys
import warnings

import numpy as np
from mpmath import mp, mpf
from scipy import stats

import families

mp.dps = 50
warnings.filterwarnings("ignore")

SHAPES = {
    "uniform": lambda u: u,
    "exponential": lambda u: -math.log(u),
    "heavy": lambda u: (1 / u - 1) / u,
    "logistic": lambda u: math.log(u / (1 - u)),
    "cauchy": lambda u: (u - 0.5) / (u * (1 - u)),
    "cubed": lambda u: (2 * u - 1) ** 3,
    "skewed": lambda u: u * u * u,
    "counts": lambda u: math.floor(-3 * math.log(u) + 2 * u),
    "rare": lambda u: math.floor(0.3 / u),
}


def rows(n, shape, factor, offset):
    out = []
    for i in range(n):
        v = (i + 1) * 0.6180339887498949
        out.append(factor * SHAPES[shape](v - math.floor(v)) + offset)
    return np.array(out)


# Coordinates: l a logarithm, r the number itself, d a unit interval.
COORDINATES = {
    "normal": "rl", "exponential": "l", "gamma": "ll", "beta": "ll", "weibull": "ll", "log-normal": "rl",
    "poisson": "l", "negative-binomial": "ll", "student-t": "lrl", "inverse-gamma": "ll", "laplace": "rl",
    "logistic": "rl", "log-logistic": "ll", "cauchy": "rl", "gumbel": "rl", "gev": "rrl", "gpd": "rl",
    "pareto": "ll", "rayleigh": "l", "half-normal": "l", "inverse-gaussian": "ll", "von-mises": "rl",
    "chi-squared": "l", "geometric": "d", "skew-normal": "rrl", "zero-inflated-poisson": "dl",
}

STARTS = {
    "normal": lambda x: stats.norm.fit(x),
    "exponential": lambda x: (x.mean(),),
    "gamma": lambda x: swap(stats.gamma.fit(x / x.mean(), floc=0), x.mean()),
    "beta": lambda x: moments_beta(x),
    "weibull": lambda x: swap(stats.weibull_min.fit(x / x.mean(), floc=0), x.mean()),
    "log-normal": lambda x: (np.log(x).mean(), np.log(x).std()),
    "poisson": lambda x: (x.mean(),),
    "negative-binomial": lambda x: (x.mean() ** 2 / (x.var() - x.mean()), x.mean()),
    "student-t": lambda x: back(x, stats.t.fit(inward(x))),
    "inverse-gamma": lambda x: swap(stats.invgamma.fit(x / np.median(x), floc=0), np.median(x)),
    "logistic": lambda x: back(x, stats.logistic.fit(inward(x))),
    "log-logistic": lambda x: swap(stats.fisk.fit(x / np.median(x), floc=0), np.median(x)),
    "cauchy": lambda x: back(x, stats.cauchy.fit(inward(x))),
    "gumbel": lambda x: back(x, stats.gumbel_r.fit(inward(x))),
    "rayleigh": lambda x: (math.sqrt((x * x).mean() / 2),),
    "half-normal": lambda x: (math.sqrt((x * x).mean()),),
    "inverse-gaussian": lambda x: (x.mean(), 1 / (1 / x - 1 / x.mean()).mean()),
    "gev": lambda x: flip(back(x, stats.genextreme.fit(inward(x)))),
    "gpd": lambda x: (lambda f: (f[0], f[2] * x.mean()))(stats.genpareto.fit(x / x.mean(), floc=0)),
    "von-mises": lambda x: (lambda f: (f[1], f[0]))(stats.vonmises.fit(x, fscale=1)),
    "chi-squared": lambda x: (x.mean(),),
    "geometric": lambda x: (1 / x.mean(),),
    "skew-normal": lambda x: back(x, stats.skewnorm.fit(inward(x))),
    "zero-inflated-poisson": lambda x: (0.3, x.mean() * 1.4),
}


def swap(f, unit):
    return f[0], f[2] * unit


def inward(x):
    return (x - np.median(x)) / (np.percentile(x, 75) - np.percentile(x, 25))


def back(x, f):
    unit = np.percentile(x, 75) - np.percentile(x, 25)
    return (*f[:-2], np.median(x) + unit * f[-2], unit * f[-1])


def flip(f):
    return (-f[0], *f[1:])


def moments_beta(x):
    m, v = x.mean(), x.var()
    t = m * (1 - m) / v - 1
    return m * t, (1 - m) * t


def outward(kind, u):
    return mp.exp(u) if kind == "l" else 1 / (1 + mp.exp(-u)) if kind == "d" else u


def maximum(name, x):
    """Newton's method, halving steps, to a gradient of 1e-25."""
    family = getattr(families, name.replace("-", "_"))
    kinds = COORDINATES[name]
    data = [mpf(float(v)) for v in x]
    value = lambda u: mp.fsum(family.log_density(v, *(outward(k, c) for k, c in zip(kinds, u))) for v in data)
    u = []
    for kind, start in zip(kinds, STARTS[name](x)):
        start = mpf(float(start))
        u.append(mp.log(start) if kind == "l" else mp.log(start / (1 - start)) if kind == "d" else start)
    # Locations are searched in units of their scale.
    unit = [mpf(1) if k != "r" or name in ("gev", "gpd", "skew-normal") and i == 0 else
            (mp.exp(u[-1]) if kinds[-1] == "l" and name not in ("von-mises", "log-normal") else mpf(1)) for i, k in enumerate(kinds)]
    n = len(u)
    h = mpf(10) ** -14
    move = lambda *s: [c + sum(k * unit[i] for j, k in s if j == i) for i, c in enumerate(u)]
    for step in range(100):
        here = value(u)
        g = mp.matrix(n, 1)
        H = mp.matrix(n, n)
        for i in range(n):
            up, down = value(move((i, h))), value(move((i, -h)))
            g[i] = (up - down) / (2 * h)
            H[i, i] = (up + down - 2 * here) / h**2
            for j in range(i):
                H[i, j] = H[j, i] = (value(move((i, h), (j, h))) - value(move((i, h), (j, -h))) - value(move((i, -h), (j, h))) + value(move((i, -h), (j, -h)))) / (4 * h * h)
        if max(abs(v) for v in g) < mpf(10) ** -18 * max(1, abs(here)):
            break
        information, shift = -H, mpf(0)
        while True:
            try:
                mp.cholesky(information + shift * mp.eye(n))
                break
            except ValueError:
                shift = max(2 * shift, mpf(1) / 100)
        d = mp.lu_solve(information + shift * mp.eye(n), g)
        share = mpf(1)
        while True:
            try:
                if mp.re(value(move(*((i, share * d[i]) for i in range(n))))) > here:
                    break
            except (ValueError, ZeroDivisionError):
                pass
            share /= 2
            if share < 1e-30:
                raise ArithmeticError(f"{name}: no step, gradient {[mp.nstr(v, 5) for v in g]}")
        u = move(*((i, share * d[i]) for i in range(n)))
    else:
        raise ArithmeticError(f"{name}: not converged")
    covariance = (-H) ** -1
    theta = [outward(k, c) for k, c in zip(kinds, u)]
    slope = [t if k == "l" else t * (1 - t) if k == "d" else 1 for k, t in zip(kinds, theta)]
    errors = [mp.sqrt(covariance[i, i]) * slope[i] * unit[i] for i in range(n)]
    return here, theta, errors


CASES = [
    ("normal", 20, "logistic", 1, 0), ("normal", 20, "cubed", 1e-3, 1e9), ("normal", 3, "uniform", 1e12, -7),
    ("exponential", 20, "heavy", 1e-12, 0), ("exponential", 1, "uniform", 5, 0),
    ("gamma", 20, "exponential", 1, 0), ("gamma", 20, "heavy", 1e-12, 0), ("gamma", 20, "uniform", 1e-5, 1),
    ("gamma", 3, "skewed", 1e9, 0),
    ("beta", 20, "uniform", 1, 0), ("beta", 20, "skewed", 0.999, 1e-9), ("beta", 20, "uniform", 1e-5, 0.3),
    ("beta", 3, "uniform", 1, 0),
    ("weibull", 20, "exponential", 1, 0), ("weibull", 20, "heavy", 1e-12, 0), ("weibull", 20, "uniform", 1e-4, 1),
    ("weibull", 3, "uniform", 1e9, 0),
    ("log-normal", 20, "heavy", 1e-12, 0), ("log-normal", 20, "uniform", 1e-4, 1e9),
    ("poisson", 20, "counts", 1, 0), ("poisson", 20, "counts", 1e6, 0),
    ("negative-binomial", 40, "counts", 1, 0), ("negative-binomial", 40, "rare", 1, 0),
    ("negative-binomial", 40, "counts", 1000, 0),
    ("student-t", 30, "cauchy", 1, 0), ("student-t", 40, "logistic", 1e-12, 1e-9), ("student-t", 30, "cauchy", 1e-3, 1e6),
    ("inverse-gamma", 20, "heavy", 1, 0.1), ("inverse-gamma", 20, "uniform", 1e-9, 1e-12),
    ("logistic", 20, "logistic", 1e6, 1e9), ("logistic", 20, "heavy", 1, 0),
    ("log-logistic", 20, "heavy", 1e-12, 0), ("log-logistic", 20, "uniform", 1, 0),
    ("cauchy", 20, "cauchy", 1, 0), ("cauchy", 21, "uniform", 1e-3, 1e6),
    ("gumbel", 20, "exponential", 1, 0), ("gumbel", 20, "heavy", 1e9, 0), ("gumbel", 20, "uniform", 1e-3, 1e6),
    ("rayleigh", 20, "uniform", 1e-12, 0), ("half-normal", 20, "logistic", 1, 8),
    ("inverse-gaussian", 20, "heavy", 1, 0), ("inverse-gaussian", 20, "uniform", 1e-5, 1),
    ("gev", 40, "heavy", 1, 0), ("gev", 40, "exponential", 1e-9, 1e-3), ("gev", 60, "logistic", 1e6, 0),
    ("gpd", 40, "heavy", 1, 0), ("gpd", 40, "exponential", 1e-9, 0), ("gpd", 40, "skewed", 1, 0),
    ("von-mises", 20, "logistic", 0.3, 1), ("von-mises", 20, "uniform", 1e-3, -3), ("von-mises", 20, "uniform", 6, -3),
    ("chi-squared", 20, "exponential", 4, 0), ("chi-squared", 20, "heavy", 1e-3, 0),
    ("geometric", 20, "counts", 1, 1), ("skew-normal", 50, "exponential", 1, 0), ("skew-normal", 60, "logistic", 1e6, 1e9),
    ("zero-inflated-poisson", 40, "rare", 1, 0),
]


def main():
    wanted = sys.argv[1:]
    for case in CASES:
        name = case[0]
        if wanted and name not in wanted or not hasattr(families, name.replace("-", "_")):
            continue
        x = rows(*case[1:])
        try:
            value, theta, errors = maximum(name, x)
        except Exception as problem:
            print(case, problem, file=sys.stderr)
            continue
        pairs = [mp.nstr(v, 17) for pair in zip(theta, errors) for v in pair]
        print("\t".join([name, *map(str, case[1:]), mp.nstr(value, 17), *pairs]), flush=True)


if __name__ == "__main__":
    main()
