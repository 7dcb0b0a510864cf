"""Compares `ancestral cluster` with scikit-learn, hdbscan and MiniSom: partitions, inertias, errors.

    python bench/compare_clusters.py PROGRAM CLUSTERING_DATA [dbscan|hdbscan|kmeans|som ...]

CLUSTERING_DATA is the folder of ARFF files (artificial/, real-world/), with that of MNIST beside it. Exits with 1 if a comparison fails.
"""

import csv
import gzip
import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np


def read(path):
    """The numbers of an ARFF file, and its classes."""
    rows, labels = [], []
    data = False
    for line in gzip.open(path, "rt", errors="replace"):
        line = line.strip()
        if line.lower().startswith("@data"):
            data = True
        elif data and line and not line.startswith("%"):
            cells = [cell.strip() for cell in line.split(",")]
            rows.append(cells)
    numbers = []
    for column in zip(*rows):
        try:
            numbers.append([float(cell) for cell in column])
        except ValueError:
            pass
    last = [row[-1] for row in rows]
    head = [line.lower() for line in gzip.open(path, "rt", errors="replace") if line.lower().startswith("@attr")]
    if "class" in head[-1].split()[1]:
        try:
            [float(cell) for cell in last]
            numbers = numbers[:-1]
        except ValueError:
            pass
        labels = last
    return np.array(numbers).T.copy(), labels


class Program:
    def __init__(self, path):
        self.path = path
        self.folder = tempfile.TemporaryDirectory()
        self.runs = 0

    def file(self, name, values):
        path = pathlib.Path(self.folder.name) / name
        with open(path, "w") as out:
            out.write(",".join(f"x{i}" for i in range(values.shape[1])) + "\n")
            for row in values:
                out.write(",".join(repr(float(x)) for x in row) + "\n")
        return path

    def cluster(self, method, data, *settings, more=()):
        self.runs += 1
        out = pathlib.Path(self.folder.name) / f"run{self.runs}"
        command = [self.path, "cluster", method, "--data", str(data), "--out", str(out), "--no-indices", "--json", *more]
        for setting in settings:
            command += ["--set", setting]
        said = subprocess.run(command, capture_output=True, text=True)
        if said.returncode:
            raise RuntimeError(f"{command}: {said.stderr}")
        with open(out / "labels.csv") as file:
            labels = np.array([int(row[-1]) for row in list(csv.reader(file))[1:]])
        return json.loads(said.stdout), labels, out


def canonical(labels):
    names = {}
    return np.array([-1 if l < 0 else names.setdefault(l, len(names)) for l in labels])


def dbscan(program, folder):
    from sklearn.cluster import DBSCAN
    from sklearn.neighbors import NearestNeighbors

    same = total = 0
    for path in sorted(folder.glob("artificial/*.arff.gz")):
        values, _ = read(path)
        data = program.file(path.stem.replace(".arff", "") + ".csv", values)
        near = np.sort(NearestNeighbors(n_neighbors=5).fit(values).kneighbors(values)[0][:, -1])
        for share, least in [(0.5, 5), (0.9, 5), (0.97, 10)]:
            eps = float(near[int(share * (len(near) - 1))])
            if eps <= 0:
                eps = float(near[near > 0][0])
            _, ours, _ = program.cluster("dbscan", data, f"eps={eps!r}", f"min_samples={least}")
            theirs = DBSCAN(eps=eps, min_samples=least).fit_predict(values)
            total += 1
            if np.array_equal(canonical(ours), canonical(theirs)):
                same += 1
            else:
                rows = int((canonical(ours) != canonical(theirs)).sum())
                print(f"{path.name} eps {eps} min_samples {least}: {rows} rows differ")
    print(f"dbscan: {same} of {total} partitions equal scikit-learn's")
    return same == total


def single_linkage(edges, rows, heights):
    """Joins rows by edges in ascending order, all edges of one height at once.

    Yields for each height the parts that are joined there, as lists of their sizes, and the edges.
    """
    parents, sizes = list(range(rows)), [1] * rows

    def find(at):
        while parents[at] != at:
            parents[at] = parents[parents[at]]
            at = parents[at]
        return at

    start = 0
    for end in heights:
        group = edges[start:end]
        parts = {root: sizes[root] for a, b in group for root in (find(a), find(b))}
        for a, b in group:
            a, b = find(a), find(b)
            if a != b:
                parents[b] = a
                sizes[a] += sizes[b]
        joined = {}
        for root, size in parts.items():
            joined.setdefault(find(root), []).append(size)
        yield group, list(joined.values()), find
        start = end


def merges(left, right, rows):
    """Edges between rows from a single-linkage tree as scipy has it: a row of each of two joined parts."""
    some = list(range(rows))
    edges = []
    for a, b in zip(left, right):
        edges.append((some[int(a)], some[int(b)]))
        some.append(some[int(a)])
    return edges


def same_hierarchy(ours, theirs, rows):
    """The largest relative difference of heights, and whether rows are parted alike at every distinct height."""
    (a, x), (b, y) = ours, theirs
    apart = float(np.max(np.abs(x - y) / np.maximum(np.maximum(x, y), 1e-300), initial=0.0))
    # Heights that differ by rounding alone are one.
    low, high = np.minimum(x, y), np.maximum(x, y)
    ends = [i + 1 for i in range(len(x)) if i + 1 == len(x) or low[i + 1] > high[i] * (1 + 1e-9)]
    same = True
    for (own, _, of_ours), (other, _, of_theirs) in zip(
        single_linkage(a, rows, ends), single_linkage(b, rows, ends)
    ):
        same &= all(of_theirs(i) == of_theirs(j) for i, j in own)
        same &= all(of_ours(i) == of_ours(j) for i, j in other)
    return apart, same, ends


def ties(edges, rows, ends, size):
    """Whether three parts or more meet at one height, such that the order of their edges says which of at least
    `size` rows there are: without the largest of them, the others have as many rows together."""
    return any(
        len(parts) > 2 and sum(parts) - max(parts) >= size
        for _, joined, _ in single_linkage(edges, rows, ends)
        for parts in joined
    )


def hdbscan(program, folder):
    import hdbscan as pypi
    from sklearn.cluster import HDBSCAN
    from sklearn.metrics import adjusted_rand_score

    # By whether there are ties: all, equal to scikit-learn's, to hdbscan's, to either, adjusted Rand >= 0.99.
    counts = {False: [0] * 5, True: [0] * 5}
    heights = {"scikit-learn": 0.0, "hdbscan": 0.0}
    parted = total = 0
    fine = True
    for path in sorted(folder.glob("artificial/*.arff.gz")):
        values, _ = read(path)
        rows = len(values)
        data = program.file(path.stem.replace(".arff", "") + ".csv", values)
        for size in [5, 15, 50]:
            _, ours, out = program.cluster("hdbscan", data, f"min_cluster_size={size}", "min_samples=5")
            one = HDBSCAN(min_cluster_size=size, min_samples=5, copy=True).fit(values)
            two = pypi.HDBSCAN(min_cluster_size=size, min_samples=4, approx_min_span_tree=False).fit(values)
            tree = np.load(out / "spanning-tree.npy")
            own = ([(int(a), int(b)) for a, b, _ in tree], tree[:, 2])
            of_one = one._single_linkage_tree_
            of_one = (merges(of_one["left_node"], of_one["right_node"], rows), of_one["value"])
            of_two = two.single_linkage_tree_.to_numpy()
            of_two = (merges(of_two[:, 0], of_two[:, 1], rows), of_two[:, 2])
            for name, theirs in [("scikit-learn", of_one), ("hdbscan", of_two)]:
                apart, same, ends = same_hierarchy(own, theirs, rows)
                heights[name] = max(heights[name], apart)
                total += 1
                parted += same
                if not same or apart > 1e-9:
                    fine = False
                    print(f"{path.name} {name}: heights differ by {apart:.1e}, partitions alike: {same}")
            tied = ties(own[0], rows, ends, size)
            equal = [np.array_equal(canonical(ours), canonical(other.labels_)) for other in (one, two)]
            scores = [adjusted_rand_score(other.labels_, ours) for other in (one, two)]
            for at, found in enumerate([True, *equal, any(equal), max(scores) >= 0.99]):
                counts[tied][at] += found
            if not any(equal) and (not tied or max(scores) < 0.99):
                fine = False
                peers = adjusted_rand_score(one.labels_, two.labels_)
                print(f"{path.name} min_cluster_size {size}{', ties' if tied else ''}: adjusted Rand "
                      f"{scores[0]:.4f} and {scores[1]:.4f}; of the two peers {peers:.4f}")
    for name, apart in heights.items():
        print(f"hdbscan: heights differ from those of {name} by {apart:.1e} at most")
    print(f"hdbscan: rows are parted alike at every distinct height in {parted} of {total} hierarchies")
    for tied, (all_, first, second, either, near) in counts.items():
        print(f"hdbscan: of {all_} cases {'with' if tied else 'without'} ties, {first} have scikit-learn's labels, "
              f"{second} hdbscan's, {either} those of one of them; {near} an adjusted Rand index of at least 0.99")
    return fine


def mnist(folder):
    """The training images beside the folder of ARFF files, a row each."""
    with gzip.open(folder.parent / "mnist/train-images-idx3-ubyte.gz") as file:
        return np.frombuffer(file.read(), np.uint8, offset=16).reshape(-1, 784).astype(float)


def kmeans(program, folder):
    from sklearn.cluster import KMeans

    fine = True
    for name, clusters in [("artificial/s-set1", 15), ("artificial/D31", 31), ("real-world/letter", 26), ("mnist", 10)]:
        if name == "mnist":
            values = mnist(folder)
            data = pathlib.Path(program.folder.name) / "mnist.npy"
            np.save(data, values)
        else:
            values, _ = read(folder / f"{name}.arff.gz")
            data = program.file(name.split("/")[1] + ".csv", values)
        ours, theirs = [], []
        for start in range(10):
            rows = np.random.default_rng(start).choice(len(values), clusters, replace=False)
            centers = program.file(f"centers{start}.csv", values[rows])
            found, labels, out = program.cluster(
                "kmeans", data, f"n_clusters={clusters}", f"init={centers}", "tol=0", "max_iter=1000"
            )
            model = KMeans(clusters, init=values[rows], n_init=1, tol=0, max_iter=1000).fit(values)
            ours.append(found["inertia"])
            theirs.append(sum(((values - model.cluster_centers_[model.labels_]) ** 2).sum(axis=1)))
        ours, theirs = np.array(ours), np.array(theirs)
        good = int((ours <= theirs * (1 + 1e-6)).sum())
        mean = ours.mean() / theirs.mean() - 1
        fine &= good >= 9 and mean <= 1e-5
        print(f"kmeans on {name}, {len(values)} rows: {good} of 10 at most scikit-learn's, mean {mean:+.1e}")
    return fine


def som(program, folder):
    from minisom import MiniSom
    from sklearn.datasets import load_digits

    values = load_digits().data.astype(float)
    data = program.file("digits.csv", values)
    updates = 20 * len(values)
    side = 12
    ours, _, _ = program.cluster(
        "som", data, f"rows={side}", f"columns={side}", "training=online", f"updates={updates}"
    )
    batch, _, _ = program.cluster("som", data, f"rows={side}", f"columns={side}", "epochs=20")
    peer = MiniSom(side, side, values.shape[1], sigma=side / 2, learning_rate=0.5, random_seed=0,
                   decay_function="asymptotic_decay", sigma_decay_function="asymptotic_decay")
    peer.pca_weights_init(values)
    peer.train(values, updates, random_order=True)
    theirs = peer.quantization_error(values)
    print(f"som on digits, {updates} updates: quantization error {ours['quantization_error']:.4f} online, "
          f"{batch['quantization_error']:.4f} batch, MiniSom {theirs:.4f}; topographic "
          f"{ours['topographic_error']:.4f}, {batch['topographic_error']:.4f}, {peer.topographic_error(values):.4f}")
    return ours["quantization_error"] <= theirs


if __name__ == "__main__":
    program, folder = Program(sys.argv[1]), pathlib.Path(sys.argv[2])
    parts = {"dbscan": dbscan, "hdbscan": hdbscan, "kmeans": kmeans, "som": som}
    wanted = sys.argv[3:] or list(parts)
    sys.exit(0 if all([parts[name](program, folder) for name in wanted]) else 1)
