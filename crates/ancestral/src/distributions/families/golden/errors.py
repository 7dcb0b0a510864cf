"""Compares fits by the program with the truth at ten million rows, and standard errors with a bootstrap.

    pip install numpy scipy
    python errors.py many [PROGRAM]         # every family at 10^7 rows: estimates less the truth, in standard errors
    python errors.py bootstrap [PROGRAM]    # standard errors beside those of 1,000 samples drawn from 2,500 rows

PROGRAM is `ancestral`, by default of target/release. FAMILIES in the environment sets the families.
"""

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from scipy import stats

ROOT = Path(__file__).resolve().parents[6]
# Name: scipy's distribution, and the truth in the order of our parameters.
FAMILIES = {
    "normal": (stats.norm(3, 2), (3, 2)), "exponential": (stats.expon(0, 2), (2,)),
    "uniform": (stats.uniform(1, 2), (1, 3)), "laplace": (stats.laplace(1, 2), (1, 2)),
    "rayleigh": (stats.rayleigh(0, 2), (2,)), "half-normal": (stats.halfnorm(0, 2), (2,)),
    "gamma": (stats.gamma(2.5, 0, 3), (2.5, 3)), "beta": (stats.beta(2, 3), (2, 3)),
    "weibull": (stats.weibull_min(1.7, 0, 3), (1.7, 3)), "gumbel": (stats.gumbel_r(1, 2), (1, 2)),
    "pareto": (stats.pareto(2.5, 0, 3), (2.5, 3)), "log-normal": (stats.lognorm(0.8, 0, 3), (np.log(3), 0.8)),
    "logistic-distribution": (stats.logistic(1, 2), (1, 2)),
    "inverse-gaussian": (stats.invgauss(0.7, 0, 3), (2.1, 3)),
    "von-mises": (stats.vonmises(2.5, 0.5), (0.5, 2.5)), "student-t": (stats.t(4, 1, 2), (4, 1, 2)),
    "inverse-gamma": (stats.invgamma(2.5, 0, 3), (2.5, 3)), "cauchy": (stats.cauchy(1, 2), (1, 2)),
    "skew-normal": (stats.skewnorm(3, 1, 2), (3, 1, 2)), "chi-squared": (stats.chi2(3), (3,)),
    "log-logistic": (stats.fisk(2.5, 0, 3), (2.5, 3)), "gev": (stats.genextreme(-0.2, 1, 2), (0.2, 1, 2)),
    "gpd": (stats.genpareto(0.2, 0, 3), (0.2, 3)), "poisson": (stats.poisson(4), (4,)),
    "geometric": (stats.geom(0.3), (0.3,)),
    "negative-binomial": (stats.nbinom(2.5, 0.3), (2.5, 2.5 * 0.7 / 0.3)),
    "zero-inflated-poisson": (stats.poisson(4), (0.3, 4)),
}


def draw(name, rows, rng):
    x = FAMILIES[name][0].rvs(rows, random_state=rng).astype(float)
    if name == "zero-inflated-poisson":
        x[rng.random(rows) < 0.3] = 0
    return x


def fit(program, name, x, folder):
    np.save(folder / "x.npy", x[:, None])
    command = [program, "fit", name, "--data", "x.npy", "--all-train", "--json", "--out", "run"]
    out = subprocess.run(command, cwd=folder, capture_output=True, check=True, text=True).stdout
    subprocess.run(["rm", "-rf", folder / "run"], check=True)
    return json.loads(out)["estimates"]


def many(program, name, rng, folder):
    found = fit(program, name, draw(name, 10_000_000, rng), folder)
    for e, truth in zip(found, FAMILIES[name][1]):
        apart = e["value"] - truth
        error = f"{e['stderr']:.3g}, {apart / e['stderr']:+.2f} of it" if e["stderr"] else "none"
        print(f"{name} {e['name']}: {e['value']:.10g}, {apart:+.2g} from the truth; standard error {error}", flush=True)


def bootstrap(program, name, rng, folder):
    # More than 2,000 rows, so that there are no p-values.
    x = draw(name, 2500, rng)
    ours = fit(program, name, x, folder)
    values = [[e["value"] for e in fit(program, name, rng.choice(x, len(x)), folder)] for _ in range(1000)]
    for e, column in zip(ours, np.array(values, dtype=float).T):
        if e["stderr"]:
            print(f"{name} {e['name']}: {e['stderr']:.4g}, bootstrap {column.std(ddof=1):.4g}", flush=True)


def main():
    work = {"many": many, "bootstrap": bootstrap}[sys.argv[1]]
    program = Path(sys.argv[2] if len(sys.argv) > 2 else ROOT / "target/release/ancestral").resolve()
    for i, name in enumerate(FAMILIES):
        if name in os.environ.get("FAMILIES", name).split(","):
            with tempfile.TemporaryDirectory() as folder:
                work(str(program), name, np.random.default_rng(26 + i), Path(folder))


main()
