"""Times clusterings by `ancestral` against scikit-learn, hdbscan, MiniSom and others, in alternating rounds.

    pip install scikit-learn scikit-learn-intelex hdbscan fast_hdbscan dbscan minisom xpysom
    python peer_clusters.py DATA [CASE ...] [--bench BENCH] [--pairs N] [--keep FILE] [--peer NAME]

DATA has the folder mnist. Prints for each case and peer the median of the ratios theirs / ours with their
quartiles, seconds of both sides, and the peak memory of both above that with the rows in memory. Values are in
single precision and each side is a process with two threads; a round of ours is followed by one of the peer.
With --keep, pairs are kept in a file, and earlier ones of it are counted, too. BENCH is `ancestral-bench`, by
default that of target/release.
"""

import argparse
import gzip
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
REST = 0.3
THREADS = {"OMP_NUM_THREADS": "2", "OPENBLAS_NUM_THREADS": "2", "MKL_NUM_THREADS": "2", "NUMBA_NUM_THREADS": "2"}

# Settings and peers of each case.
CASES = {
    "kmeans-10": ({"method": "kmeans", "n_clusters": 10}, ["lloyd", "elkan", "intelex"]),
    "kmeans-100": ({"method": "kmeans", "n_clusters": 100}, ["lloyd", "elkan", "intelex"]),
    "dbscan-2": ({"method": "dbscan", "eps": 0.1, "min_samples": 10}, ["sklearn-dbscan", "pypi-dbscan"]),
    "dbscan-64": ({"method": "dbscan", "eps": 6.5, "min_samples": 10}, ["sklearn-dbscan"]),
    "hdbscan-2": ({"method": "hdbscan", "min_cluster_size": 15}, ["hdbscan", "fast-hdbscan", "sklearn-hdbscan"]),
    "hdbscan-10": ({"method": "hdbscan", "min_cluster_size": 15}, ["hdbscan", "fast-hdbscan", "sklearn-hdbscan"]),
    "som-online": ({"method": "som", "side": 30, "training": "online", "updates": 3000}, ["minisom"]),
    "som-batch": ({"method": "som", "side": 30, "training": "batch", "epochs": 2}, ["xpysom"]),
}


def mnist(folder):
    import numpy as np

    with gzip.open(Path(folder, "mnist/train-images-idx3-ubyte.gz")) as file:
        values = np.frombuffer(file.read(), np.uint8, offset=16)
    return values.reshape(-1, 784).astype(np.float32) / 255


def blobs(rows, columns, clusters, spread, seed=0):
    """Clusters of different spread and size, and a tenth of uniform noise."""
    import numpy as np

    draw = np.random.default_rng(seed)
    centers = draw.uniform(-10, 10, (clusters, columns))
    sizes = draw.dirichlet(np.full(clusters, 5.0))
    of = draw.choice(clusters, rows, p=sizes)
    scale = spread * draw.uniform(0.5, 1.5, clusters)
    values = centers[of] + scale[of, None] * draw.normal(size=(rows, columns))
    noise = draw.random(rows) < 0.1
    values[noise] = draw.uniform(-11, 11, (noise.sum(), columns))
    return values.astype(np.float32)


def make(case, data, folder):
    """The rows and further inputs of a case as files, and its settings."""
    import numpy as np

    settings = dict(CASES[case][0])
    if case.startswith(("kmeans", "som")):
        values = mnist(data)
    else:
        shape = {
            "dbscan-2": (200_000, 2, 50, 0.5),
            "dbscan-64": (20_000, 64, 20, 0.7),
            "hdbscan-2": (50_000, 2, 30, 0.5),
            "hdbscan-10": (20_000, 10, 20, 0.7),
        }[case]
        values = blobs(*shape)
    draw = np.random.default_rng(0)
    if case.startswith("kmeans"):
        rows = draw.choice(len(values), settings["n_clusters"], replace=False)
        settings["centers"] = str(Path(folder, "centers"))
        values[rows].tofile(settings["centers"])
    if case.startswith("som"):
        settings["weights"] = str(Path(folder, "weights"))
        values[draw.choice(len(values), settings["side"] ** 2, replace=False)].tofile(settings["weights"])
    settings |= {"rows": str(Path(folder, "rows")), "columns": values.shape[1]}
    values.tofile(settings["rows"])
    return settings


def call(peer, settings):
    """A function that clusters once by a peer and says what it found."""
    import numpy as np

    rows = np.fromfile(settings["rows"], np.float32).reshape(-1, settings["columns"])

    def said(labels):
        return f"{labels.max() + 1} clusters, {(labels < 0).sum()} rows of noise"

    if peer == "intelex":
        from sklearnex import patch_sklearn

        patch_sklearn(verbose=False)
    if peer in ("lloyd", "elkan", "intelex"):
        from sklearn.cluster import KMeans

        k = settings["n_clusters"]
        start = np.fromfile(settings["centers"], np.float32).reshape(k, -1)
        algorithm = "elkan" if peer == "elkan" else "lloyd"
        model = KMeans(k, init=start, n_init=1, tol=0, max_iter=10_000, algorithm=algorithm)

        def run():
            model.fit(rows)
            return f"inertia {model.inertia_:.8e}, {model.n_iter_} iterations"

        return run
    if peer == "sklearn-dbscan":
        from sklearn.cluster import DBSCAN

        return lambda: said(DBSCAN(eps=settings["eps"], min_samples=settings["min_samples"], n_jobs=2).fit_predict(rows))
    if peer == "pypi-dbscan":
        from dbscan import DBSCAN as find

        return lambda: said(find(rows, eps=settings["eps"], min_samples=settings["min_samples"])[0])
    # Each counts with or without the row itself.
    size = settings.get("min_cluster_size")
    if peer == "sklearn-hdbscan":
        from sklearn.cluster import HDBSCAN

        return lambda: said(HDBSCAN(min_cluster_size=size, n_jobs=2, copy=True).fit_predict(rows))
    if peer == "hdbscan":
        from hdbscan import HDBSCAN as Pypi

        return lambda: said(Pypi(min_cluster_size=size, min_samples=size - 1, core_dist_n_jobs=2).fit_predict(rows))
    if peer == "fast-hdbscan":
        from fast_hdbscan import HDBSCAN as Fast

        return lambda: said(Fast(min_cluster_size=size, min_samples=size - 1).fit_predict(rows))
    side = settings["side"]
    start = np.fromfile(settings["weights"], np.float32).reshape(side, side, -1)
    if peer == "minisom":
        from minisom import MiniSom

        def run():
            som = MiniSom(side, side, rows.shape[1], sigma=side / 2, learning_rate=0.5)
            som._weights = start.copy()
            som.train(rows, settings["updates"])
            return f"{side * side} units"

        return run
    if peer == "xpysom":
        from xpysom import XPySom

        def run():
            som = XPySom(side, side, rows.shape[1], sigma=side / 2, sigmaN=side / 6, xp=np)
            som._weights = start.copy()
            som.train(rows, settings["epochs"])
            return f"{side * side} units"

        return run
    raise SystemExit(f"no peer {peer}")


def status(name):
    for line in open("/proc/self/status"):
        if line.startswith(name):
            return float(line.split()[1]) / 1024


def serve(peer, settings):
    # Some peers print their progress.
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    run = call(peer, settings)
    before = status("VmRSS")
    for _ in sys.stdin:
        start = time.perf_counter()
        found = run()
        print(time.perf_counter() - start, round(status("VmHWM") - before, 1), found, file=out, flush=True)


class Side:
    """A process that clusters once for each line that it gets."""

    def __init__(self, command):
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ | THREADS
        )

    def round(self):
        self.process.stdin.write("go\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        if not said:
            raise RuntimeError("a side failed")
        seconds, memory, self.found = said.strip().split(" ", 2)
        time.sleep(REST)
        return float(seconds), float(memory)

    def end(self):
        self.process.stdin.close()
        self.process.wait()


def report(case, peer, kept):
    pairs = kept["pairs"]
    ratios = [theirs / ours for ours, theirs in pairs]
    low, ratio, high = statistics.quantiles(ratios, n=4) if len(pairs) > 1 else 3 * ratios
    ours, theirs = (statistics.median(side) for side in zip(*pairs))
    print(
        f"{case} against {peer}, {len(pairs)} pairs: {ratio:.2f}x [{low:.2f}, {high:.2f}]; "
        f"ours {ours:.3f} s, theirs {theirs:.3f} s; peak memory {kept['memory'][0]:.0f} MiB, "
        f"theirs {kept['memory'][1]:.0f} MiB\n  ours: {kept['found'][0]}\n  theirs: {kept['found'][1]}",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("data")
    parser.add_argument("cases", nargs="*")
    parser.add_argument("--bench", default=str(HERE.parent / "target/release/ancestral-bench"))
    parser.add_argument("--pairs", type=int, default=15)
    parser.add_argument("--keep")
    parser.add_argument("--peer", action="append")
    args = parser.parse_args()
    kept = {}
    if args.keep and Path(args.keep).exists():
        kept = json.loads(Path(args.keep).read_text())
    for case in args.cases or CASES:
        with tempfile.TemporaryDirectory() as folder:
            settings = json.dumps(make(case, args.data, folder))
            for peer in args.peer or CASES[case][1]:
                ours = Side([args.bench, "--threads", "2", "--clusters", settings])
                theirs = Side([sys.executable, __file__, "--serve", peer, settings])
                # A warm-up: libraries compile or tune themselves on their first call.
                ours.round()
                theirs.round()
                known = kept.setdefault(f"{case} {peer}", {"pairs": [], "memory": [0, 0]})
                for _ in range(args.pairs):
                    sides = [ours.round(), theirs.round()]
                    known["pairs"].append([seconds for seconds, _ in sides])
                    known["memory"] = [max(old, new) for old, (_, new) in zip(known["memory"], sides)]
                known["found"] = [ours.found, theirs.found]
                ours.end()
                theirs.end()
                if args.keep:
                    Path(args.keep).write_text(json.dumps(kept))
                report(case, peer, known)


if __name__ == "__main__":
    if sys.argv[1] == "--serve":
        serve(sys.argv[2], json.loads(sys.argv[3]))
    else:
        main()
