"""Times classifiers and regressions against scikit-learn, in alternating rounds.

    pip install scikit-learn
    python peer_supervised.py [CASE ...] [--bench BENCH] [--pairs N]

Cases: logistic (100,000 x 50, 3 classes, the same penalty and tolerance, scikit-learn's quickest solver), linear
(1,000,000 x 50), naive-bayes and qda (100,000 x 50, 3 classes: fitting, then the probabilities of all rows).
Prints seconds of wall time on both sides and the median of the ratios theirs / ours with their quartiles. BENCH
is `ancestral-bench`, by default that of target/release. Both have two threads; rows are in memory on both sides.
Ours computes standard errors, too.
"""

import argparse
import os
import statistics
import subprocess
import tempfile
import time
import warnings
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "2")
os.environ.setdefault("OPENBLAS_NUM_THREADS", "2")

import numpy as np  # noqa: E402  after the number of threads
from sklearn.discriminant_analysis import QuadraticDiscriminantAnalysis  # noqa: E402
from sklearn.linear_model import LinearRegression, LogisticRegression  # noqa: E402
from sklearn.naive_bayes import GaussianNB  # noqa: E402

HERE = Path(__file__).resolve().parent
TOLERANCE, PENALTY = 1e-4, 1.0


def classes(n=100_000, columns=50):
    rng = np.random.default_rng(0)
    labels = rng.integers(0, 3, n)
    mixing = rng.normal(size=(columns, columns)) / columns**0.5
    rows = rng.normal(size=(n, columns)) @ (np.eye(columns) + 0.5 * mixing)
    rows += 0.4 * rng.normal(size=(3, columns))[labels]
    rows = (rows - rows.mean(0)) / rows.std(0)
    return rows, labels


def regression(n=1_000_000, columns=50):
    rng = np.random.default_rng(1)
    rows = rng.normal(size=(n, columns))
    return rows, rows @ rng.normal(size=columns) + rng.normal(size=n)


def timed(call):
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


def solver(rows, labels):
    """The quickest solver of logistic regression that converges."""
    found = []
    for name in ["lbfgs", "newton-cg", "newton-cholesky", "sag", "saga"]:
        model = LogisticRegression(C=1 / PENALTY, tol=TOLERANCE, solver=name, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            try:
                found.append((min(timed(lambda: model.fit(rows, labels))[0] for _ in range(2)), name))
            except (ValueError, UserWarning) as error:
                print(f"  {name}: {error}")
    print("  solvers: " + ", ".join(f"{name} {1e3 * seconds:.0f} ms" for seconds, name in sorted(found)), flush=True)
    return min(found)[1]


class Ours:
    """Our bench, a process that fits on request."""

    def __init__(self, program, data, model, settings, columns):
        command = [program, "--supervised", data, "--model", model, "--settings", settings, "--columns", str(columns)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.round()

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        fitted, classified, _ = self.process.stdout.readline().split()
        return float(fitted), float(classified)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def report(what, pairs):
    ratios = [theirs / ours for ours, theirs in pairs]
    low, ratio, high = statistics.quantiles(ratios, n=4) if len(pairs) > 1 else 3 * ratios
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    times = f"ours {1e3 * ours:.1f} ms, theirs {1e3 * theirs:.1f} ms"
    print(f"{what}: {ratio:.2f}x [{low:.2f}, {high:.2f}]; {times}", flush=True)


def case(name, program, pairs):
    rows, target = regression() if name == "linear" else classes()
    with tempfile.TemporaryDirectory() as folder:
        data = os.path.join(folder, "rows.data")
        whole = np.column_stack([rows, target]) if name == "linear" else rows
        whole.tofile(data)
        if name != "linear":
            target.astype(np.uint8).tofile(os.path.join(folder, "rows.labels"))
        settings = {"logistic": f"penalty = {PENALTY}\nstandardize = false\ntolerance = {TOLERANCE}"}.get(name, "")
        ours = Ours(program, data, name, settings, whole.shape[1])
        del whole
        chosen = solver(rows, target) if name == "logistic" else None
        theirs = {
            "logistic": lambda: LogisticRegression(C=1 / PENALTY, tol=TOLERANCE, solver=chosen, max_iter=1000),
            "linear": LinearRegression,
            "naive-bayes": GaussianNB,
            "qda": QuadraticDiscriminantAnalysis,
        }[name]
        fits, answers = [], []
        for round in range(pairs + 1):
            fitted, classified = ours.round()
            time.sleep(0.1)
            seconds, model = timed(lambda: theirs().fit(rows, target))
            answered = timed(lambda: model.predict_proba(rows))[0] if name != "linear" else 0.0
            time.sleep(0.1)
            # The first round is a warm-up.
            if round > 0:
                fits.append((fitted, seconds))
                answers.append((classified, answered))
        ours.end()
    report(f"{name}, fit" + (f" ({chosen})" if chosen else ""), fits)
    if name != "linear":
        report(f"{name}, probabilities", answers)
        both = [(a + c, b + d) for (a, b), (c, d) in zip(fits, answers)]
        report(f"{name}, both", both)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("cases", nargs="*", default=[])
    parser.add_argument("--bench", default=str(HERE.parent / "target/release/ancestral-bench"))
    parser.add_argument("--pairs", type=int, default=15)
    args = parser.parse_args()
    for name in args.cases or ["logistic", "linear", "naive-bayes", "qda"]:
        case(name, args.bench, args.pairs)


if __name__ == "__main__":
    main()
