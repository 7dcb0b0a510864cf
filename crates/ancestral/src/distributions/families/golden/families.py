"""Prints FAMILY.tsv, by mpmath 1.4: log-densities and tails at values, and quantiles.

    python families.py FAMILY [VALUES] > FAMILY.tsv

A line is D, parameters, value, log-density, log of the lower tail, log of the upper tail; or Q,
parameters, probability, quantile; or U, parameters, upper probability, quantile. VALUES is how many
values each set of parameters has (default 7). Every number is a double, or what follows from doubles;
those of scipy are where the search for a quantile starts, and the number of trials is the first parameter
of the binomial distribution.
"""

import sys

from mpmath import mp, mpf
from scipy import stats

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


STEPS = (0, 0.02, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3, 6, 12, 40)


def by_integral(f, x, width, low, high):
    """The smaller tail by integration away from the middle, in steps of a width."""
    ups = [min(x + width * k, high) for k in STEPS]
    downs = [max(x - width * k, low) for k in reversed(STEPS)]
    up, down = mp.quad(f, ups), mp.quad(f, downs)
    return (1 - up, up) if up < down else (down, 1 - down)


def beta_tails(a, b, x, y=None):
    y = 1 - x if y is None else y
    if x <= 0:
        return mpf(0), mpf(1)
    if y <= 0:
        return mpf(1), mpf(0)
    if min(a, b) > 3000:
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
    digits = 36
    # Further probabilities of the upper tail.
    further = ()
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
    sets = [(0, 1), (2, 1e-4), (-30, 5), (3, 0.2)]

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


class skew_normal(Family):
    sets = [(2, 0, 1), (-0.5, 1e9, 1e-3), (0, 3, 2), (30, -2, 5), (-1e4, 0, 1), (4, 0, 1e-12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, a, m, s):
        z = (x - m) / s
        return mp.log(2 / s) - z * z / 2 - mp.log(2 * mp.pi) / 2 + mp.log(normal_tails(a * z)[0])

    def tails(x, a, m, s):
        z = (x - m) / s
        if a < 0:
            return skew_normal.tails(-z, -a, mpf(0), mpf(1))[::-1]
        f = lambda t: mp.exp(skew_normal.log_density(t, a, mpf(0), mpf(1)))
        width = 1 / (1 + abs(z) * (1 + a * a) + a)
        steps = [width * mpf(4) ** k for k in range(12) if width * mpf(4) ** k < 40]
        if z < 0:
            low = mp.quad(f, [z - k for k in reversed(steps)] + [z])
            return low, 1 - low
        middle = mpf(1) / 2 - mp.atan(a) / mp.pi
        inner = mp.quad(f, [0] + [k for k in steps if k < z] + [z]) if z > 0 else 0
        if middle + inner < mpf(1) / 2:
            return middle + inner, 1 - middle - inner
        high = mp.quad(f, [z + k / (1 + z) for k in (0, 0.5, 1, 2, 4, 8, 16, 32, 64, 128)])
        return 1 - high, high

    standard = lambda a, m, s: (m, s)


class student_t(Family):
    sets = [(3, 0, 1), (0.2, 0, 1), (1, 1e9, 1e-3), (30, -2, 5), (1e4, 0, 1), (2.5, 0, 1e-12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, v, m, s):
        z = (x - m) / s
        return mp.loggamma((v + 1) / 2) - mp.loggamma(v / 2) - mp.log(v * mp.pi) / 2 - mp.log(s) - (v + 1) / 2 * mp.log1p(z * z / v)

    def tails(x, v, m, s):
        z = (x - m) / s
        small = beta_tails(v / 2, mpf(1) / 2, v / (v + z * z), z * z / (v + z * z))[0] / 2
        return (small, 1 - small) if z < 0 else (1 - small, small)

    standard = lambda v, m, s: (m, s)


class inverse_gamma(Family):
    sets = [(2.5, 3), (0.05, 1e-12), (180, 1e3)]

    def log_density(x, k, s):
        return k * mp.log(s) - mp.loggamma(k) - (k + 1) * mp.log(x) - s / x

    def tails(x, k, s):
        low, high = gamma_tails(k, s / x)
        return high, low

    standard = lambda k, s: (0, s / k)


class logistic(Family):
    sets = [(0, 1), (1e9, 1e-3), (-3, 1e12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, m, s):
        z = abs(x - m) / s
        return -z - 2 * mp.log1p(mp.exp(-z)) - mp.log(s)

    def tails(x, m, s):
        z = (x - m) / s
        return 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))

    standard = lambda m, s: (m, s)


class log_logistic(Family):
    sets = [(1.5, 2), (0.3, 1e-12), (400, 1e9)]

    def log_density(x, k, s):
        z = k * mp.log(x / s)
        return mp.log(k) - mp.log(x) + z - 2 * mp.log1p(mp.exp(z))

    def tails(x, k, s):
        z = k * mp.log(x / s)
        return 1 / (1 + mp.exp(-z)), 1 / (1 + mp.exp(z))

    standard = lambda k, s: (0, s)


class cauchy(Family):
    sets = [(0, 1), (1e9, 1e-3), (-3, 1e12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, m, s):
        return -mp.log(mp.pi * s) - mp.log1p(((x - m) / s) ** 2)

    def tails(x, m, s):
        z = (x - m) / s
        return mp.atan2(1, -z) / mp.pi, mp.atan2(1, z) / mp.pi

    standard = lambda m, s: (m, s)


class gumbel(Family):
    sets = [(0, 1), (1e9, 1e-3), (-3, 1e12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, m, s):
        z = (x - m) / s
        return -z - mp.exp(-z) - mp.log(s)

    def tails(x, m, s):
        z = (x - m) / s
        return mp.exp(-mp.exp(-z)), -mp.expm1(-mp.exp(-z))

    standard = lambda m, s: (m, s)


class laplace(Family):
    sets = [(0, 1), (1e9, 1e-3), (-3, 1e12)]
    chart = staticmethod(mp.sinh)

    def log_density(x, m, s):
        return -abs(x - m) / s - mp.log(2 * s)

    def tails(x, m, s):
        small = mp.exp(-abs(x - m) / s) / 2
        return (small, 1 - small) if x < m else (1 - small, small)

    standard = lambda m, s: (m, s)


class half_normal(Family):
    sets = [(1,), (1e-12,), (1e9,)]

    def log_density(x, s):
        return mp.log(mp.sqrt(2 / mp.pi) / s) - (x / s) ** 2 / 2

    def tails(x, s):
        return mp.erf(x / s / mp.sqrt(2)), mp.erfc(x / s / mp.sqrt(2))

    standard = lambda s: (0, s)


class rayleigh(Family):
    sets = [(1,), (1e-12,), (1e9,)]

    def log_density(x, s):
        return mp.log(x / s / s) - (x / s) ** 2 / 2

    def tails(x, s):
        return -mp.expm1(-((x / s) ** 2) / 2), mp.exp(-((x / s) ** 2) / 2)

    standard = lambda s: (0, s)


class chi_squared(Family):
    sets = [(1,), (0.1,), (7.5,), (400,)]

    def log_density(x, v):
        return gamma.log_density(x, v / 2, mpf(2))

    def tails(x, v):
        return gamma_tails(v / 2, x / 2)


class geometric(Family):
    sets = [(0.3,), (1e-9,), (0.9985,)]
    discrete = True

    def log_density(x, p):
        return mp.log(p) + (x - 1) * mp.log1p(-p)

    def tails(x, p):
        return -mp.expm1(x * mp.log1p(-p)), mp.exp(x * mp.log1p(-p))


class inverse_gaussian(Family):
    sets = [(1, 1), (2, 50), (1e-9, 1e-3), (3, 0.1), (1, 1e10)]

    def log_density(x, m, k):
        return mp.log(k / (2 * mp.pi * x**3)) / 2 - k * (x - m) ** 2 / (2 * m * m * x)

    def tails(x, m, k):
        mp.dps = 36 if k < 1e8 * m else 60
        root = mp.sqrt(k / x)
        a, b = normal_tails(root * (x / m - 1)), normal_tails(-root * (x / m + 1))[0]
        second = mp.exp(2 * k / m + mp.log(b)) if b > 0 else mpf(0)
        return a[0] + second, a[1] - second

    standard = lambda m, k: (0, m)


class zero_inflated_poisson(Family):
    sets = [(0.3, 4), (1e-9, 100), (0.999, 2)]
    discrete = True

    def log_density(x, p, r):
        return mp.log(p + (1 - p) * mp.exp(-r)) if x == 0 else mp.log1p(-p) + poisson.log_density(x, r)

    def tails(x, p, r):
        low, high = poisson.tails(x, r)
        return p + (1 - p) * low, (1 - p) * high


class pareto(Family):
    sets = [(1.5, 2), (0.01, 1e-12), (1e6, 1e9)]

    def log_density(x, k, s):
        return mp.log(k) + k * mp.log(s) - (k + 1) * mp.log(x)

    def tails(x, k, s):
        return -mp.expm1(-k * mp.log(x / s)), mp.exp(-k * mp.log(x / s))

    standard = lambda k, s: (s, s)


class uniform(Family):
    sets = [(0, 1), (-3, 1e12), (1e9, 1000000001)]
    chart = staticmethod(lambda t: 1 / (1 + mp.exp(-t)))

    def log_density(x, a, b):
        return -mp.log(b - a)

    def tails(x, a, b):
        return (x - a) / (b - a), (b - x) / (b - a)

    standard = lambda a, b: (a, b - a)


class gev(Family):
    """Shape (positive for heavy tails), location, scale."""

    sets = [(0.2, 0, 1), (1e-9, 3, 2), (0, 0, 1), (-0.3, 1e3, 1), (1.5, 0, 1e12)]
    # Near the end of the support, where 1 + ξ z cancels.
    further = (1e-30, 1e-40, 1e-50)

    def reduced(x, k, m, s):
        z = (x - m) / s
        return mp.log1p(k * z) / k if k else z

    def log_density(x, k, m, s):
        y = gev.reduced(x, k, m, s)
        return -(1 + k) * y - mp.exp(-y) - mp.log(s)

    def tails(x, k, m, s):
        y = gev.reduced(x, k, m, s)
        return mp.exp(-mp.exp(-y)), -mp.expm1(-mp.exp(-y))

    def inverse(k, m, s, low, high):
        y = -mp.log(-mp.log(low)) if low is not None else -mp.log(-mp.log1p(-high))
        return m + s * (mp.expm1(k * y) / k if k else y)


class gpd(Family):
    """Shape (positive for heavy tails), scale."""

    sets = [(0.2, 1), (1e-9, 2), (0, 1), (-0.3, 1e-12), (1.5, 1e9)]
    # Near the end of the support, where 1 + ξ z cancels.
    further = (1e-30, 1e-40, 1e-50)

    def log_density(x, k, s):
        return -(1 + k) * (mp.log1p(k * x / s) / k if k else x / s) - mp.log(s)

    def tails(x, k, s):
        y = mp.log1p(k * x / s) / k if k else x / s
        return -mp.expm1(-y), mp.exp(-y)

    def inverse(k, s, low, high):
        y = -mp.log1p(-low) if low is not None else -mp.log(high)
        return s * (mp.expm1(k * y) / k if k else y)


class von_mises(Family):
    """Location and concentration; tails on [−π, π]."""

    # The smallest tail and more.
    digits = 320
    sets = [(1, 2), (-3, 0.1), (0.5, 1e4), (3, 2)]
    chart = staticmethod(lambda t: 1 / (1 + mp.exp(-t)))
    standard = lambda m, k: (-mp.pi, 2 * mp.pi)

    def log_density(x, m, k):
        return k * mp.cos(x - m) - mp.log(2 * mp.pi * mp.besseli(0, k))

    def ratios(k):
        """I_j(κ) / (I_0(κ) j) in multiples of 2^-bits, for j = 1, 2, … by recurrence from far on (Miller's algorithm)."""
        if k not in RATIOS:
            count = 240 + int(40 * mp.sqrt(k))
            values = [mpf(0), mpf(1)]
            for j in range(count, 0, -1):
                values.append(values[-2] + 2 * j / k * values[-1])
            values.reverse()
            bits = mp.prec + 64
            RATIOS[k] = [int(mp.ldexp(v / values[0] / j, bits)) for j, v in enumerate(values[1:-1], 1)]
        return RATIOS[k]

    def tails(x, m, k):
        """By the Fourier series, to absolute errors far below the tails."""
        if x <= -mp.pi:
            return mpf(0), mpf(1)
        if x >= mp.pi:
            return mpf(1), mpf(0)
        ratios = von_mises.ratios(k)

        bits = mp.prec + 64

        def primitive(y):
            """By Clenshaw's recurrence, in whole multiples of 2^-bits."""
            twice = int(mp.ldexp(2 * mp.cos(y), bits))
            b, after = 0, 0
            for term in reversed(ratios):
                b, after = term + (twice * b >> bits) - after, b
            return y / 2 + mp.ldexp(b, -bits) * mp.sin(y)

        if (m, k) not in FIRST:
            FIRST[m, k] = primitive(-mp.pi - m)
        low = (primitive(x - m) - FIRST[m, k]) / mp.pi
        return low, 1 - low


RATIOS, FIRST = {}, {}


class binomial(Family):
    """The number of trials and the probability."""

    sets = [(1, 0.3), (10, 0.999), (365, 0.02), (100000, 0.5), (1000000, 1e-6)]
    discrete = True

    def log_density(x, n, p):
        ln = mp.loggamma(n + 1) - mp.loggamma(x + 1) - mp.loggamma(n - x + 1)
        return ln + x * mp.log(p) + (n - x) * mp.log1p(-p)

    def tails(x, n, p):
        return beta_tails(n - x, x + 1, 1 - p, p) if x < n else (mpf(1), mpf(0))


# scipy's distributions, whose quantiles are where the search starts.
PEERS = {
    gamma: lambda k, s: stats.gamma(k, 0, s),
    inverse_gamma: lambda k, s: stats.invgamma(k, 0, s),
    chi_squared: stats.chi2,
    beta: stats.beta,
    student_t: stats.t,
    skew_normal: stats.skewnorm,
    poisson: stats.poisson,
    negative_binomial: lambda r, m: stats.nbinom(r, r / (r + m)),
    binomial: stats.binom,
}


def guess(family, side, p, theta):
    """A finite number, or None."""
    if family is von_mises:
        return theta[0]
    if family not in PEERS:
        return None
    peer = PEERS[family](*map(float, theta))
    try:
        found = float(peer.ppf(p) if side == "Q" else peer.isf(p))
    except OverflowError:
        return None
    return mpf(found) if abs(found) < 1e300 else None


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


def newton(family, side, goal, theta, z):
    """By Newton's method on the logarithm of the tail, in the coordinate of the support; None if that does
    not converge."""
    location, scale = family.standard(*theta) if hasattr(family, "standard") else (0, 1)
    if family.chart == mp.sinh:
        t = mp.asinh(z)
        slope = mp.cosh
    elif family.chart == mp.exp:
        t = mp.log(z) if z > 0 else None
        slope = mp.exp
    else:
        t = mp.log(z) - mp.log1p(-z) if 0 < z < 1 else None
        slope = lambda t: 1 / (2 + mp.exp(t) + mp.exp(-t))
    for _ in range(60):
        if t is None or not abs(t) < 3000:
            return None
        x = location + scale * family.chart(t)
        low, high = log_tails(family, x, theta)
        tail, sign = (low, 1) if side == "Q" else (high, -1)
        if not mp.isfinite(tail):
            return None
        ratio = mp.exp(family.log_density(x, *theta) - tail) * scale * slope(t)
        step = sign * (goal - tail) / ratio if ratio > 0 else INF
        small = max(abs(step), abs(goal - tail)) < mpf(10) ** -10 * max(1, abs(t))
        t += max(min(step, 20), -20)
        # Its square is what is left.
        if small:
            return location + scale * family.chart(t)
    return None


def quantile(family, side, p, theta):
    """By halving on the logarithm of the tail, in the coordinate of the support."""
    if hasattr(family, "inverse"):
        return family.inverse(*theta, mpf(p) if side == "Q" else None, mpf(p) if side == "U" else None)
    location, scale = family.standard(*theta) if hasattr(family, "standard") else (0, 1)
    at = lambda t: location + scale * family.chart(t)
    goal = mp.log(p)
    first = guess(family, side, p, theta)
    found = None if first is None else newton(family, side, goal, theta, (first - location) / scale)
    if found is not None:
        return found
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
    t = (a + b) / 2
    for _ in range(200):
        # Newton's steps by differences, halved where they leave the bracket.
        f = error(t)
        if f < 0:
            a = t
        else:
            b = t
        h = mpf(10) ** -15 * max(1, abs(t))
        slope = (error(t + h) - f) / h if mp.isfinite(f) else 0
        new = t - f / slope if slope else None
        # Where the tail falls by the exponential of an exponential, Newton's steps alone creep.
        creeps = _ % 3 == 2 and b - a > mpf(10) ** -6 * max(1, abs(t))
        if new is None or not a < new < b or creeps:
            new = (a + b) / 2
        if abs(new - t) < mpf(10) ** -20 * max(1, abs(t)):
            return at(new)
        t = new
    return at(t)


def whole_quantile(family, side, p, theta):
    goal = mp.log(p)
    def enough(k):
        low, high = log_tails(family, mpf(k), theta)
        return low >= goal if side == "Q" else high <= goal
    first = 1 if family is geometric else 0
    if enough(first):
        return first
    near = guess(family, side, p, theta)
    if near is not None and near > first + 1 and not enough(int(near) - 1):
        first = int(near) - 1
    low, step = first, 1
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
    mp.dps = family.digits
    for theta in family.sets:
        theta = [mpf(x) for x in theta]
        show = [repr(float(x)) for x in theta]
        for side, p in spread(values) + [("U", p) for p in family.further]:
            find = whole_quantile if family.discrete else quantile
            x = find(family, side, p, theta)
            if x is None or not 1e-300 < abs(x) < 1e300 and x != 0:
                continue
            wide = mp.nstr(x, 17)
            print("\t".join([side, *show, repr(p), wide]))
            x = mpf(float(x))
            if name == "beta" and not 0 < x < 1:
                continue
            if name in ("gev", "gpd") and 1 + theta[0] * (x - (theta[1] if name == "gev" else 0)) / theta[-1] <= 0:
                continue
            low, high = log_tails(family, x, theta)
            if name == "von-mises" and min(low, high) < -30:
                # The value is as close to the end of the circle as doubles are to each other.
                continue
            print("\t".join(["D", *show, repr(float(x)), number(family.log_density(x, *theta)), number(low), number(high)]))


if __name__ == "__main__":
    main()
