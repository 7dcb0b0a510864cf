"""Prints special.tsv, by mpmath 1.4 with 40 digits: function, arguments, value (of the tails, two logarithms).

    python special.py > special.tsv
"""

from mpmath import mp, mpf

mp.dps = 40


def show(name, arguments, *values):
    print("\t".join([name, *(repr(float(a)) for a in arguments), *(mp.nstr(v, 17, strip_zeros=True) for v in values)]))


def tails(lower, upper):
    """The larger one by the smaller one, whose digits it may not show."""
    if lower < upper:
        return [mp.log(lower), mp.log1p(-lower)]
    return [mp.log1p(-upper), mp.log(upper)]


def gamma_tails(a, x):
    mp.dps = 400
    return tails(mp.gammainc(a, 0, x, regularized=True), mp.gammainc(a, x, regularized=True))


def temme(a, x):
    """Each tail by its integral, since series are too long."""
    log_f = lambda t: (a - 1) * mp.log(t) - t - mp.loggamma(a)
    s = mp.sqrt(a)
    peak = log_f(x)
    f = lambda t: mp.exp(log_f(t) - peak)
    cuts = lambda sign: [x + sign * s * k for k in (0, 1, 2, 4, 8, 16)]
    small = mp.quad(f, cuts(1 if x > a else -1))
    small = abs(small) * mp.exp(peak)
    return tails(1 - small, small) if x > a else tails(small, 1 - small)


def beta_tails(a, b, x):
    return tails(mp.betainc(a, b, 0, x, regularized=True), mp.betainc(b, a, 0, 1 - x, regularized=True))


def main():
    for x in (1e-300, 1e-8, 0.3, 1, 1.5, 2, 2.5, 9.99, 10, 123.4, 1e10, 1e200):
        x = mpf(x)
        show("ln_gamma", [x], mp.loggamma(x))
        show("digamma", [x], mp.digamma(x))
        show("trigamma", [x], mp.psi(1, x))
        mp.dps = 450
        show("stirling_rest", [x], mp.loggamma(x) - (x - 0.5) * mp.log(x) + x - mp.log(2 * mp.pi) / 2)
        mp.dps = 40
    for x in (1e-17, 1e-9, -1e-5, 0.01, -0.3, 0.7, -0.999, 50):
        show("ln_1p_minus", [x], mp.log1p(mpf(x)) - mpf(x))
    for x in (0, 1e-9, 0.5, 3, 4.999, 5, 8, 11, 1e5):
        mp.dps = 60
        x = mpf(x)
        value = mp.exp(x * x) * mp.erfc(x) if x < 1e3 else (1 - 1 / (2 * x * x) + 3 / (4 * x**4)) / (x * mp.sqrt(mp.pi))
        show("scaled_erfc", [x], value)
    for z in (-300, -37.5, -8, -1, -1e-8, 0, 0.3, 5, 8.5, 40):
        z = mpf(z)
        mp.dps = 400
        show("normal_tails", [z], *tails(mp.ncdf(z), mp.ncdf(-z)))
        mp.dps = 40
    shapes = [1e-10, 1e-3, 0.1, 0.9, 1, 2.5, 30, 900, 1001, 5000]
    for a in shapes:
        for t in (1e-12, 1e-3, 0.2, 0.8, 1, 1.05, 1.3, 3, 40):
            x = mpf(float(mpf(a) * t)) if a >= 0.5 else mpf(t)
            a_ = mpf(a)
            if a >= 900 and not 0.5 < t < 2:
                continue
            show("gamma_tails", [a_, x], *gamma_tails(a_, x))
    for a in (1e6, 1e10):
        for z in (-5, -1, 1e-3, 0.5, 6):
            x = mpf(float(mpf(a) + z * mp.sqrt(a)))
            show("gamma_tails", [a, x], *temme(mpf(a), x))
    for a, b in ((1e-8, 3), (0.1, 0.2), (0.5, 0.5), (1, 1), (2, 5), (0.01, 400), (30, 0.7), (200, 300), (3000, 20)):
        for x in (1e-20, 1e-4, 0.03, 0.3, 0.4, 0.6, 0.97, 0.9999):
            mp.dps = 60
            values = beta_tails(mpf(a), mpf(b), mpf(x))
            if all(mp.isfinite(mp.re(v)) and mp.im(v) == 0 for v in values) and values[0] > -2000 and values[1] > -2000:
                show("beta_tails", [a, b, x], *values)
    mp.dps = 40
    for a, b in ((1e-10, 2), (0.5, 0.5), (3, 9), (12, 0.1), (1e5, 3), (1e10, 1e9), (1e12, 1e-3)):
        show("ln_beta", [a, b], mp.loggamma(mpf(a)) + mp.loggamma(mpf(b)) - mp.loggamma(mpf(a) + mpf(b)))
    for x in (1e-9, 0.1, 1, 10, 29.9, 30, 31, 500, 1e7):
        mp.dps = 60
        x = mpf(x)
        i = [mp.besseli(k, x) for k in (0, 1)]
        show("ln_i0", [x], mp.log(i[0]))
        show("resultant", [x], i[1] / i[0])
        show("resultant_rest", [x], 1 - i[1] / i[0])
        show("resultant_slope", [x], 1 - i[1] / i[0] / x - (i[1] / i[0]) ** 2)
    for h in (0, 1e-3, 0.5, 2, 6, 12):
        for a in (1e-3, 0.5, 1, 3, 50):
            f = lambda t: mp.exp(-mpf(h) ** 2 * (1 + t * t) / 2) / (1 + t * t)
            value = mp.quad(f, [0, min(a, 0.1), min(a, 0.5), min(a, 1), min(a, 5), a]) / (2 * mp.pi)
            show("owens_t", [h, a], value)


main()
