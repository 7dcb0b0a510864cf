"""Prints the values that golden.rs compares with.

    pip install pyfim mlxtend scipy mpmath
    python golden.py

Sets come from pyfim 6.28, measures of rules from mlxtend 0.25, p-values from mpmath.
Basket b of 400 holds item i of 12 if h(b, i) < 2³² · 0.7 / (1 + 0.2 i), where h(b, i) is
(31 b + 17 i + 7)² · 2654435761 mod 2³², and also item 11 if it holds items 1 and 2.

pyfim leaves out sets that consist of nothing but items of all baskets; there are none here.
"""

import warnings

import fim
import mpmath
import pandas as pd
from mlxtend.frequent_patterns import association_rules, fpgrowth

warnings.simplefilter("ignore")
mpmath.mp.dps = 40
N, M = 400, 12


def baskets():
    rows = []
    for b in range(N):
        h = [(31 * b + 17 * i + 7) ** 2 * 2654435761 % 2**32 for i in range(M)]
        row = {i for i in range(M) if h[i] < 2**32 * 0.7 / (1 + 0.2 * i)}
        if {1, 2} <= row:
            row.add(11)
        rows.append(sorted(row))
    return rows


def checksum(found):
    """Depends on every set and its count."""
    return sum(count * sum(3**i for i in items) for items, count in found) % 2**61


def tail(n, a, c, k):
    """P(X >= k) to 40 digits: the first term by binomial coefficients, the others by exact ratios."""
    term = mpmath.binomial(c, k) * mpmath.binomial(n - c, a - k) / mpmath.binomial(n, a)
    total = mpmath.mpf(0)
    for x in range(k, min(a, c) + 1):
        total += term
        term = term * (a - x) * (c - x) / ((x + 1) * (n - a - c + x + 1))
        if term < total * mpmath.mpf(10) ** -30:
            break
    return float(total)


rows = baskets()
print("items in all baskets:", sum(map(len, rows)))
for support in (120, 40, 8):
    for target in "scm":
        found = fim.fpgrowth(rows, target=target, supp=-support)
        print(f'    ("{target}", {support}, {len(found)}, {checksum(found)}),')

table = pd.DataFrame([[i in row for i in range(M)] for row in rows], columns=range(M))
sets = fpgrowth(table, min_support=0.1, use_colnames=True)
rules = association_rules(sets, metric="confidence", min_threshold=0.6)
print("rules:", len(rules), "with consequents of one item:", sum(len(c) == 1 for c in rules.consequents))
for name in ("support", "confidence", "lift", "leverage"):
    print(f"sum of {name}: {rules[name].sum():.12g}")
finite = rules.conviction[rules.conviction < float("inf")]
print(f"sum of finite conviction: {finite.sum():.12g}, infinite: {len(rules) - len(finite)}")
some = sorted(zip(rules.antecedents, rules.consequents, rules.index), key=lambda r: (sorted(r[0]), sorted(r[1])))
for antecedent, consequent, at in some[::23]:
    r = rules.loc[at]
    n = [round(N * r[k]) for k in ("antecedent support", "consequent support", "support")]
    values = [r.support, r.confidence, r.lift, r.leverage, r.conviction, tail(N, *n)]
    print(f"    (&{sorted(antecedent)}, &{sorted(consequent)}, {[float(f'{v:.12g}') for v in values]}),")

print("Fisher")
for n, a, c, k in [
    (20, 8, 9, 6), (20, 8, 9, 1), (20, 8, 9, 3), (400, 200, 150, 100), (400, 390, 395, 386),
    (9835, 2513, 1903, 557), (9835, 2513, 1903, 486), (9835, 100, 100, 20), (88162, 42135, 50675, 29142),
    (88162, 42135, 50675, 24220), (10000, 5000, 5000, 3200), (1000000, 300000, 1000, 400),
]:
    print(f"    ({n}, {a}, {c}, {k}, {tail(n, a, c, k):.15e}),")
