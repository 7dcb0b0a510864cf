"""Prints FAMILY.tsv, by mpmath 1.4: log-densities and tails at values, and quantiles.

    python families.py FAMILY [VALUES] > FAMILY.tsv

A line is D, parameters, value, log-density, log of the lower tail, log of the upper tail; or Q,
parameters, probability, quantile; or U, parameters, upper probability, quantile. VALUES is how many
values each set of parameters has (default 7). Every number is a double, or what follows from doubles.
"""

import sys

from mpmath import mp, mpf

mp.dps = 40
INF = mpf("inf")


def lower_gamma(a, x):
    if x <= 0:
        return mpf(0)
    return mp.exp(a * mp.log(x) - x - mp.loggamma(a + 1)) * mp.hyp1f1(1, a + 1, x)


def upper_gamma(a, x):
    return mp.gammainc(a, max(x, 0), regularized=True)


def gamma_tails(a, x):
    if x <= 0:
        return mpf(0), mpf(1)
    if a > 1000:
        f = lambda t: mp.exp((a - 1) * mp.log(t) - t - mp.loggamma(a))
        return by_integral(f, x, mp.sqrt(a), 0, INF)
    if x < a:
        low = lower_gamma(a, x)
        return low, 1 - low
    high = upper_gamma(a, x)
    return 1 - high, high


def by_integral(f, x, width, low, high):
    """The smaller tail by integration away from the middle, in steps of a width."""
    ups = [min(x + width * k, high) for k in (0, 1, 2, 4, 8, 16, 40)]
    downs = [max(x - width * k, low) for k in (40, 16, 8, 4, 2, 1, 0)]
    up, down = mp.quad(f, ups), mp.quad(f, downs)
    return (1 - up, up) if up < down else (down, 1 - down)


def beta_tails(a, b, x, y=None):
    y = 1 - x if y is None else y
    if x <= 0:
        return mpf(0), mpf(1)
    if y <= 0:
        return mpf(1), mpf(0)
    if max(a, b) > 3000:
        f = lambda t: mp.exp((a - 1) * mp.log(t) + (b - 1) * mp.log1p(-t) - log_beta(a, b)) if 0 < t < 1 else mpf(0)
        return by_integral(f, x, mp.sqrt(a * b / (a + b) ** 3), 0, 1)
    one = lambda a, b, x: mp.betainc(a, b, 0, x, regularized=True)
    if x * (a + b) < a:
        low = one(a, b, x)
        return low, 1 - low
    high = one(b, a, y)
    return 1 - high, high


def log_beta(a, b):
    return mp.loggamma(a) + mp.loggamma(b) - mp.loggamma(a + b)


def normal_tails(z):
    return mp.erfc(-z / mp.sqrt(2)) / 2, mp.erfc(z / mp.sqrt(2)) / 2


def from_upper(u):
    return -mp.expm1(mp.log(u)) if u > 0 else mpf(1), u


class Family:
    """Parameters, log-density, tails, and a map of the real numbers onto the support."""

    discrete = False
    chart = staticmethod(mp.exp)


class normal(Family):
    sets = [(0, 1), (1e9, 1e-3), (-3, 1e12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, m, s):
        return -((x - m) / s) ** 2 / 2 - mp.log(s * mp.sqrt(2 * mp.pi))

    def tails(x, m, s):
        return normal_tails((x - m) / s)

    standard = lambda m, s: (m, s)


class exponential(Family):
    sets = [(1,), (1e-12,), (3e7,)]

    def log_density(x, s):
        return -x / s - mp.log(s)

    def tails(x, s):
        return -mp.expm1(-x / s), mp.exp(-x / s)

    standard = lambda s: (0, s)


class gamma(Family):
    sets = [(2.5, 3), (0.05, 1e-12), (1, 1), (1e-3, 2), (180, 0.1), (1e6, 1e-6), (1e10, 1e3)]

    def log_density(x, k, s):
        return (k - 1) * mp.log(x) - x / s - mp.loggamma(k) - k * mp.log(s)

    def tails(x, k, s):
        return gamma_tails(k, x / s)

    standard = lambda k, s: (0, k * s)


class beta(Family):
    sets = [(2, 5), (0.5, 0.5), (0.02, 3), (1, 1), (300, 40), (1e6, 2e6), (2e-3, 1e-3)]
    chart = staticmethod(lambda t: 1 / (1 + mp.exp(-t)))

    def log_density(x, a, b):
        return (a - 1) * mp.log(x) + (b - 1) * mp.log1p(-x) - log_beta(a, b)

    def tails(x, a, b):
        return beta_tails(a, b, x)


class weibull(Family):
    sets = [(1.5, 2), (0.1, 1e-12), (40, 1e9), (1e4, 3), (1, 1)]

    def log_density(x, k, s):
        return mp.log(k / s) + (k - 1) * mp.log(x / s) - (x / s) ** k

    def tails(x, k, s):
        return -mp.expm1(-((x / s) ** k)), mp.exp(-((x / s) ** k))

    standard = lambda k, s: (0, s)


class log_normal(Family):
    sets = [(0, 1), (20, 1e-6), (-30, 5), (3, 0.2)]

    def log_density(x, m, s):
        return -(((mp.log(x) - m) / s) ** 2) / 2 - mp.log(x * s * mp.sqrt(2 * mp.pi))

    def tails(x, m, s):
        return normal_tails((mp.log(x) - m) / s)


class poisson(Family):
    sets = [(3.7,), (1e-5,), (120,), (1e6,)]
    discrete = True

    def log_density(x, r):
        return x * mp.log(r) - r - mp.loggamma(x + 1)

    def tails(x, r):
        low, high = gamma_tails(x + 1, r)
        return high, low

    middle = lambda r: (r, mp.sqrt(r))


class negative_binomial(Family):
    """Size and mean."""

    sets = [(3, 10), (0.05, 2), (1e8, 4), (50, 1e-4), (1.5, 1e6)]
    discrete = True

    def log_density(x, r, m):
        ln = mp.loggamma(x + r) - mp.loggamma(x + 1) - mp.loggamma(r)
        return ln + r * mp.log(r / (r + m)) + x * mp.log(m / (r + m))

    def tails(x, r, m):
        if r > 1e6:
            mass = [mp.exp(negative_binomial.log_density(mpf(k), r, m)) for k in range(int(x) + 1)]
            low = mp.fsum(mass)
            if low < 0.5:
                return low, 1 - low
            high = mp.fsum(mp.exp(negative_binomial.log_density(x + k, r, m)) for k in range(1, 400))
            return 1 - high, high
        return beta_tails(r, x + 1, r / (r + m), m / (r + m))

    middle = lambda r, m: (m, mp.sqrt(m + m * m / r))


class student_t(Family):
    sets = [(3, 0, 1), (0.2, 0, 1), (1, 1e9, 1e-3), (30, -2, 5), (1e4, 0, 1), (2.5, 0, 1e-12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, v, m, s):
        z = (x - m) / s
        return mp.loggamma((v + 1) / 2) - mp.loggamma(v / 2) - mp.log(v * mp.pi) / 2 - mp.log(s) - (v + 1) / 2 * mp.log1p(z * z / v)

    def tails(x, v, m, s):
        z = (x - m) / s
        small = beta_tails(v / 2, mpf(1) / 2, v / (v + z * z), z * z / (v + z * z))[0] / 2 if v < 3000 else None
        if small is None:
            mid = mp.quad(lambda t: mp.exp(student_t.log_density(t, v, 0, 1)), [abs(z) * k / mpf(8) for k in range(9)])
            small = mpf(1) / 2 - mid
        return (small, 1 - small) if z < 0 else (1 - small, small)

    standard = lambda v, m, s: (m, s)


def log_tails(family, x, theta):
    low, high = family.tails(x, *theta)
    if low < high:
        return mp.log(low) if low > 0 else -INF, mp.log1p(-low)
    return mp.log1p(-high), mp.log(high) if high > 0 else -INF


PROBABILITIES = [1e-250, 1e-30, 1e-8, 0.01, 0.2, 0.5, 0.75, 0.99]
UPPER = [1e-3, 1e-12, 1e-100]


def spread(values):
    """So many probabilities, of both tails."""
    if values <= 7:
        return [("Q", p) for p in (1e-100, 1e-6, 0.1, 0.5)] + [("U", p) for p in (0.1, 1e-7, 1e-60)]
    n = values // 2
    each = [float(mp.exp(-mpf(600) * (mpf(i) / n) ** 3) / 2) for i in range(n)]
    return [("Q", p) for p in each] + [("U", p) for p in each]


def quantile(family, side, p, theta):
    """By halving on the logarithm of the tail, in the coordinate of the support."""
    location, scale = family.standard(*theta) if hasattr(family, "standard") else (0, 1)
    at = lambda t: location + scale * family.chart(t)
    goal = mp.log(p)
    def error(t):
        low, high = log_tails(family, at(t), theta)
        return low - goal if side == "Q" else goal - high
    a, b = mpf(-1), mpf(1)
    while error(a) > 0:
        b, a = a, 2 * a
        if a < -3000:
            return None
    while error(b) < 0:
        a, b = b, 2 * b
        if b > 3000:
            return None
    fa, fb = error(a), error(b)
    for i in range(200):
        # Halving, then false position with it.
        t = (a + b) / 2 if i % 2 == 0 or not (mp.isfinite(fa) and mp.isfinite(fb)) else b - fb * (b - a) / (fb - fa)
        f = error(t)
        if f < 0:
            a, fa = t, f
        else:
            b, fb = t, f
        if b - a < mpf(10) ** -22 * max(1, abs(b)) or abs(f) < mpf(10) ** -24:
            return at(t)
    return at((a + b) / 2)


def whole_quantile(family, side, p, theta):
    goal = mp.log(p)
    def enough(k):
        low, high = log_tails(family, mpf(k), theta)
        return low >= goal if side == "Q" else high <= goal
    if enough(0):
        return 0
    low, step = 0, 1
    while not enough(low + step):
        low, step = low + step, step * 2
    high = low + step
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if enough(middle) else (middle, high)
    return high


def number(x):
    return mp.nstr(x, 17) if mp.isfinite(x) else ("inf" if x > 0 else "-inf")


def main():
    name = sys.argv[1]
    family = globals()[name.replace("-", "_")]
    values = int(sys.argv[2]) if len(sys.argv) > 2 else 7
    for theta in family.sets:
        theta = [mpf(x) for x in theta]
        show = [repr(float(x)) for x in theta]
        for side, p in spread(values):
            find = whole_quantile if family.discrete else quantile
            x = find(family, side, p, theta)
            if x is None or not 1e-300 < abs(x) < 1e300 and x != 0:
                continue
            wide = mp.nstr(x, 17)
            print("\t".join([side, *show, repr(p), wide]))
            x = mpf(float(x))
            if name == "beta" and not 0 < x < 1:
                continue
            low, high = log_tails(family, x, theta)
            print("\t".join(["D", *show, repr(float(x)), number(family.log_density(x, *theta)), number(low), number(high)]))


if __name__ == "__main__":
    main()
