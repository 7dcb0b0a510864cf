"""Compares files of sets with pyfim, and files of rules with mlxtend, on the same baskets.

    pip install pyfim mlxtend
    python compare.py sets DATA COUNT all|closed|maximal SETS.csv
    python compare.py rules DATA SUPPORT CONFIDENCE RULES.csv

DATA has a basket a line, separated by commas if there is one, else by blanks; it may be compressed by gzip.
COUNT is a number of baskets and SUPPORT a share of them, by which the files were made; rules have
consequents of one item. pyfim leaves out sets of nothing but items of all baskets, which are added here;
mlxtend divides rounded supports and so loses rules whose confidence is exactly the minimum, which is
lowered here.
"""

import csv
import gzip
import sys
import warnings

warnings.simplefilter("ignore")


def baskets(path):
    opened = gzip.open(path, "rt") if path.endswith(".gz") else open(path)
    lines = [line.strip() for line in opened]
    separator = "," if any("," in line for line in lines) else None
    split = [[cell.strip() for cell in line.split(separator)] for line in lines if line]
    return [sorted({cell for cell in row if cell}) for row in split]


def items(cell):
    return frozenset(next(csv.reader([cell])))


def compare_sets(data, count, target, path):
    import fim

    rows = baskets(data)
    right = {frozenset(s): n for s, n in fim.fpgrowth(rows, target=target[0].replace("a", "s"), supp=-int(count))}
    everywhere = frozenset(set.intersection(*map(set, rows)))
    if everywhere and target != "maximal":
        assert len(everywhere) == 1, "add the subsets of these"
        right[everywhere] = len(rows)
    found = {}
    for row in csv.DictReader(open(path)):
        key = items(row["items"])
        assert key not in found, f"twice: {sorted(key)}"
        assert abs(float(row["support"]) * len(rows) - int(row["count"])) < 1e-6
        found[key] = int(row["count"])
    return found == right, len(found), len(right)


def compare_rules(data, support, confidence, path):
    import pandas as pd
    from mlxtend.frequent_patterns import association_rules, fpgrowth
    from mlxtend.preprocessing import TransactionEncoder

    encoder = TransactionEncoder()
    table = pd.DataFrame.sparse.from_spmatrix(encoder.fit_transform(baskets(data), sparse=True), columns=encoder.columns_)
    sets = fpgrowth(table, min_support=float(support), use_colnames=True)
    rules = association_rules(sets, metric="confidence", min_threshold=float(confidence) - 1e-12)
    rules = rules[rules.consequents.map(len) == 1]
    names = ("support", "confidence", "lift", "leverage", "conviction")
    right = {(r.antecedents, r.consequents): [getattr(r, n) for n in names] for r in rules.itertuples()}
    found = {}
    for row in csv.DictReader(open(path)):
        found[items(row["antecedent"]), items(row["consequent"])] = [float(row[n]) for n in names]
    same = found.keys() == right.keys() and all(
        a == b or abs(a - b) <= 1e-9 * max(1, abs(b)) for key in found for a, b in zip(found[key], right[key])
    )
    return same, len(found), len(right)


same, found, right = {"sets": compare_sets, "rules": compare_rules}[sys.argv[1]](*sys.argv[2:])
print("same" if same else "DIFFERENT", *sys.argv[1:-1], f"{found} found, {right} by the peer")
sys.exit(not same)
