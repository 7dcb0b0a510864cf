"""Times fits of distributions against scipy, fitter and scikit-learn, in alternating rounds.

    pip install scipy fitter scikit-learn
    python peer_distributions.py families [BENCH]    # each family against scipy's fit, the same things fixed
    python peer_distributions.py counts [BENCH]      # families of counts against scipy.stats.fit
    python peer_distributions.py auto [PROGRAM]      # `fit auto` of 100,000 values against the sum of scipy's fits
    python peer_distributions.py fitter [PROGRAM]    # the same against fitter, on the families that both have
    python peer_distributions.py mixture [BENCH]     # 100,000 x 10, 8 components, against GaussianMixture
    python peer_distributions.py kernel [BENCH]      # 100,000 rows and queries, 1-D and 2-D, against KernelDensity

A line has the median of the ratios theirs / ours with their quartiles, the median times, and how much higher
(or lower) our log-likelihood is. Fits in memory are of 10,000 rows, repeated within a round until both sides
take 20 ms (ROWS in the environment sets another number). BENCH is `ancestral-bench`, PROGRAM is `ancestral`; by default those of target/release. PAIRS in the
environment sets the number of pairs (15), FAMILIES the families.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
from scipy import stats

warnings.filterwarnings("ignore")
PAIRS = int(os.environ.get("PAIRS", 15))
HERE = Path(__file__).resolve().parent
ROWS = int(os.environ.get("ROWS", 10_000))
AT_ZERO = {"floc": 0}
STANDARD = {"floc": 0, "fscale": 1}
# Name: scipy's distribution with the parameters of the data, and what is fixed.
FAMILIES = {
    "normal": (stats.norm(3, 2), {}), "exponential": (stats.expon(0, 2), AT_ZERO),
    "uniform": (stats.uniform(1, 2), {}), "laplace": (stats.laplace(1, 2), {}),
    "rayleigh": (stats.rayleigh(0, 2), AT_ZERO), "half-normal": (stats.halfnorm(0, 2), AT_ZERO),
    "gamma": (stats.gamma(2.5, 0, 3), AT_ZERO), "beta": (stats.beta(2, 3), STANDARD),
    "weibull": (stats.weibull_min(1.7, 0, 3), AT_ZERO), "gumbel": (stats.gumbel_r(1, 2), {}),
    "pareto": (stats.pareto(2.5, 0, 3), AT_ZERO), "log-normal": (stats.lognorm(0.8, 0, 3), AT_ZERO),
    "logistic": (stats.logistic(1, 2), {}), "inverse-gaussian": (stats.invgauss(0.7, 0, 3), AT_ZERO),
    "von-mises": (stats.vonmises(2.5, 0.5), {"fscale": 1}), "student-t": (stats.t(4, 1, 2), {}),
    "inverse-gamma": (stats.invgamma(2.5, 0, 3), AT_ZERO), "cauchy": (stats.cauchy(1, 2), {}),
    "skew-normal": (stats.skewnorm(3, 1, 2), {}), "chi-squared": (stats.chi2(3), STANDARD),
    "log-logistic": (stats.fisk(2.5, 0, 3), AT_ZERO), "gev": (stats.genextreme(-0.2, 1, 2), {}),
    "gpd": (stats.genpareto(0.2, 0, 3), AT_ZERO),
}
# scipy's distribution of counts, how they are drawn, and the bounds of its fit.
COUNTS = {
    "poisson": (stats.poisson(4), {"mu": (0, 100)}),
    "geometric": (stats.geom(0.3), {"p": (0, 1)}),
    "negative-binomial": (stats.nbinom(2.5, 0.3), {"n": (0, 100), "p": (0, 1)}),
}


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def report(what, pairs, more=""):
    ratios = [theirs / ours for ours, theirs in pairs]
    low, ratio, high = statistics.quantiles(ratios, n=4) if len(pairs) > 1 else 3 * ratios
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    times = f"ours {1e3 * ours:.3g} ms, theirs {1e3 * theirs:.4g} ms, {len(pairs)} pairs"
    print(f"{what}: {ratio:.3g}x [{low:.3g}, {high:.3g}]; {times}{more}", flush=True)
    return ratio


class Ours:
    """Our bench, a process that answers requests."""

    def __init__(self, program):
        command = [program, "--distributions", "--threads", "2"]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def ask(self, *words):
        self.process.stdin.write(" ".join(str(w) for w in words) + "\n")
        self.process.stdin.flush()
        return [float(x) for x in self.process.stdout.readline().split()]


def repeats(seconds):
    return max(1, int(0.02 / max(seconds, 1e-9)))


def overridden(peer):
    """Whether scipy has a fit of its own for this family; that of skewnorm chooses a start alone."""
    return type(peer).fit is not stats.rv_continuous.fit and peer.name != "skewnorm"


def one_family(ours, name, x, their_fit, their_value, folder, bar):
    path = str(Path(folder) / "rows")
    x.tofile(path)
    seconds, value = ours.ask("fit", name, path, 1)
    many = repeats(seconds)
    theirs, found = timed(their_fit)
    their_many = repeats(theirs)

    def their_round():
        for _ in range(their_many):
            their_fit()

    pairs = [
        (ours.ask("fit", name, path, many)[0], timed(their_round)[0] / their_many) for _ in range(PAIRS)
    ]
    gap = value - their_value(found)
    ratio = report(name, pairs, f"; log-likelihood {gap:+.2e}; bar {bar}x")
    return "" if ratio >= bar else name


def families(program):
    ours, rng, missed = Ours(program), np.random.default_rng(26), []
    with tempfile.TemporaryDirectory() as folder:
        for name, (frozen, fixed) in FAMILIES.items():
            if name not in os.environ.get("FAMILIES", name).split(","):
                continue
            peer, x = frozen.dist, frozen.rvs(ROWS, random_state=rng)
            bar = 1 if overridden(peer) else 30
            fit = lambda: peer.fit(x, **fixed)
            missed.append(one_family(ours, name, x, fit, lambda p: peer.logpdf(x, *p).sum(), folder, bar))
    print("missed:", " ".join(filter(None, missed)) or "none")


def counts(program):
    ours, rng = Ours(program), np.random.default_rng(27)
    with tempfile.TemporaryDirectory() as folder:
        for name, (frozen, bounds) in COUNTS.items():
            peer, x = frozen.dist, frozen.rvs(ROWS, random_state=rng).astype(float)
            fit = lambda: stats.fit(peer, x, bounds)
            one_family(ours, name, x, fit, lambda p: -p.nllf(), folder, 50)


def table(folder, rng):
    """100,000 positive values."""
    x = stats.gamma(2.5, 0, 3).rvs(100_000, random_state=rng)
    path = Path(folder) / "values.csv"
    path.write_text("x\n" + "\n".join(repr(float(v)) for v in x) + "\n")
    return x, path


def auto_command(program, path):
    import json

    def run():
        done = subprocess.run([program, "fit", "auto", "--data", path, "--all-train", "--json"], capture_output=True, check=True, cwd=path.parent)
        return json.loads(done.stdout)

    return run


def auto(program):
    rng = np.random.default_rng(28)
    with tempfile.TemporaryDirectory() as folder:
        x, path = table(folder, rng)
        run = auto_command(program, path)
        fits = {f["family"].replace("logistic-distribution", "logistic"): f["log_likelihood"] for f in run()["columns"][0]["densities"]}
        # With the scale fixed, scipy's angles are of another circle; ours are refused beyond it.
        names = [n for n in FAMILIES if n in fits]

        def theirs():
            return {n: FAMILIES[n][0].dist.fit(x, **FAMILIES[n][1]) for n in names}

        pairs = [(timed(run)[0], timed(theirs)[0]) for _ in range(PAIRS)]
        found = theirs()
        gaps = {n: fits[n] - FAMILIES[n][0].dist.logpdf(x, *found[n]).sum() for n in names}
        low = {n: f"{g:.2e}" for n, g in gaps.items() if g < -1e-6 * abs(fits[n])}
        report(f"auto, {len(names)} families", pairs, f"; lower than scipy: {low or 'none'}; bar 20x")
        print("  families:", " ".join(names), flush=True)


def fitter(program):
    from fitter import Fitter

    rng = np.random.default_rng(28)
    with tempfile.TemporaryDirectory() as folder:
        x, path = table(folder, rng)
        run = auto_command(program, path)
        names = {f["family"] for f in run()["columns"][0]["densities"]}
        names = [FAMILIES[n][0].dist.name for n in FAMILIES if n in names or f"{n}-distribution" in names]

        def theirs():
            Fitter(x, distributions=names, timeout=600).fit(progress=False)

        pairs = [(timed(run)[0], timed(theirs)[0]) for _ in range(PAIRS)]
        report(f"auto against fitter, {len(names)} families", pairs, "; bar 5x")


def mixture(program):
    from sklearn.mixture import GaussianMixture

    ours, rng = Ours(program), np.random.default_rng(29)
    rows, columns, components, steps = 100_000, 10, 8, 20
    centers = rng.normal(size=(components, columns)) * 2
    mixing = rng.normal(size=(components, columns, columns)) / 3
    which = rng.integers(components, size=rows)
    x = centers[which] + np.einsum("nij,nj->ni", mixing[which], rng.normal(size=(rows, columns)))
    weights, means = np.full(components, 1 / components), x[rng.choice(rows, components, replace=False)]
    factor = np.diag(x.std(axis=0))
    precision = np.linalg.inv(factor @ factor.T)
    with tempfile.TemporaryDirectory() as folder:
        data, start = str(Path(folder) / "rows"), str(Path(folder) / "start")
        x.tofile(data)
        np.concatenate([weights, means.ravel(), np.tile(factor.ravel(), components)]).tofile(start)

        def theirs():
            model = GaussianMixture(
                components, max_iter=steps, tol=0, weights_init=weights, means_init=means,
                precisions_init=np.tile(precision, (components, 1, 1)),
            )
            return model.fit(x)

        fitted = theirs()
        pairs, value = [], 0.0
        for _ in range(PAIRS):
            seconds, value = ours.ask("mixture", data, columns, start, components, steps)
            pairs.append((seconds, timed(theirs)[0]))
        gap = value - fitted.lower_bound_
        report(f"mixture, {steps} steps", pairs, f"; mean log-likelihood {gap:+.2e}; bar 3x, aim 6x")


def kernel(program):
    from sklearn.neighbors import KernelDensity

    ours, rng, error = Ours(program), np.random.default_rng(30), 1e-4
    for columns in (1, 2):
        n = 100_000
        half = rng.normal(size=(n // 2, columns))
        x = np.concatenate([half, 4 + 0.5 * rng.normal(size=(n // 2, columns))])
        queries = x[rng.permutation(n)] + 0.1 * rng.normal(size=(n, columns))
        width = float(np.sqrt(np.var(x, axis=0).mean()) * n ** (-1 / (columns + 4)))
        with tempfile.TemporaryDirectory() as folder:
            data, asked, out = (str(Path(folder) / f) for f in ("rows", "queries", "out"))
            x.tofile(data)
            queries.tofile(asked)

            def theirs():
                # The quickest of leaves of 10 to 100,000 rows, of both trees, breadth or depth first.
                return KernelDensity(bandwidth=width, rtol=error, leaf_size=500).fit(x).score_samples(queries)

            pairs = []
            for _ in range(PAIRS):
                seconds, _ = ours.ask("kernel", data, columns, width, error, asked, out)
                took, found = timed(theirs)
                pairs.append((seconds, took))
            some = rng.choice(n, 200, replace=False)
            squares = ((queries[some, None, :] - x[None]) ** 2).sum(axis=2) / width**2
            exact = np.log(np.exp(-squares / 2).mean(axis=1)) - columns * np.log(width * np.sqrt(2 * np.pi))
            off = [np.abs(np.expm1(side[some] - exact)).max() for side in (np.fromfile(out), found)]
            report(f"kernel density, {columns}-D", pairs, f"; relative errors ours {off[0]:.1e}, theirs {off[1]:.1e}; bar 5x")


if __name__ == "__main__":
    mode = sys.argv[1]
    own = "ancestral" if mode in ("auto", "fitter") else "ancestral-bench"
    globals()[mode](sys.argv[2] if len(sys.argv) > 2 else str(HERE.parent / "target" / "release" / own))
