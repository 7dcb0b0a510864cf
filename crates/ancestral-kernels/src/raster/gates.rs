//! The gates of an LSTM at some rows of a line, from sums to states and back.

use std::ops::Range;

use crate::{
    gather::{Panels, lanes},
    math,
    simd::{Isa, Kernel, Simd},
};

/// Rows of a line that are processed together.
pub(super) const PIECE: usize = 60;

/// The weights of some units, packed so that each gate has whole vectors and those of one unit lie in
/// the same lanes.
pub(super) fn gate_panels(
    isa: Isa,
    weight: &[f32],
    rows: usize,
    hidden: usize,
    units: Range<usize>,
) -> Panels {
    let padded = units.len().next_multiple_of(lanes(isa));
    let mut wide = vec![0.0; rows * 4 * padded];
    for (to, from) in wide.chunks_exact_mut(padded).zip(weight.chunks_exact(hidden)) {
        to[..units.len()].copy_from_slice(&from[units.clone()]);
    }
    let starts: Vec<usize> = (0..rows).map(|row| row * 4 * padded).collect();
    Panels::pack(isa, &wide, &starts, 1, 4 * padded)
}

/// Pre-activations without what comes from states.
pub(super) enum Pre<'a> {
    /// They lie where the gates will.
    InPlace,
    /// Sums in blocks, and for each row where its biases begin.
    Sums { sums: &'a [f32], bias: &'a [f32], at: &'a [usize] },
}

/// From sums to states, for some rows of a line and some of their units.
pub(super) struct Forward<'a> {
    /// A block of two vectors after the other, each with the rows of a piece; each gate has whole
    /// vectors.
    pub(super) sums: &'a [f32],
    pub(super) given: Pre<'a>,
    pub(super) hidden: usize,
    pub(super) units: Range<usize>,
    /// The row of each among all states.
    pub(super) rows: &'a [usize],
    /// Of these rows.
    pub(super) gates: *mut f32,
    pub(super) cells: *mut f32,
    pub(super) states: *mut f32,
    /// Rows of states of this line.
    pub(super) line: &'a mut [f32],
    /// Rows of cell states, before and after.
    pub(super) cell: &'a mut [f32],
}

/// The address of a vector of a row among sums in blocks of two vectors.
#[inline(always)]
fn lane<S: Simd>(row: usize, vector: usize) -> usize {
    (vector / 2 * PIECE + row) * 2 * S::N + vector % 2 * S::N
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sums, given, hidden, units, rows, gates, cells, states, line, cell } = self;
        let of_gate = units.len().div_ceil(S::N);
        assert!(rows.len() <= PIECE && units.end <= hidden);
        assert!(sums.len() >= PIECE * 4 * of_gate * S::N);
        assert!(line.len() == rows.len() * hidden && cell.len() == line.len());
        if let Pre::Sums { sums, bias, at } = given {
            assert!(sums.len() >= PIECE * 4 * of_gate * S::N && at.len() == rows.len());
            assert!(at.iter().all(|at| at + 4 * hidden <= bias.len()));
        }
        for (row, &to) in rows.iter().enumerate() {
            for vector in 0..of_gate {
                let (unit, n) =
                    (units.start + vector * S::N, S::N.min(units.len() - vector * S::N));
                // SAFETY: the lengths were checked above; the caller of `isa.run` guarantees that
                // the rows lie in all maps, and that no other thread has them.
                unsafe {
                    let own = gates.add(row * 4 * hidden + unit);
                    // Not by closures, which would not have the instruction set.
                    let mut gate = [s.splat(0.0); 4];
                    for (i, gate) in gate.iter_mut().enumerate() {
                        let lane = lane::<S>(row, i * of_gate + vector);
                        let pre = match given {
                            Pre::InPlace => s.load_part(own.add(i * hidden), n),
                            Pre::Sums { sums, bias, at } => {
                                let bias = bias.as_ptr().add(at[row] + i * hidden + unit);
                                s.add(s.load(sums.as_ptr().add(lane)), s.load_part(bias, n))
                            }
                        };
                        let sum = s.add(s.load(sums.as_ptr().add(lane)), pre);
                        *gate = if i < 3 { math::unit_sigmoid(s, sum) } else { math::tanh(s, sum) };
                        s.store_part(own.add(i * hidden), n, *gate);
                    }
                    let [o, f, i, g] = gate;
                    let place = row * hidden + unit;
                    let cell = cell.as_mut_ptr().add(place);
                    let c = s.fma(f, s.load_part(cell, n), s.mul(i, g));
                    let h = s.mul(o, math::tanh(s, c));
                    s.store_part(cell, n, c);
                    s.store_part(cells.add(place), n, c);
                    s.store_part(line.as_mut_ptr().add(place), n, h);
                    s.store_part(states.add(to * hidden + unit), n, h);
                }
            }
        }
    }
}

/// From gradients of states to those of gates, for some rows of a line.
pub(super) struct Backward<'a> {
    /// A block of vectors after the other, each with the rows of a piece.
    pub(super) sums: &'a [f32],
    /// The width of the last block.
    pub(super) odd: usize,
    pub(super) hidden: usize,
    /// The row of each among all gradients of states.
    pub(super) rows: &'a [usize],
    /// The row of the cell state before among all cell states.
    pub(super) earlier: &'a [Option<usize>],
    pub(super) grad: &'a [f32],
    /// Of these rows.
    pub(super) gates: &'a [f32],
    pub(super) own_cells: &'a [f32],
    pub(super) cells: &'a [f32],
    pub(super) start_cell: &'a [f32],
    /// Rows of gradients of this line.
    pub(super) deltas: &'a mut [f32],
    /// Rows of gradients of cell states: of those after, then of those before.
    pub(super) cell: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            sums,
            odd,
            hidden,
            rows,
            earlier,
            grad,
            gates,
            own_cells,
            cells,
            start_cell,
            deltas,
            cell,
        } = self;
        let vectors = hidden.div_ceil(S::N);
        assert!(rows.len() <= PIECE && sums.len() >= PIECE * vectors * S::N);
        assert!(earlier.len() == rows.len() && start_cell.len() == hidden);
        assert!(deltas.len() == rows.len() * 4 * hidden && cell.len() * 4 == deltas.len());
        assert!(gates.len() == deltas.len() && own_cells.len() == cell.len());
        assert!(rows.iter().all(|row| (row + 1) * hidden <= grad.len()));
        let one = s.splat(1.0);
        for (row, (&to, earlier)) in rows.iter().zip(earlier).enumerate() {
            let before = match earlier {
                Some(row) => &cells[row * hidden..][..hidden],
                None => start_cell,
            };
            for vector in 0..vectors {
                let (unit, n) = (vector * S::N, S::N.min(hidden - vector * S::N));
                let last = vector + 1 == vectors && odd == S::N;
                let from = if last {
                    vector / 2 * PIECE * 2 * S::N + row * S::N
                } else {
                    lane::<S>(row, vector)
                };
                // SAFETY: the lengths were checked above.
                unsafe {
                    let own = gates.as_ptr().add(row * 4 * hidden + unit);
                    let o = s.load_part(own, n);
                    let f = s.load_part(own.add(hidden), n);
                    let i = s.load_part(own.add(2 * hidden), n);
                    let g = s.load_part(own.add(3 * hidden), n);
                    let at = row * hidden + unit;
                    let direct = s.load_part(grad.as_ptr().add(to * hidden + unit), n);
                    let dh = s.add(direct, s.load(sums.as_ptr().add(from)));
                    let t = math::tanh(s, s.load_part(own_cells.as_ptr().add(at), n));
                    let dc_after = cell.as_mut_ptr().add(at);
                    let dc = s.fma(s.mul(dh, o), s.fnma(t, t, one), s.load_part(dc_after, n));
                    let before = s.load_part(before.as_ptr().add(unit), n);
                    // y(1 − y) is the derivative of σ, 1 − y² that of tanh.
                    let found = [
                        s.mul(s.mul(dh, t), s.fnma(o, o, o)),
                        s.mul(s.mul(dc, before), s.fnma(f, f, f)),
                        s.mul(s.mul(dc, g), s.fnma(i, i, i)),
                        s.mul(s.mul(dc, i), s.fnma(g, g, one)),
                    ];
                    let delta = deltas.as_mut_ptr().add(row * 4 * hidden + unit);
                    for (gate, value) in found.iter().enumerate() {
                        s.store_part(delta.add(gate * hidden), n, *value);
                    }
                    s.store_part(dc_after, n, s.mul(dc, f));
                }
            }
        }
    }
}
