//! A block of rows, and passes over it that are compiled to vector instructions, with the same bits on
//! every machine and for any number of threads.

/// Sums that are formed side by side.
pub const LANES: usize = 8;
/// Rows whose terms are found before they are summed.
pub(super) const CHUNK: usize = 128;

/// A block of exact values.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// The values.
    pub values: &'a [f64],
    /// As many weights, or `None` if each is 1.
    pub weights: Option<&'a [f64]>,
}

impl Rows<'_> {
    /// Σ weights.
    pub fn total(self) -> f64 {
        self.weights.map_or(self.values.len() as f64, |w| w.iter().sum())
    }

    /// The smallest and the largest value.
    pub fn range(self) -> (f64, f64) {
        let (_, low, high) = vectorized(Ends(self.values));
        (low, high)
    }

    /// Each value by a function of a few operations.
    pub fn mapped(self, f: impl Fn(f64) -> f64) -> Vec<f64> {
        let mut values = vec![0.0; self.values.len()];
        vectorized(Mapping { values: self.values, into: &mut values, f });
        values
    }

    /// Sums of functions with the weights, formed in eight parts.
    pub fn sums<const K: usize>(self, f: impl Fn(f64) -> [f64; K]) -> [f64; K] {
        vectorized(Sums { rows: self, f })
    }

    /// The values with their weights.
    pub fn iter(&self) -> impl Iterator<Item = (f64, f64)> + '_ {
        let weight = |i: usize| self.weights.and_then(|w| w.get(i)).copied().unwrap_or(1.0);
        self.values.iter().enumerate().map(move |(i, &x)| (x, weight(i)))
    }
}

/// A call of [`Rows::mapped`].
struct Mapping<'a, F> {
    values: &'a [f64],
    into: &'a mut [f64],
    f: F,
}

impl<F: Fn(f64) -> f64> pulp::NullaryFnOnce for Mapping<'_, F> {
    type Output = ();

    #[inline(always)]
    fn call(self) {
        self.into.iter_mut().zip(self.values).for_each(|(into, &x)| *into = (self.f)(x));
    }
}

/// A call of [`Rows::sums`].
struct Sums<'a, F> {
    rows: Rows<'a>,
    f: F,
}

impl<F: Fn(f64) -> [f64; K], const K: usize> pulp::NullaryFnOnce for Sums<'_, F> {
    type Output = [f64; K];

    #[inline(always)]
    fn call(self) -> [f64; K] {
        let mut sums = [[0.0; LANES]; K];
        if self.rows.weights.is_some() {
            for (i, (x, w)) in self.rows.iter().enumerate() {
                let terms = (self.f)(x);
                sums.iter_mut().zip(terms).for_each(|(sum, term)| sum[i % LANES] += w * term);
            }
            return sums.map(joined);
        }
        let mut terms = [[0.0; CHUNK]; K];
        for values in self.rows.values.chunks(CHUNK) {
            for (i, &x) in values.iter().enumerate() {
                let of = (self.f)(x);
                for k in 0..K {
                    terms[k][i] = of[k];
                }
            }
            for (sums, terms) in sums.iter_mut().zip(&terms) {
                let (eights, rest) = terms[..values.len()].as_chunks::<LANES>();
                for eight in eights {
                    sums.iter_mut().zip(eight).for_each(|(sum, term)| *sum += term);
                }
                sums.iter_mut().zip(rest).for_each(|(sum, term)| *sum += term);
            }
        }
        sums.map(joined)
    }
}

/// The sum, the smallest and the largest of some values.
pub struct Ends<'a>(pub &'a [f64]);

impl pulp::NullaryFnOnce for Ends<'_> {
    type Output = (f64, f64, f64);

    #[inline(always)]
    fn call(self) -> Self::Output {
        let mut sums = [0.0; LANES];
        let (mut low, mut high) = ([f64::INFINITY; LANES], [f64::NEG_INFINITY; LANES]);
        // One after the other: together they are not compiled to vector instructions.
        for values in self.0.chunks(CHUNK) {
            let (eights, rest) = values.as_chunks::<LANES>();
            for eight in eights {
                sums.iter_mut().zip(eight).for_each(|(sum, x)| *sum += x);
            }
            sums.iter_mut().zip(rest).for_each(|(sum, x)| *sum += x);
            for eight in eights {
                low.iter_mut().zip(eight).for_each(|(low, x)| *low = least(*low, *x));
            }
            low.iter_mut().zip(rest).for_each(|(low, x)| *low = least(*low, *x));
            for eight in eights {
                high.iter_mut().zip(eight).for_each(|(high, x)| *high = most(*high, *x));
            }
            high.iter_mut().zip(rest).for_each(|(high, x)| *high = most(*high, *x));
        }
        let low = low.into_iter().fold(f64::INFINITY, f64::min);
        (joined(sums), low, high.into_iter().fold(f64::NEG_INFINITY, f64::max))
    }
}

/// Calls a function compiled for the vector instructions of this machine. What it calls has to be
/// inlined.
#[inline(always)]
pub fn vectorized<F: pulp::NullaryFnOnce>(f: F) -> F::Output {
    pulp::Arch::new().dispatch(f)
}

/// The smaller number, a if b is NaN: one instruction for vectors.
#[inline(always)]
pub fn least(a: f64, b: f64) -> f64 {
    if b < a { b } else { a }
}

/// The larger number, a if b is NaN.
#[inline(always)]
pub fn most(a: f64, b: f64) -> f64 {
    if b > a { b } else { a }
}

/// The sum of eight, in pairs.
#[inline(always)]
pub fn joined([a, b, c, d, e, f, g, h]: [f64; LANES]) -> f64 {
    ((a + e) + (c + g)) + ((b + f) + (d + h))
}
