//! An LSTM that moves over images line by line: rows from top to bottom, or diagonals from a corner.
//!
//! A step computes the four gates of all pixels of a line, of several images at once, in one product;
//! nothing is skewed or copied: a line of states has one row for each image row (diagonals) or column
//! (rows), and a pixel's predecessors are its neighbors in the line before.

use std::ops::Range;

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor, activation},
};
use rayon::prelude::*;

use super::frame::{Tap, WeightSums, images_together, joined, narrow};
use crate::{
    autodiff::Operation,
    flex::{self, Primitive},
    gather::{Gather, Panels, Unit, lanes},
    math,
    parallel::SharedPtr,
    simd::{Isa, Kernel, Simd},
};

/// The way an LSTM moves over an image (van den Oord, Kalchbrenner and Kavukcuoglu 2016, sections 3.1
/// and 3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scan {
    /// Top to bottom; a pixel sees three states of the row above, and continues the cell state above.
    Rows,
    /// Along the diagonals from the top left corner; a pixel sees the states to its left and above,
    /// and continues the cell state to its left.
    Diagonals,
    /// The mirror image: from the top right corner.
    DiagonalsFromRight,
}

impl Scan {
    /// The pixels whose states a pixel sees, in the order of their weights.
    pub fn taps(self) -> &'static [Tap] {
        match self {
            Self::Rows => &[[-1, -1], [-1, 0], [-1, 1]],
            Self::Diagonals => &[[0, -1], [-1, 0]],
            Self::DiagonalsFromRight => &[[0, 1], [-1, 0]],
        }
    }

    /// The pixel whose cell state a pixel continues.
    pub fn carry(self) -> Tap {
        match self {
            Self::Rows => [-1, 0],
            Self::Diagonals => [0, -1],
            Self::DiagonalsFromRight => [0, 1],
        }
    }

    /// The same taps as distances in the line before, where the cell state's own is 0.
    fn distances(self) -> &'static [isize] {
        match self {
            Self::Rows => &[-1, 0, 1],
            Self::Diagonals | Self::DiagonalsFromRight => &[0, -1],
        }
    }
}

/// The hidden states \[n, height, width, h\] of an LSTM that scans images. `gates`
/// \[n, height, width, 4·h\] are the pre-activations from the input, bias included, those of the
/// output gate o, the forget gate f, the input gate i and the content g; `weight` \[taps·h, 4·h\] leads
/// from the hidden states of [`Scan::taps`] to them. Outside of the image all states are
/// `start_hidden` \[h\] and `start_cell` \[h\].
///
/// c ← σ(f) ⊙ c + σ(i) ⊙ tanh(g) and σ(o) ⊙ tanh(c) is the hidden state (equation 3 of the paper).
///
/// `f32` on Flex runs as one operation; any other type or backend is composed of Burn's operations,
/// one step for each line.
///
/// # Panics
/// If the shapes do not fit.
pub fn lstm_scan(
    gates: Tensor<4>,
    weight: Tensor<2>,
    start_hidden: Tensor<1>,
    start_cell: Tensor<1>,
    scan: Scan,
) -> Tensor<4> {
    let ([_, _, _, outputs], [rows, columns]) = (gates.dims(), weight.dims());
    let ([hidden], [cells]) = (start_hidden.dims(), start_cell.dims());
    assert!(
        outputs == 4 * hidden
            && columns == outputs
            && cells == hidden
            && rows == scan.taps().len() * hidden
            && hidden > 0,
        "lstm_scan: gates [.., {outputs}], weight [{rows}, {columns}] and start states [{hidden}], \
         [{cells}] do not fit"
    );
    let fast = [flex::is_fast(&weight), flex::is_fast(&start_hidden), flex::is_fast(&start_cell)];
    if flex::is_fast(&gates) && fast == [true; 3] {
        return LstmScan::run((gates, weight, start_hidden, start_cell), scan);
    }
    composed_lstm_scan(gates, weight, start_hidden, start_cell, scan)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_lstm_scan(
    gates: Tensor<4>,
    weight: Tensor<2>,
    start_hidden: Tensor<1>,
    start_cell: Tensor<1>,
    scan: Scan,
) -> Tensor<4> {
    let ([n, h, w, _], [hidden]) = (gates.dims(), start_hidden.dims());
    let lines = Lines { scan, height: h, width: w };
    let all = |state: Tensor<1>| -> Tensor<2> { state.unsqueeze::<2>().expand([n, hidden]) };
    let (outside, cell_outside) = (all(start_hidden), all(start_cell));
    // The states of the line before, by their place in the line.
    let mut states: Vec<Option<(Tensor<2>, Tensor<2>)>> = vec![None; lines.len()];
    let mut done: Vec<Option<Tensor<2>>> = vec![None; h * w];
    for step in 0..lines.steps() {
        let before = states.clone();
        for place in lines.places(step) {
            let pixel = lines.pixel(step, place);
            let mut sums: Tensor<2> = gates
                .clone()
                .narrow(1, pixel / w, 1)
                .narrow(2, pixel % w, 1)
                .reshape([n, 4 * hidden]);
            for (t, distance) in scan.distances().iter().enumerate() {
                let seen = place
                    .checked_add_signed(*distance)
                    .and_then(|place| before.get(place)?.as_ref())
                    .map_or_else(|| outside.clone(), |(state, _)| state.clone());
                sums = sums + seen.matmul(weight.clone().narrow(0, t * hidden, hidden));
            }
            let gate = |i: usize| sums.clone().narrow(1, i * hidden, hidden);
            let cell = before[place].as_ref().map_or_else(|| cell_outside.clone(), |s| s.1.clone());
            let [o, f, i] = [0, 1, 2].map(|i| activation::sigmoid(gate(i)));
            let cell = f * cell + i * gate(3).tanh();
            let state = o * cell.clone().tanh();
            done[pixel] = Some(state.clone());
            states[place] = Some((state, cell));
        }
    }
    let states: Vec<Tensor<3>> =
        done.into_iter().flatten().map(|state| state.unsqueeze_dim(1)).collect();
    Tensor::cat(states, 1).reshape([n, h, w, hidden])
}

/// The lines of a scan over one image.
#[derive(Debug, Clone, Copy)]
struct Lines {
    scan: Scan,
    height: usize,
    width: usize,
}

impl Lines {
    /// Places in a line.
    fn len(&self) -> usize {
        if self.scan == Scan::Rows { self.width } else { self.height }
    }

    fn steps(&self) -> usize {
        if self.scan == Scan::Rows { self.height } else { self.height + self.width - 1 }
    }

    /// The places of a line that are pixels.
    fn places(&self, step: usize) -> Range<usize> {
        if self.scan == Scan::Rows {
            return 0..self.width;
        }
        (step + 1).saturating_sub(self.width)..self.height.min(step + 1)
    }

    /// The pixel at a place.
    fn pixel(&self, step: usize, place: usize) -> usize {
        match self.scan {
            Scan::Rows => step * self.width + place,
            Scan::Diagonals => place * self.width + (step - place),
            Scan::DiagonalsFromRight => place * self.width + (self.width - 1 - (step - place)),
        }
    }

    fn pixels(&self) -> usize {
        self.height * self.width
    }
}

#[derive(Debug, Clone)]
struct LstmScan {
    /// After their activations.
    gates: Primitive,
    cells: Vec<f32>,
    hidden: Primitive,
    weight: Primitive,
    starts: [Primitive; 2],
    scan: Scan,
}

impl Operation<4> for LstmScan {
    type Parameters = Scan;

    fn forward(
        [gates, weight, start_hidden, start_cell]: [Primitive; 4],
        scan: Scan,
    ) -> (Primitive, Self) {
        let ([n, height, width, _], [size]) = (gates.shape().dims(), start_hidden.shape().dims());
        let lines = Lines { scan, height, width };
        let mut gates = gates;
        let in_place = gates.try_storage_mut::<f32>().is_some();
        if !in_place {
            gates = flex::tensor(gates.storage::<f32>().to_vec(), gates.shape());
        }
        let all = Shape::new([n, height, width, size]);
        let mut cells = vec![0.0; n * lines.pixels() * size];
        let mut hidden = vec![0.0; cells.len()];
        if let Some(gates) = gates.try_storage_mut::<f32>() {
            let sizes = Sizes { n, hidden: size, taps: scan.taps().len() };
            let starts = [start_hidden.storage(), start_cell.storage()];
            let maps = Maps { gates, cells: &mut cells, hidden: &mut hidden };
            forward(Isa::best(), lines, sizes, weight.storage(), starts, maps);
        }
        let hidden = flex::tensor(hidden, all);
        let starts = [start_hidden, start_cell];
        (hidden.clone(), Self { gates, cells, hidden, weight, starts, scan })
    }

    fn backward(self, grad: Primitive, _: [bool; 4]) -> [Option<Primitive>; 4] {
        let ([n, height, width, size], isa) = (self.hidden.shape().dims(), Isa::best());
        let lines = Lines { scan: self.scan, height, width };
        let sizes = Sizes { n, hidden: size, taps: self.scan.taps().len() };
        let starts = self.starts.each_ref().map(|start| start.storage::<f32>());
        let (weight, shape) = (self.weight.storage::<f32>(), self.gates.shape());
        // The gradients take the place of the gates.
        let mut gates = self.gates;
        if gates.try_storage_mut::<f32>().is_none() {
            gates = flex::tensor(gates.storage::<f32>().to_vec(), shape);
        }
        let Some(values) = gates.try_storage_mut::<f32>() else {
            return [const { None }; 4];
        };
        let states = [self.hidden.storage(), &self.cells];
        let found = backward(isa, lines, sizes, weight, starts, states, grad.storage(), values);
        let [for_weight, for_hidden, for_cell] = found;
        [
            Some(gates),
            Some(flex::tensor(for_weight, self.weight.shape())),
            Some(flex::tensor(for_hidden, Shape::new([size]))),
            Some(flex::tensor(for_cell, Shape::new([size]))),
        ]
    }
}

#[derive(Debug, Clone, Copy)]
struct Sizes {
    n: usize,
    hidden: usize,
    taps: usize,
}

/// \[n, pixels, 4·hidden\] and \[n, pixels, hidden\].
struct Maps<'a> {
    gates: &'a mut [f32],
    cells: &'a mut [f32],
    hidden: &'a mut [f32],
}

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

/// Computes all states; the gates are replaced by their activations.
fn forward(
    isa: Isa,
    lines: Lines,
    Sizes { n, hidden, taps }: Sizes,
    weight: &[f32],
    [start_hidden, start_cell]: [&[f32]; 2],
    maps: Maps,
) {
    let vector = lanes(isa);
    let padded = hidden.next_multiple_of(vector);
    let panels = gate_panels(isa, weight, taps * hidden, hidden, 0..hidden);
    let together = images_together(n);
    let [gates, cells, states] =
        [maps.gates, maps.cells, maps.hidden].map(|map| SharedPtr(map.as_mut_ptr()));
    (0..n.div_ceil(together)).into_par_iter().for_each(|task| {
        let (first, count) = (task * together, together.min(n - task * together));
        let line = Line::new(lines, count, hidden);
        let steps = line.steps(lines.scan.distances(), 1);
        let mut before = line.filled(start_hidden);
        let mut after = before.clone();
        let mut cell = line.filled(start_cell);
        let mut sums = vec![0.0; PIECE * 4 * padded];
        for step in 0..lines.steps() {
            let rows = line.rows(step);
            for from in rows.clone().step_by(PIECE) {
                let some = PIECE.min(rows.end - from);
                let input = &before[line.reach(from, lines.scan.distances()) * hidden..];
                for block in 0..panels.blocks() {
                    Unit { isa, pairs: false }.run(Gather {
                        input,
                        at: &line.at[..some],
                        steps: &steps,
                        panel: panels.of(block, 0),
                        width: 2 * vector,
                        out: &mut sums[block * PIECE * 2 * vector..],
                        accumulate: false,
                    });
                }
                let pixels = line.pixels(step, from..from + some, first);
                isa.run(Forward {
                    sums: &sums,
                    hidden,
                    units: 0..hidden,
                    pixels: &pixels,
                    gates: gates.get(),
                    cells: cells.get(),
                    states: states.get(),
                    line: &mut after[line.own(from) * hidden..][..some * hidden],
                    cell: &mut cell[line.own(from) * hidden..][..some * hidden],
                });
            }
            std::mem::swap(&mut before, &mut after);
        }
    });
}

/// The states of a line of some images: one row for each place and image, and a place outside at both
/// ends.
struct Line {
    lines: Lines,
    images: usize,
    hidden: usize,
    /// The offset of each row.
    at: Vec<u32>,
}

impl Line {
    fn new(lines: Lines, images: usize, hidden: usize) -> Self {
        let at = (0..PIECE).map(|row| narrow(row * hidden)).collect();
        Self { lines, images, hidden, at }
    }

    /// The rows of a step that are pixels.
    fn rows(&self, step: usize) -> Range<usize> {
        let places = self.lines.places(step);
        places.start * self.images..places.end * self.images
    }

    /// The place of a row in a buffer.
    fn own(&self, row: usize) -> usize {
        row + self.images
    }

    /// The place of the first row that a row sees, through the nearest of its distances.
    fn reach(&self, row: usize, distances: &[isize]) -> usize {
        let nearest = distances.iter().min().copied().unwrap_or_default();
        self.own(row).wrapping_add_signed(nearest * self.images as isize)
    }

    /// The steps of a sum over the places at these distances, of `times` · hidden values each.
    fn steps(&self, distances: &[isize], times: usize) -> Vec<[u32; 2]> {
        let nearest = distances.iter().min().copied().unwrap_or_default();
        let width = self.hidden * times;
        let mut steps = Vec::with_capacity(distances.len() * width);
        for distance in distances {
            let from = (distance - nearest) as usize * self.images * width;
            for i in 0..width {
                steps.push([narrow(from + i), narrow(steps.len())]);
            }
        }
        steps
    }

    /// A buffer whose rows are all `state`.
    fn filled(&self, state: &[f32]) -> Vec<f32> {
        state.repeat((self.lines.len() + 2) * self.images)
    }

    /// The pixel of each row among all images, of which `first` is the first here.
    fn pixels(&self, step: usize, rows: Range<usize>, first: usize) -> Vec<usize> {
        let pixel = |row: usize| {
            let (place, image) = (row / self.images, row % self.images);
            (first + image) * self.lines.pixels() + self.lines.pixel(step, place)
        };
        rows.map(pixel).collect()
    }
}

/// From sums to states, for some rows of a line and some of their units.
pub(super) struct Forward<'a> {
    /// A block of two vectors after the other, each with the rows of a piece; each gate has whole
    /// vectors.
    pub(super) sums: &'a [f32],
    pub(super) hidden: usize,
    pub(super) units: Range<usize>,
    pub(super) pixels: &'a [usize],
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
        let Self { sums, hidden, units, pixels, gates, cells, states, line, cell } = self;
        let of_gate = units.len().div_ceil(S::N);
        assert!(pixels.len() <= PIECE && units.end <= hidden);
        assert!(sums.len() >= PIECE * 4 * of_gate * S::N);
        assert!(line.len() == pixels.len() * hidden && cell.len() == line.len());
        for (row, &pixel) in pixels.iter().enumerate() {
            for vector in 0..of_gate {
                let (unit, n) =
                    (units.start + vector * S::N, S::N.min(units.len() - vector * S::N));
                // SAFETY: the lengths were checked above; the caller of `isa.run` guarantees that
                // the pixels lie in all maps, and that no other thread has them.
                unsafe {
                    let own = gates.add(pixel * 4 * hidden + unit);
                    // Not by closures, which would not have the instruction set.
                    let mut gate = [s.splat(0.0); 4];
                    for (i, gate) in gate.iter_mut().enumerate() {
                        let sum = s.load(sums.as_ptr().add(lane::<S>(row, i * of_gate + vector)));
                        let sum = s.add(sum, s.load_part(own.add(i * hidden), n));
                        *gate = if i < 3 { math::unit_sigmoid(s, sum) } else { math::tanh(s, sum) };
                        s.store_part(own.add(i * hidden), n, *gate);
                    }
                    let [o, f, i, g] = gate;
                    let place = row * hidden + unit;
                    let cell = cell.as_mut_ptr().add(place);
                    let c = s.fma(f, s.load_part(cell, n), s.mul(i, g));
                    let h = s.mul(o, math::tanh(s, c));
                    s.store_part(cell, n, c);
                    s.store_part(cells.add(pixel * hidden + unit), n, c);
                    s.store_part(line.as_mut_ptr().add(place), n, h);
                    s.store_part(states.add(pixel * hidden + unit), n, h);
                }
            }
        }
    }
}

/// The gradients of the weights and of the start states; the activated gates are replaced by the
/// gradients of the pre-activations.
#[allow(clippy::too_many_arguments, reason = "the scan, its states and their gradient")]
fn backward(
    isa: Isa,
    lines: Lines,
    Sizes { n, hidden, taps }: Sizes,
    weight: &[f32],
    [start_hidden, start_cell]: [&[f32]; 2],
    [states, cells]: [&[f32]; 2],
    grad: &[f32],
    gates: &mut [f32],
) -> [Vec<f32>; 3] {
    let (width, size) = (4 * hidden, [lines.height, lines.width]);
    let starts: Vec<usize> =
        (0..taps * width).map(|step| step / width * hidden * width + step % width).collect();
    let panels = Panels::pack(isa, weight, &starts, width, hidden);
    let back: Vec<isize> = lines.scan.distances().iter().map(|distance| -distance).collect();
    let together = images_together(n);
    let gates = SharedPtr(gates.as_mut_ptr());
    let work = |task: usize| {
        let (first, count) = (task * together, together.min(n - task * together));
        let line = Line::new(lines, count, hidden);
        let at: Vec<u32> = (0..PIECE).map(|row| narrow(row * width)).collect();
        let steps = line.steps(&back, 4);
        let mut before = vec![0.0; (lines.len() + 2) * count * width];
        let mut after = before.clone();
        let mut cell = vec![0.0; (lines.len() + 2) * count * hidden];
        let mut sums = vec![0.0; PIECE * hidden.next_multiple_of(2 * lanes(isa))];
        let mut outside = Outside::new(lines, hidden, taps);
        for step in (0..lines.steps()).rev() {
            let rows = line.rows(step);
            for from in rows.clone().step_by(PIECE) {
                let some = PIECE.min(rows.end - from);
                let input = &before[line.reach(from, &back) * width..];
                for block in 0..panels.blocks() {
                    Unit { isa, pairs: false }.run(Gather {
                        input,
                        at: &at[..some],
                        steps: &steps,
                        panel: panels.of(block, 0),
                        width: panels.width(block),
                        out: &mut sums[block * PIECE * 2 * lanes(isa)..],
                        accumulate: false,
                    });
                }
                let pixels = line.pixels(step, from..from + some, first);
                let place = |row: usize| row / count;
                // The cell state before, or none where it was the first.
                let earlier: Vec<Option<usize>> = (from..from + some)
                    .map(|row| {
                        let seen = step.checked_sub(1)?;
                        lines.places(seen).contains(&place(row)).then(|| {
                            (first + row % count) * lines.pixels() + lines.pixel(seen, place(row))
                        })
                    })
                    .collect();
                let deltas = &mut after[line.own(from) * width..][..some * width];
                let cell = &mut cell[line.own(from) * hidden..][..some * hidden];
                isa.run(Backward {
                    sums: &sums,
                    odd: panels.width(panels.blocks() - 1),
                    hidden,
                    pixels: &pixels,
                    earlier: &earlier,
                    grad,
                    cells,
                    start_cell,
                    gates: gates.get(),
                    deltas,
                    cell,
                });
                for (i, row) in (from..from + some).enumerate() {
                    let delta = &deltas[i * width..][..width];
                    let cell = &cell[i * hidden..][..hidden];
                    outside.add(step, place(row), delta, cell);
                }
            }
            std::mem::swap(&mut before, &mut after);
        }
        let mut sums = WeightSums::new(isa, size, lines.scan.taps(), [hidden, width]);
        let pixels = lines.pixels();
        for image in first..first + count {
            // SAFETY: the gradients of this task's images were written above, and no other task has
            // them.
            let own = unsafe { gates.get().add(image * pixels * width) };
            let deltas = unsafe { std::slice::from_raw_parts(own, pixels * width) };
            let states = &states[image * pixels * hidden..][..pixels * hidden];
            sums.add(isa, states, start_hidden, deltas);
        }
        let [for_hidden, for_cell] = outside.finish(weight);
        [sums.finish(), for_hidden, for_cell]
    };
    let parts: Vec<[Vec<f32>; 3]> = (0..n.div_ceil(together)).into_par_iter().map(work).collect();
    [0, 1, 2].map(|i| {
        let len = if i == 0 { weight.len() } else { hidden };
        joined(len, parts.iter().map(|part| &part[i]))
    })
}

/// The gradients of what pixels saw outside of the image.
struct Outside {
    lines: Lines,
    hidden: usize,
    /// \[taps, 4·hidden\], summed over the pixels that saw the start state through a tap.
    deltas: Vec<f32>,
    cell: Vec<f32>,
}

impl Outside {
    fn new(lines: Lines, hidden: usize, taps: usize) -> Self {
        Self { lines, hidden, deltas: vec![0.0; taps * 4 * hidden], cell: vec![0.0; hidden] }
    }

    fn add(&mut self, step: usize, place: usize, delta: &[f32], cell: &[f32]) {
        let inside = |distance: isize| {
            step.checked_sub(1).is_some_and(|step| {
                place
                    .checked_add_signed(distance)
                    .is_some_and(|place| self.lines.places(step).contains(&place))
            })
        };
        let distances = self.lines.scan.distances();
        for (sums, &distance) in self.deltas.chunks_exact_mut(delta.len()).zip(distances) {
            if !inside(distance) {
                sums.iter_mut().zip(delta).for_each(|(sum, delta)| *sum += delta);
            }
        }
        if !inside(0) {
            self.cell.iter_mut().zip(cell).for_each(|(sum, cell)| *sum += cell);
        }
    }

    /// The gradients of the start states.
    fn finish(self, weight: &[f32]) -> [Vec<f32>; 2] {
        let width = 4 * self.hidden;
        let mut hidden = vec![0.0; self.hidden];
        for (row, weights) in weight.chunks_exact(width).enumerate() {
            let deltas = &self.deltas[row / self.hidden * width..][..width];
            let sum: f32 = weights.iter().zip(deltas).map(|(weight, delta)| weight * delta).sum();
            hidden[row % self.hidden] += sum;
        }
        [hidden, self.cell]
    }
}

/// From gradients of states to those of gates, for some rows of a line.
struct Backward<'a> {
    /// A block of vectors after the other, each with the rows of a piece.
    sums: &'a [f32],
    /// The width of the last block.
    odd: usize,
    hidden: usize,
    pixels: &'a [usize],
    /// The pixel of the cell state before.
    earlier: &'a [Option<usize>],
    grad: &'a [f32],
    cells: &'a [f32],
    start_cell: &'a [f32],
    gates: *mut f32,
    /// Rows of gradients of this line.
    deltas: &'a mut [f32],
    /// Rows of gradients of cell states: of those after, then of those before.
    cell: &'a mut [f32],
}

impl Kernel for Backward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self {
            sums,
            odd,
            hidden,
            pixels,
            earlier,
            grad,
            cells,
            start_cell,
            gates,
            deltas,
            cell,
        } = self;
        let vectors = hidden.div_ceil(S::N);
        assert!(pixels.len() <= PIECE && sums.len() >= PIECE * vectors * S::N);
        assert!(earlier.len() == pixels.len() && start_cell.len() == hidden);
        assert!(deltas.len() == pixels.len() * 4 * hidden && cell.len() * 4 == deltas.len());
        let inside = |pixel: usize| (pixel + 1) * hidden <= grad.len().min(cells.len());
        assert!(pixels.iter().chain(earlier.iter().flatten()).all(|&pixel| inside(pixel)));
        let one = s.splat(1.0);
        for (row, (&pixel, earlier)) in pixels.iter().zip(earlier).enumerate() {
            let before = match earlier {
                Some(pixel) => &cells[pixel * hidden..][..hidden],
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
                // SAFETY: the lengths were checked above; the caller of `isa.run` guarantees that
                // the pixels lie in the map of gates, and that no other thread has them.
                unsafe {
                    let own = gates.add(pixel * 4 * hidden + unit);
                    let o = s.load_part(own, n);
                    let f = s.load_part(own.add(hidden), n);
                    let i = s.load_part(own.add(2 * hidden), n);
                    let g = s.load_part(own.add(3 * hidden), n);
                    let at = pixel * hidden + unit;
                    let direct = s.load_part(grad.as_ptr().add(at), n);
                    let dh = s.add(direct, s.load(sums.as_ptr().add(from)));
                    let t = math::tanh(s, s.load_part(cells.as_ptr().add(at), n));
                    let dc_after = cell.as_mut_ptr().add(row * hidden + unit);
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
                        s.store_part(own.add(gate * hidden), n, *value);
                        s.store_part(delta.add(gate * hidden), n, *value);
                    }
                    s.store_part(dc_after, n, s.mul(dc, f));
                }
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tests::noise;

    /// Hidden states and gradients of a scan on an instruction set.
    pub(crate) fn run(
        isa: Isa,
        [n, height, width, hidden]: [usize; 4],
        scan: Scan,
    ) -> Vec<Vec<f32>> {
        let (lines, taps) = (Lines { scan, height, width }, scan.taps().len());
        let (sizes, pixels) = (Sizes { n, hidden, taps }, n * height * width);
        let weight = noise(2, taps * hidden * 4 * hidden);
        let [start_hidden, start_cell] = [noise(3, hidden), noise(4, hidden)];
        let starts = [&start_hidden[..], &start_cell[..]];
        let mut gates = noise(1, pixels * 4 * hidden);
        let (mut cells, mut states) = (vec![0.0; pixels * hidden], vec![0.0; pixels * hidden]);
        let maps = Maps { gates: &mut gates, cells: &mut cells, hidden: &mut states };
        forward(isa, lines, sizes, &weight, starts, maps);
        let grad = noise(5, pixels * hidden);
        let found =
            backward(isa, lines, sizes, &weight, starts, [&states, &cells], &grad, &mut gates);
        let mut all = vec![states, gates];
        all.extend(found);
        all
    }
}
