//! Sums of several functions of a value over rows, in one pass that is compiled to vector instructions.

use super::rows::{CHUNK, LANES, Rows, joined, least, most, vectorized};
use super::special::vectorized::{self, LogProduct};

/// K functions of a value, and a number above 0 whose logarithm is summed, too.
pub trait Terms<const K: usize> {
    /// Of a value; without branches, so that it is vectorized, and to be inlined.
    fn of(&self, x: f64) -> ([f64; K], f64);
}

/// The sums of the terms of rows with their weights, and of the logarithms; NaN if these are not of
/// normal numbers.
pub fn sums<const K: usize>(rows: Rows<'_>, terms: &impl Terms<K>) -> ([f64; K], f64) {
    vectorized(Pass { rows, terms })
}

struct Pass<'a, T, const K: usize> {
    rows: Rows<'a>,
    terms: &'a T,
}

impl<T: Terms<K>, const K: usize> pulp::NullaryFnOnce for Pass<'_, T, K> {
    type Output = ([f64; K], f64);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let (mut all, mut logs) = ([[0.0; LANES]; K], [0.0; LANES]);
        let (mut terms, mut factors) = ([[0.0; CHUNK]; K], [1.0; CHUNK]);
        let (mut low, mut high) = ([1.0; LANES], [1.0; LANES]);
        // Products of 512 numbers below 2 are far below the largest number.
        for (part, values) in self.rows.values.chunks(512 * LANES).enumerate() {
            let mut products = [LogProduct::EMPTY; LANES];
            for (chunk, values) in values.chunks(CHUNK).enumerate() {
                let count = values.len();
                for (i, &x) in values.iter().enumerate() {
                    let (of, factor) = self.terms.of(x);
                    for k in 0..K {
                        terms[k][i] = of[k];
                    }
                    factors[i] = factor;
                }
                if let Some(weights) = self.rows.weights {
                    let first = part * 512 * LANES + chunk * CHUNK;
                    let weights = &weights[first..first + count];
                    for (i, w) in weights.iter().enumerate() {
                        terms.iter_mut().for_each(|terms| terms[i] *= w);
                        logs[i % LANES] += w * vectorized::ln(factors[i]);
                        low[i % LANES] = least(low[i % LANES], factors[i]);
                        high[i % LANES] = most(high[i % LANES], factors[i]);
                        factors[i] = 1.0;
                    }
                }
                // What a short chunk has left over is no term.
                let whole = count.div_ceil(LANES) * LANES;
                terms.iter_mut().for_each(|terms| terms[count..whole].fill(0.0));
                factors[count..whole].fill(1.0);
                for (sums, terms) in all.iter_mut().zip(&terms) {
                    for eight in terms[..whole].as_chunks::<LANES>().0 {
                        sums.iter_mut().zip(eight).for_each(|(sum, term)| *sum += term);
                    }
                }
                for eight in factors[..whole].as_chunks::<LANES>().0 {
                    for lane in 0..LANES {
                        products[lane].multiply(eight[lane]);
                        low[lane] = least(low[lane], eight[lane]);
                        high[lane] = most(high[lane], eight[lane]);
                    }
                }
            }
            logs.iter_mut().zip(products).for_each(|(sum, product)| *sum += product.ln());
        }
        let normal =
            low.iter().all(|x| *x >= f64::MIN_POSITIVE) && high.iter().all(|x| *x <= f64::MAX);
        (all.map(joined), if normal { joined(logs) } else { f64::NAN })
    }
}
