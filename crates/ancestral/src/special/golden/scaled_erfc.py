"""Prints the coefficients of `special::vectorized::scaled_erfc`, by mpmath 1.4.

    python scaled_erfc.py

(1 + 2 x) exp(x²) erfc(x) is smooth in t = (x − 4) / (x + 4), which is −1 to 1 for x from 0 to ∞ (Shepherd and
Laframboise 1981). Its Chebyshev series is cut after degree 25, where it has fallen below 1e-18, and
written in powers of t, from the constant on.
"""

from mpmath import mp, mpf

mp.dps = 60
NODES, DEGREE, MIDDLE = 64, 25, 4


def smooth(t):
    x = MIDDLE * (1 + t) / (1 - t)
    return (1 + 2 * x) * mp.exp(x * x) * mp.erfc(x)


def main():
    angles = [mp.pi * (j + mpf(1) / 2) / NODES for j in range(NODES)]
    values = [smooth(mp.cos(a)) for a in angles]
    series = [2 / mpf(NODES) * sum(v * mp.cos(k * a) for v, a in zip(values, angles)) for k in range(DEGREE + 1)]
    series[0] /= 2
    # The polynomials T of Chebyshev by T(k + 1) = 2 t T(k) − T(k − 1).
    before, now, powers = [mpf(0)] * (DEGREE + 1), [mpf(1)] + [mpf(0)] * DEGREE, [mpf(0)] * (DEGREE + 1)
    for k, c in enumerate(series):
        powers = [p + c * n for p, n in zip(powers, now)]
        raised = [mpf(0)] + now[:-1]
        before, now = now, raised if k == 0 else [2 * r - b for r, b in zip(raised, before)]
    for p in powers:
        print(repr(float(p)))


main()
