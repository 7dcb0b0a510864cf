//! Dot products between two sets of rows, blocked for registers and caches, with the widest vector
//! instructions of the processor.

use pulp::{Arch, Simd, WithSimd};

use super::points::Real;

/// Vectors of a panel: packed rows whose products are computed side by side.
const VECTORS: usize = 2;
/// Most numbers of a panel.
const WIDEST: usize = 32;

/// Runs a closure that the compiler turns into vector instructions; it and the functions that it calls take part
/// if they are `#[inline(always)]`.
#[inline]
pub(super) fn vectorized<R>(work: impl FnOnce() -> R) -> R {
    Arch::new().dispatch(work)
}

/// Rows `[count, columns]`, transposed in panels.
#[derive(Debug)]
pub(super) struct Packed<T> {
    /// `[panels, columns, width]`, filled up with zeros; the last panel has a single vector if that is
    /// enough.
    panels: Vec<T>,
    count: usize,
    columns: usize,
    /// Numbers of a vector.
    lanes: usize,
}

impl<T: Real> Packed<T> {
    /// Packs rows.
    pub(super) fn new(rows: &[T], columns: usize) -> Self {
        struct Count<T>(std::marker::PhantomData<T>);
        impl<T: Real> WithSimd for Count<T> {
            type Output = usize;

            #[inline(always)]
            fn with_simd<S: Simd>(self, _: S) -> usize {
                T::lanes::<S>()
            }
        }
        let lanes = Arch::new().dispatch(Count::<T>(std::marker::PhantomData));
        let count = rows.len() / columns;
        let mut panels = vec![T::default(); count.div_ceil(lanes) * lanes * columns];
        let (mut rest, mut panels_left) = (rows, panels.as_mut_slice());
        while !rest.is_empty() {
            let width = if rest.len() > lanes * columns { VECTORS * lanes } else { lanes };
            let (own, others) = rest.split_at(rest.len().min(width * columns));
            let (panel, next) = panels_left.split_at_mut(width * columns);
            for (i, row) in own.chunks_exact(columns).enumerate() {
                for (panel, &x) in panel.chunks_exact_mut(width).zip(row) {
                    panel[i] = x;
                }
            }
            (rest, panels_left) = (others, next);
        }
        Self { panels, count, columns, lanes }
    }

    /// The dot products of each of `rows` with each packed row, into `out` `[rows, count]`.
    ///
    /// A product has the same bits wherever its rows are.
    pub(super) fn dots(&self, rows: &[&[T]], out: &mut [T]) {
        struct Dots<'a, T>(&'a Packed<T>, &'a [&'a [T]], &'a mut [T]);
        impl<T: Real> WithSimd for Dots<'_, T> {
            type Output = ();

            #[inline(always)]
            fn with_simd<S: Simd>(self, simd: S) {
                let Self(packed, rows, out) = self;
                packed.dots_with(simd, rows, out);
            }
        }
        if self.count > 0 {
            Arch::new().dispatch(Dots(self, rows, out));
        }
    }

    #[inline(always)]
    fn dots_with<S: Simd>(&self, simd: S, rows: &[&[T]], out: &mut [T]) {
        debug_assert_eq!(self.lanes, T::lanes::<S>());
        let (mut first, mut rest) = (0, self.panels.as_slice());
        while first < self.count {
            let single = self.count - first <= self.lanes;
            let width = if single { self.lanes } else { VECTORS * self.lanes };
            let (panel, next) = rest.split_at(width * self.columns);
            let own = Panel { values: panel, first, width: width.min(self.count - first) };
            // 32 registers with vectors of 64 bytes, else 16.
            let wide = self.lanes * size_of::<T>() == 64;
            match (wide, single) {
                (true, true) => self.panel::<S, 8, 1>(simd, &own, rows, out),
                (true, false) => self.panel::<S, 8, VECTORS>(simd, &own, rows, out),
                (false, true) => self.panel::<S, 6, 1>(simd, &own, rows, out),
                (false, false) => self.panel::<S, 6, VECTORS>(simd, &own, rows, out),
            }
            (first, rest) = (first + width, next);
        }
    }

    #[inline(always)]
    fn panel<S: Simd, const R: usize, const V: usize>(
        &self,
        simd: S,
        panel: &Panel<'_, T>,
        rows: &[&[T]],
        out: &mut [T],
    ) {
        let mut buffer = [T::default(); WIDEST];
        let tiles = rows.as_chunks::<R>();
        let mut row = 0;
        let mut place = |sums: &[T::Vector<S>; V]| {
            let (vectors, _) = T::vectors_mut::<S>(&mut buffer);
            vectors[..V].copy_from_slice(sums);
            let out = &mut out[row * self.count + panel.first..];
            // The usual width is one that the compiler knows.
            let full = V * T::lanes::<S>();
            if panel.width == full {
                out[..full].copy_from_slice(&buffer[..full]);
            } else {
                out[..panel.width].copy_from_slice(&buffer[..panel.width]);
            }
            row += 1;
        };
        for tile in tiles.0 {
            products::<T, S, R, V>(simd, panel.values, tile).iter().for_each(&mut place);
        }
        for row in tiles.1 {
            products::<T, S, 1, V>(simd, panel.values, &[row]).iter().for_each(&mut place);
        }
    }
}

/// Packed rows side by side.
struct Panel<'a, T> {
    /// `[columns, vectors]`.
    values: &'a [T],
    /// The first of its rows.
    first: usize,
    /// The number of its rows.
    width: usize,
}

/// The products of `R` rows with the rows of a panel of `V` vectors.
#[inline(always)]
fn products<T: Real, S: Simd, const R: usize, const V: usize>(
    simd: S,
    panel: &[T],
    rows: &[&[T]; R],
) -> [[T::Vector<S>; V]; R] {
    let (panel, _) = T::vectors::<S>(panel).0.as_chunks::<V>();
    let rows = rows.map(|row| &row[..panel.len()]);
    let mut sums = [[T::splat(simd, T::default()); V]; R];
    for (k, packed) in panel.iter().enumerate() {
        for (sums, row) in sums.iter_mut().zip(&rows) {
            let x = T::splat(simd, row[k]);
            for (sum, &y) in sums.iter_mut().zip(packed) {
                *sum = T::mul_add(simd, x, y, *sum);
            }
        }
    }
    sums
}

/// Columns that are added side by side.
const LANES: usize = 16;
/// Columns from which vectors are worth a call.
const LONG: usize = 48;

/// The squared Euclidean distance of two rows, from their differences.
#[inline(always)]
pub(super) fn squared_distance<T: Real>(a: &[T], b: &[T]) -> T {
    if a.len() < LONG {
        return add_squares(a, b);
    }
    let [distance] = Arch::new().dispatch(Distances([a], [b]));
    distance
}

/// The squared Euclidean distances of four pairs of rows, with the bits of [`squared_distance`]; several rows
/// are fetched from memory at once.
#[inline(always)]
pub(super) fn squared_distances<T: Real>(a: [&[T]; 4], b: [&[T]; 4]) -> [T; 4] {
    if a[0].len() < LONG {
        return [0, 1, 2, 3].map(|pair| add_squares(a[pair], b[pair]));
    }
    Arch::new().dispatch(Distances(a, b))
}

struct Distances<'a, T, const N: usize>([&'a [T]; N], [&'a [T]; N]);

impl<T: Real, const N: usize> WithSimd for Distances<'_, T, N> {
    type Output = [T; N];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [T; N] {
        // Four sums for each pair, which do not wait for each other.
        let a = self.0.map(|a| T::vectors::<S>(a).0.as_chunks::<4>());
        let b = self.1.map(|b| T::vectors::<S>(b).0.as_chunks::<4>());
        let add = |sum: &mut T::Vector<S>, a: T::Vector<S>, b: T::Vector<S>| {
            let difference = T::subtract(simd, a, b);
            *sum = T::mul_add(simd, difference, difference, *sum);
        };
        let mut sums = [[T::splat(simd, T::default()); 4]; N];
        let count = a[0].0.len();
        let (fours_a, fours_b) = (a.map(|a| &a.0[..count]), b.map(|b| &b.0[..count]));
        for k in 0..count {
            for pair in 0..N {
                for sum in 0..4 {
                    add(&mut sums[pair][sum], fours_a[pair][k][sum], fours_b[pair][k][sum]);
                }
            }
        }
        let mut found = [T::default(); N];
        for pair in 0..N {
            for (sum, (&a, &b)) in sums[pair].iter_mut().zip(a[pair].1.iter().zip(b[pair].1)) {
                add(sum, a, b);
            }
            let rest = self.0[pair].len() / T::lanes::<S>() * T::lanes::<S>();
            let mut total = add_squares(&self.0[pair][rest..], &self.1[pair][rest..]);
            sums[pair].into_iter().for_each(|part| total += T::reduce(simd, part));
            found[pair] = total;
        }
        found
    }
}

/// The sum of squared differences.
#[inline(always)]
fn add_squares<T: Real>(a: &[T], b: &[T]) -> T {
    let mut lanes = [T::default(); LANES];
    let ((a, rest_a), (b, rest_b)) = (a.as_chunks::<LANES>(), b.as_chunks::<LANES>());
    for (a, b) in a.iter().zip(b) {
        for l in 0..LANES {
            let difference = a[l] - b[l];
            lanes[l] += difference * difference;
        }
    }
    let mut half = LANES / 2;
    while half > 0 {
        for l in 0..half {
            lanes[l] += lanes[l + half];
        }
        half /= 2;
    }
    let mut sum = lanes[0];
    for (&a, &b) in rest_a.iter().zip(rest_b) {
        let difference = a - b;
        sum += difference * difference;
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::super::testing::Noise;
    use super::*;

    #[test]
    fn products_are_those_of_a_plain_loop_at_odd_sizes() {
        for (rows, count, columns) in
            [(1, 1, 1), (4, 8, 16), (7, 13, 5), (9, 3, 33), (130, 17, 2), (17, 32, 9), (5, 49, 70)]
        {
            let mut noise = Noise::new(3);
            let (a, b) = (noise.normals(rows * columns), noise.normals(count * columns));
            let mut out = vec![f64::NAN; rows * count];
            let rows: Vec<&[f64]> = a.chunks_exact(columns).collect();
            Packed::new(&b, columns).dots(&rows, &mut out);
            for (i, a) in a.chunks_exact(columns).enumerate() {
                for (j, b) in b.chunks_exact(columns).enumerate() {
                    let dot: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
                    assert!((out[i * count + j] - dot).abs() < 1e-12);
                    let apart: f64 = a.iter().zip(b).map(|(a, b)| (a - b).powi(2)).sum();
                    assert!((squared_distance(a, b) - apart).abs() < 1e-12 * apart);
                }
            }
            let single: Vec<f32> = a.iter().map(|&x| x as f32).collect();
            let rows: Vec<&[f32]> = single.chunks_exact(columns).collect();
            let packed: Vec<f32> = b.iter().map(|&x| x as f32).collect();
            let mut found = vec![f32::NAN; out.len()];
            Packed::new(&packed, columns).dots(&rows, &mut found);
            assert!(found.iter().zip(&out).all(|(a, b)| (f64::from(*a) - b).abs() < 1e-4));
            // The same bits for a row alone.
            let mut alone = vec![0.0; count];
            Packed::new(&packed, columns).dots(&rows[..1], &mut alone);
            assert_eq!(alone, found[..count]);
        }
    }
}
