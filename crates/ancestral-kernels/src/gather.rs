//! Products that read one factor in place: for a list of steps (from, row),
//! out\[j\]\[lane\] = Σ input\[at\[j\] + from\]·panel\[row\]\[lane\].
//!
//! A convolution and both of its gradients have this form. Going forward, j runs over output
//! pixels, t over channels and taps, and lanes are output channels; for the filter gradient, j
//! runs over taps and t over pixels. So no patch of an image is copied (no im2col): a value is
//! read in place and multiplied by a vector, for any filter, stride and row size.

use rayon::prelude::*;

use crate::{
    aligned::Aligned,
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// Lanes of a vector.
pub(crate) fn lanes(isa: Isa) -> usize {
    struct Lanes;
    impl Kernel for Lanes {
        type Output = usize;
        #[inline(always)]
        fn run<S: Simd>(self, _: S) -> usize {
            S::N
        }
    }
    isa.run(Lanes)
}

/// The packed factor: for each block of lanes, two vectors wide (or one, if
/// that is enough for the last), the steps one after another; lanes that do not exist are zero.
#[derive(Debug)]
pub(crate) struct Panels {
    values: Aligned,
    steps: usize,
    lanes: usize,
    /// Lanes of a vector.
    n: usize,
}

impl Panels {
    /// Takes source\[starts\[t\] + lane·`stride`\].
    pub(crate) fn pack(
        isa: Isa,
        source: &[f32],
        starts: &[usize],
        stride: usize,
        lane_count: usize,
    ) -> Self {
        let (steps, n) = (starts.len(), lanes(isa));
        if let (Some(last), true) = (starts.iter().max(), lane_count > 0) {
            assert!(last + (lane_count - 1) * stride < source.len(), "panels lie in their source");
        }
        let empty = Self { values: Aligned::zeros(0), steps, lanes: lane_count, n };
        // Steps that are packed together.
        let run = (16_384 / (2 * n)).max(1);
        let runs = steps.div_ceil(run);
        let len = steps * lane_count.div_ceil(n) * n;
        // SAFETY: every block's steps are written, each with its whole width.
        let values = unsafe {
            Aligned::filled(len, |out| {
                let out = SharedPtr(out);
                let work = |i: usize| {
                    let (block, first) = (i / runs, i % runs * run);
                    let (width, lane) = (empty.width(block), empty.first(block));
                    let starts = &starts[first..steps.min(first + run)];
                    // Each piece is written by one call alone.
                    let out = out.get().add(steps * lane + first * width);
                    isa.run(Pack {
                        source: source.as_ptr().add(lane * stride),
                        starts,
                        stride,
                        valid: width.min(lane_count - lane),
                        width,
                        out,
                    });
                };
                let pieces = runs * empty.blocks();
                if pieces < 2 {
                    (0..pieces).for_each(work);
                } else {
                    (0..pieces).into_par_iter().for_each(work);
                }
            })
        };
        Self { values, ..empty }
    }

    /// How many blocks of lanes there are.
    pub(crate) fn blocks(&self) -> usize {
        self.lanes.div_ceil(2 * self.n)
    }

    /// The first lane of a block.
    pub(crate) fn first(&self, block: usize) -> usize {
        2 * self.n * block
    }

    /// Lanes of a block with the zeros.
    pub(crate) fn width(&self, block: usize) -> usize {
        if self.lanes - self.first(block) <= self.n { self.n } else { 2 * self.n }
    }

    /// Lanes of a block without the zeros.
    pub(crate) fn valid(&self, block: usize) -> usize {
        self.width(block).min(self.lanes - self.first(block))
    }

    /// The rows from `step` on of a block.
    pub(crate) fn of(&self, block: usize, step: usize) -> &[f32] {
        let (from, width) = (self.steps * self.first(block), self.width(block));
        &self.values[from + step * width..from + self.steps * width]
    }
}

struct Pack<'a> {
    source: *const f32,
    starts: &'a [usize],
    stride: usize,
    valid: usize,
    width: usize,
    out: *mut f32,
}

impl Kernel for Pack<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { source, starts, stride, valid, width, out } = self;
        let mut t = 0;
        // SAFETY: `valid` ≤ `width` ≤ 32 lanes of every start lie in the source, and there is room
        // for `width` lanes for each.
        unsafe {
            while t < starts.len() {
                let start = starts[t];
                let row = out.add(t * width);
                if stride == 1 {
                    copy(s, source.add(start), row, valid);
                    (valid..width).for_each(|lane| row.add(lane).write(0.0));
                    t += 1;
                } else if t + S::N <= starts.len()
                    && starts[t..t + S::N].windows(2).all(|pair| pair[1] == pair[0] + 1)
                {
                    // Starts one after another: whole lines of each lane, transposed.
                    for first in (0..width).step_by(S::N) {
                        let mut square = [s.splat(0.0); 16];
                        for (lane, line) in (first..valid).zip(&mut square[..S::N]) {
                            *line = s.load(source.add(start + lane * stride));
                        }
                        s.transpose(&mut square);
                        for (i, &values) in square[..S::N].iter().enumerate() {
                            s.store(row.add(i * width + first), values);
                        }
                    }
                    t += S::N;
                } else {
                    for lane in 0..valid {
                        *row.add(lane) = *source.add(start + lane * stride);
                    }
                    (valid..width).for_each(|lane| row.add(lane).write(0.0));
                    t += 1;
                }
            }
        }
    }
}

/// Copies `len` values.
///
/// # Safety
/// They must be readable at `from` and writable at `to`, apart from one another.
#[inline(always)]
unsafe fn copy<S: Simd>(s: S, from: *const f32, to: *mut f32, len: usize) {
    let mut i = 0;
    // SAFETY: the caller's.
    unsafe {
        while i + S::N <= len {
            s.store(to.add(i), s.load(from.add(i)));
            i += S::N;
        }
        if i < len {
            s.store_part(to.add(i), len - i, s.load_part(from.add(i), len - i));
        }
    }
}

/// How the loops multiply.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Unit {
    pub(crate) isa: Isa,
    /// Whether both factors are pairs of bf16, as bf16 convolutions make them.
    pub(crate) pairs: bool,
}

impl Unit {
    pub(crate) fn run(self, gather: Gather) {
        if self.pairs {
            self.isa.run_pairs(Product::<true>(gather));
        } else {
            self.isa.run(Product::<false>(gather));
        }
    }
}

/// The product, for one block of lanes: out\[j\] is `width` values.
pub(crate) struct Gather<'a> {
    pub(crate) input: &'a [f32],
    /// The input offset of each output row.
    pub(crate) at: &'a [u32],
    /// For each step, the offset relative to that, and the row of the panel.
    pub(crate) steps: &'a [[u32; 2]],
    /// `width` values a row.
    pub(crate) panel: &'a [f32],
    pub(crate) width: usize,
    /// `width` values a row.
    pub(crate) out: &'a mut [f32],
    /// Whether to add to what is there.
    pub(crate) accumulate: bool,
}

/// Steps that are summed in registers; longer sums add up such parts, so that the rounding errors of
/// long sums grow with the square root.
const RUN: usize = 512;

/// A product of single numbers, or of pairs.
struct Product<'a, const PAIRS: bool>(Gather<'a>);

impl<const PAIRS: bool> Kernel for Product<'_, PAIRS> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Gather { input, at, steps, panel, width, out, accumulate } = self.0;
        let last = |offset: Option<u32>| offset.map_or(0, |offset| offset as usize);
        let begin = last(at.iter().copied().max());
        let from = last(steps.iter().map(|step| step[0]).max());
        let row = last(steps.iter().map(|step| step[1]).max());
        assert!(
            at.is_empty()
                || steps.is_empty()
                || begin + from < input.len() && (row + 1) * width <= panel.len(),
            "all that is read lies in its slice"
        );
        assert!(out.len() >= at.len() * width, "there is room for every row");
        assert!(width == S::N || width == 2 * S::N, "a block is one or two vectors wide");
        // As many sums as fit in registers in addition to the factors, in tiles of nearly equal
        // size.
        let most = if S::N == 16 { 10 } else { 4 };
        let tiles = at.len().div_ceil(most);
        let mut row = 0;
        for i in 0..tiles {
            let rows = (at.len() - row).div_ceil(tiles - i);
            let mut first = 0;
            loop {
                let end = steps.len().min(first + RUN);
                let tile = Tile {
                    input: input.as_ptr(),
                    at: at[row..row + rows].as_ptr(),
                    steps: &steps[first..end],
                    panel: panel.as_ptr(),
                    out: out[row * width..].as_mut_ptr(),
                    accumulate: accumulate || first > 0,
                };
                // SAFETY: the sizes were checked above.
                unsafe {
                    if width == S::N {
                        tile.run::<S, 1, PAIRS>(s, rows)
                    } else {
                        tile.run::<S, 2, PAIRS>(s, rows)
                    }
                }
                first = end;
                if first == steps.len() {
                    break;
                }
            }
            row += rows;
        }
    }
}

#[derive(Clone, Copy)]
struct Tile<'a> {
    input: *const f32,
    at: *const u32,
    steps: &'a [[u32; 2]],
    panel: *const f32,
    out: *mut f32,
    accumulate: bool,
}

impl Tile<'_> {
    /// # Safety
    /// As in `sums`, for this many rows.
    #[inline(always)]
    unsafe fn run<S: Simd, const V: usize, const PAIRS: bool>(self, s: S, rows: usize) {
        // SAFETY: the caller's.
        unsafe {
            match rows {
                1 => self.sums::<S, 1, V, PAIRS>(s),
                2 => self.sums::<S, 2, V, PAIRS>(s),
                3 => self.sums::<S, 3, V, PAIRS>(s),
                4 => self.sums::<S, 4, V, PAIRS>(s),
                _ if S::N < 16 => unreachable!("tiles have at most four rows"),
                5 => self.sums::<S, 5, V, PAIRS>(s),
                6 => self.sums::<S, 6, V, PAIRS>(s),
                7 => self.sums::<S, 7, V, PAIRS>(s),
                8 => self.sums::<S, 8, V, PAIRS>(s),
                9 => self.sums::<S, 9, V, PAIRS>(s),
                10 => self.sums::<S, 10, V, PAIRS>(s),
                _ => unreachable!("tiles have at most ten rows"),
            }
        }
    }

    /// # Safety
    /// `J` offsets at `at`, each of which with each step is readable in the input; `V` vectors in
    /// the panel for each row that a step names, and at `out` for each offset.
    #[inline(always)]
    unsafe fn sums<S: Simd, const J: usize, const V: usize, const PAIRS: bool>(self, s: S) {
        let mut sums = [[s.splat(0.0); V]; J];
        let mut from = [self.input; J];
        // SAFETY: the caller's.
        unsafe {
            for (j, from) in from.iter_mut().enumerate() {
                *from = self.input.add(*self.at.add(j) as usize);
            }
            for &[step, row] in self.steps {
                let panel = self.panel.add(row as usize * V * S::N);
                // Rows of the panel mostly follow one another; by lines of the cache.
                for lane in (0..V * S::N).step_by(16) {
                    s.prefetch(panel.wrapping_add(8 * V * S::N + lane));
                }
                let mut w = [s.splat(0.0); V];
                for (v, w) in w.iter_mut().enumerate() {
                    *w = s.load(panel.add(v * S::N));
                }
                for j in 0..J {
                    let x = s.splat(*from[j].add(step as usize));
                    for v in 0..V {
                        sums[j][v] = if PAIRS {
                            s.fma_pairs(x, w[v], sums[j][v])
                        } else {
                            s.fma(x, w[v], sums[j][v])
                        };
                    }
                }
            }
            for (j, sums) in sums.iter().enumerate() {
                for (v, &sum) in sums.iter().enumerate() {
                    let out = self.out.add((j * V + v) * S::N);
                    let sum = if self.accumulate { s.add(s.load(out), sum) } else { sum };
                    s.store(out, sum);
                }
            }
        }
    }
}

/// Turns rows of lanes into planes: out\[lane·`plane` + to\[j\]\] = rows\[j\]\[lane\] + bias\[lane\].
pub(crate) struct Spread<'a> {
    pub(crate) rows: &'a [f32],
    pub(crate) width: usize,
    /// The place of each row in a plane.
    pub(crate) to: &'a [u32],
    /// Lanes that exist.
    pub(crate) valid: usize,
    pub(crate) plane: usize,
    /// One for each lane that exists, or none.
    pub(crate) bias: &'a [f32],
    pub(crate) out: *mut f32,
}

impl Kernel for Spread<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { rows, width, to, valid, plane, bias, out } = self;
        assert!(rows.len() >= to.len() * width && valid <= width);
        assert!(bias.is_empty() || bias.len() == valid);
        let lane_bias = |lane: usize| if bias.is_empty() { 0.0 } else { bias[lane] };
        let (mut to, mut rows) = (to, rows);
        while !to.is_empty() {
            let most = to.len().min(S::N);
            let run = (1..most).find(|&i| to[i] != to[0] + i as u32).unwrap_or(most);
            // Rows of contiguous places are transposed together; of others, as many at a time as
            // fit in the first-level cache.
            let count = if run < 4 { to.len().min(32) } else { run };
            let (places, others) = to.split_at(count);
            // SAFETY: the caller of `isa.run` guarantees that the planes of all valid lanes are
            // writable at every place in `to`; the rows were checked above.
            unsafe {
                if run < 4 {
                    for lane in 0..valid {
                        let (b, out) = (lane_bias(lane), out.add(lane * plane));
                        for (j, &to) in places.iter().enumerate() {
                            *out.add(to as usize) = *rows.get_unchecked(j * width + lane) + b;
                        }
                    }
                } else {
                    for first in (0..valid).step_by(S::N) {
                        let mut square = [s.splat(0.0); 16];
                        for (j, row) in square[..run].iter_mut().enumerate() {
                            *row = s.load(rows.as_ptr().add(j * width + first));
                        }
                        s.transpose(&mut square);
                        for (lane, &values) in (first..valid).zip(&square[..S::N]) {
                            let values = s.add(values, s.splat(lane_bias(lane)));
                            let out = out.add(lane * plane + places[0] as usize);
                            if run == S::N {
                                s.store(out, values);
                            } else {
                                s.store_part(out, run, values);
                            }
                        }
                    }
                }
            }
            (to, rows) = (others, &rows[count * width..]);
        }
    }
}
