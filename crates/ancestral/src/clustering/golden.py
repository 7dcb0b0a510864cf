"""Prints the values that golden.rs compares with, by scikit-learn 1.9, hdbscan 0.8.44 and MiniSom 2.3.

    python golden.py

Labels are letters by first appearance, noise is a point. Row i of a data set has the entries h(i, j) / 10007 + 1.5 [i mod 3 = j], where
h(i, j) = (7919 (i + 3)^3 + 104729 (j + 1) (i + 7)^2 + 31 (j + 1)^4 i) mod 10007.
"""

import warnings

import hdbscan
import numpy as np
from minisom import MiniSom
from sklearn import cluster, metrics

warnings.filterwarnings("ignore")


def data(rows, columns):
    i, j = np.arange(rows)[:, None], np.arange(columns)
    h = 7919 * (i + 3) ** 3 + 104729 * (j + 1) * (i + 7) ** 2 + 31 * (j + 1) ** 4 * i
    return h % 10007 / 10007 + 1.5 * (i % 3 == j)


def show(name, values):
    print(f"{name}: {[float(f'{v:.12g}') for v in np.ravel(values)]}")


def show_labels(name, labels):
    names = {-1: "."}
    letters = [names.setdefault(label, chr(ord("a") + len(names) - 1)) for label in np.ravel(labels).tolist()]
    print(f"{name}: {''.join(letters)}")


X = data(90, 3)
LABELS = np.arange(90) * 7 % 11 % 4
OTHER = np.arange(90) // 9 % 5


def indices():
    for metric in ("euclidean", "manhattan", "cosine"):
        show(f"silhouette {metric}", [metrics.silhouette_score(X + 1, LABELS, metric=metric)])
    show("davies_bouldin", [metrics.davies_bouldin_score(X, LABELS)])
    show("calinski_harabasz", [metrics.calinski_harabasz_score(X, LABELS)])
    for name in ("adjusted_rand", "normalized_mutual_info", "adjusted_mutual_info"):
        show(name, [getattr(metrics, f"{name}_score")(LABELS, OTHER)])


def kmeans():
    for weights in (None, 1 + np.arange(90) % 4):
        model = cluster.KMeans(5, init=X[:5], n_init=1, tol=0).fit(X, sample_weight=weights)
        show("kmeans inertia", [model.inertia_])
        show("kmeans centers", model.cluster_centers_)
        print("kmeans iterations:", model.n_iter_)
        show_labels("kmeans labels", model.labels_)
    # The fourth center is far from all rows.
    start = np.concatenate([X[:3], [[50, 50, 50]]])
    model = cluster.KMeans(4, init=start, n_init=1, tol=0).fit(X)
    show("kmeans empty", np.concatenate([[model.inertia_], np.ravel(model.cluster_centers_)]))


def dbscan():
    for eps, samples, metric in ((0.35, 5, "euclidean"), (0.5, 5, "manhattan"), (0.01, 6, "cosine")):
        model = cluster.DBSCAN(eps=eps, min_samples=samples, metric=metric).fit(X + 1)
        show_labels(f"dbscan {metric}", model.labels_)


def density_hierarchy():
    # Without ties: two samples give core distances that no other pair has.
    for method, epsilon in (("eom", 0.0), ("leaf", 0.0), ("leaf", 0.4)):
        model = hdbscan.HDBSCAN(
            min_cluster_size=4,
            min_samples=1,
            cluster_selection_method=method,
            cluster_selection_epsilon=epsilon,
            approx_min_span_tree=False,
        ).fit(X)
        show_labels(f"hdbscan {method} {epsilon}", model.labels_)
        show("probabilities", [model.probabilities_.sum(), model.probabilities_.min()])
        show("outlier scores", [model.outlier_scores_.sum(), model.outlier_scores_.max()])
    model = cluster.HDBSCAN(min_cluster_size=4, min_samples=6, copy=True).fit(X)
    heights = model._single_linkage_tree_["value"]
    show("heights", [heights.sum(), heights.min(), heights.max()])


def som():
    for name, sigma in (("gaussian", 1.5), ("bubble", 2.0)):
        model = MiniSom(3, 4, 3, sigma=sigma, learning_rate=0.5, neighborhood_function=name, random_seed=0)
        model._weights = data(12, 3).reshape(3, 4, 3).copy()
        model.train(X, 300)
        show(f"som {name}", model._weights.reshape(-1, 3)[[0, 5, 11]])
        show("errors", [model.quantization_error(X), model.topographic_error(X)])
        show("u-matrix", (model.distance_map(scaling="mean"))[[0, 1, 2], [0, 1, 3]])
        show("hits", model.activation_response(X))


indices()
kmeans()
dbscan()
density_hierarchy()
som()
