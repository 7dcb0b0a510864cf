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

use super::{
    conv::composed_masked_conv2d,
    frame::{Frame, Tap, WeightSums, column_sums, images_together, joined, narrow},
};
use crate::{
    activation::Activation,
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

/// The hidden states \[n, height, width, h\] of an LSTM that scans images `x`
/// \[n, height, width, c\].
///
/// A pixel's pre-activations are those of a [`masked_conv2d`](super::masked_conv2d) with `weight`
/// \[taps·c, 4·h\], `bias` \[n, 4·h\] (or \[1, 4·h\] for all images alike) and `taps` (the
/// input-to-state convolution), plus `states` \[taps·h, 4·h\] times the hidden states of
/// [`Scan::taps`]. They are, in this order, those of the output gate o, the forget gate f, the input
/// gate i and the content g:
/// c ← σ(f) ⊙ c + σ(i) ⊙ tanh(g), and σ(o) ⊙ tanh(c) is the hidden state (equation 3 of the paper).
/// Outside of the image all states are `start_hidden` \[h\] and `start_cell` \[h\].
///
/// `f32` on Flex runs as one operation; any other type or backend is composed of Burn's operations,
/// one step for each line. The gradient of `x` is computed only if `x` is tracked.
///
/// # Panics
/// If the shapes do not fit, or a tap leads out of the pixel's line: to another row, to a column that
/// is not beside it, or anywhere along diagonals.
pub fn lstm_scan(
    x: Tensor<4>,
    [weight, bias, states]: [Tensor<2>; 3],
    taps: &[Tap],
    [start_hidden, start_cell]: [Tensor<1>; 2],
    scan: Scan,
) -> Tensor<4> {
    let ([n, _, _, channels], [inputs, outputs]) = (x.dims(), weight.dims());
    let ([biases, columns], [rows, width]) = (bias.dims(), states.dims());
    let ([hidden], [cells]) = (start_hidden.dims(), start_cell.dims());
    assert!(
        inputs == taps.len() * channels
            && inputs > 0
            && (biases == 1 || biases == n)
            && [outputs, columns, width] == [4 * hidden; 3]
            && cells == hidden
            && rows == scan.taps().len() * hidden
            && hidden > 0,
        "lstm_scan: x [{n}, _, _, {channels}], {} taps, weight [{inputs}, {outputs}], bias \
         [{biases}, {columns}], states [{rows}, {width}] and start states [{hidden}], [{cells}] do \
         not fit",
        taps.len()
    );
    let furthest = if scan == Scan::Rows { 1 } else { 0 };
    assert!(
        taps.iter().all(|[down, right]| *down == 0 && right.abs() <= furthest),
        "lstm_scan: the taps {taps:?} lead out of the line"
    );
    let fast = [&weight, &bias, &states].map(flex::is_fast);
    let starts = [&start_hidden, &start_cell].map(flex::is_fast);
    if flex::is_fast(&x) && fast == [true; 3] && starts == [true; 2] {
        let inputs = (x, weight, bias, states, start_hidden, start_cell);
        return LstmScan::run(inputs, (taps.to_vec(), scan));
    }
    composed_lstm_scan(x, [weight, bias, states], taps, [start_hidden, start_cell], scan)
}

/// The same, composed of Burn's operations.
pub(crate) fn composed_lstm_scan(
    x: Tensor<4>,
    [weight, bias, states]: [Tensor<2>; 3],
    taps: &[Tap],
    [start_hidden, start_cell]: [Tensor<1>; 2],
    scan: Scan,
) -> Tensor<4> {
    let ([n, h, w, _], [hidden]) = (x.dims(), start_hidden.dims());
    let gates = composed_masked_conv2d(x, weight, bias, taps, Activation::None);
    let lines = Lines { scan, height: h, width: w };
    let all = |state: Tensor<1>| -> Tensor<2> { state.unsqueeze::<2>().expand([n, hidden]) };
    let (outside, cell_outside) = (all(start_hidden), all(start_cell));
    // The states of the line before, by their place in the line.
    let mut line: Vec<Option<(Tensor<2>, Tensor<2>)>> = vec![None; lines.len()];
    let mut done: Vec<Option<Tensor<2>>> = vec![None; h * w];
    for step in 0..lines.steps() {
        let before = line.clone();
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
                sums = sums + seen.matmul(states.clone().narrow(0, t * hidden, hidden));
            }
            let gate = |i: usize| sums.clone().narrow(1, i * hidden, hidden);
            let cell = before[place].as_ref().map_or_else(|| cell_outside.clone(), |s| s.1.clone());
            let [o, f, i] = [0, 1, 2].map(|i| activation::sigmoid(gate(i)));
            let cell = f * cell + i * gate(3).tanh();
            let state = o * cell.clone().tanh();
            done[pixel] = Some(state.clone());
            line[place] = Some((state, cell));
        }
    }
    let all: Vec<Tensor<3>> =
        done.into_iter().flatten().map(|state| state.unsqueeze_dim(1)).collect();
    Tensor::cat(all, 1).reshape([n, h, w, hidden])
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
    x: Primitive,
    weight: Primitive,
    states: Primitive,
    starts: [Primitive; 2],
    /// Gates after their activations and cell states, in the order of the scan ([`Line::begin`]).
    gates: Vec<f32>,
    cells: Vec<f32>,
    hidden: Primitive,
    /// Whether each image has its own bias.
    own_bias: bool,
    taps: Vec<Tap>,
    scan: Scan,
}

impl Operation<6> for LstmScan {
    type Parameters = (Vec<Tap>, Scan);

    fn forward(
        [x, weight, bias, states, start_hidden, start_cell]: [Primitive; 6],
        (taps, scan): Self::Parameters,
    ) -> (Primitive, Self) {
        let ([n, height, width, channels], [size]) =
            (x.shape().dims(), start_hidden.shape().dims());
        let form = Form { lines: Lines { scan, height, width }, n, channels, hidden: size };
        let given = Given {
            x: x.storage(),
            weight: weight.storage(),
            states: states.storage(),
            starts: [start_hidden.storage(), start_cell.storage()],
            taps: &taps,
        };
        let [gates, cells, hidden] = forward(Isa::best(), form, given, bias.storage());
        let hidden = flex::tensor(hidden, Shape::new([n, height, width, size]));
        let (starts, own_bias) = ([start_hidden, start_cell], bias.shape()[0] > 1);
        let kept = hidden.clone();
        (
            hidden,
            Self { x, weight, states, starts, gates, cells, hidden: kept, own_bias, taps, scan },
        )
    }

    fn backward(self, grad: Primitive, wanted: [bool; 6]) -> [Option<Primitive>; 6] {
        let ([n, height, width, channels], size) =
            (self.x.shape().dims(), self.starts[0].shape()[0]);
        let form =
            Form { lines: Lines { scan: self.scan, height, width }, n, channels, hidden: size };
        let given = Given {
            x: self.x.storage(),
            weight: self.weight.storage(),
            states: self.states.storage(),
            starts: self.starts.each_ref().map(|start| start.storage()),
            taps: &self.taps,
        };
        let kept = [&self.gates, &self.cells, self.hidden.storage()];
        let biases = if self.own_bias { n } else { 1 };
        let found = backward(Isa::best(), form, given, kept, grad.storage(), biases, wanted[0]);
        let [for_weight, for_bias, for_states, for_hidden, for_cell] = found.weights;
        [
            found.x.map(|values| flex::tensor(values, self.x.shape())),
            Some(flex::tensor(for_weight, self.weight.shape())),
            Some(flex::tensor(for_bias, Shape::new([biases, 4 * size]))),
            Some(flex::tensor(for_states, self.states.shape())),
            Some(flex::tensor(for_hidden, Shape::new([size]))),
            Some(flex::tensor(for_cell, Shape::new([size]))),
        ]
    }
}

#[derive(Debug, Clone, Copy)]
struct Form {
    lines: Lines,
    n: usize,
    channels: usize,
    hidden: usize,
}

/// What a scan is given, in the shapes of [`lstm_scan`].
#[derive(Clone, Copy)]
struct Given<'a> {
    x: &'a [f32],
    weight: &'a [f32],
    states: &'a [f32],
    starts: [&'a [f32]; 2],
    taps: &'a [Tap],
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

/// Gates after their activations \[n·pixels, 4·hidden\] and cell states \[n·pixels, hidden\], each
/// task's images in the order of the scan, and hidden states \[n, pixels, hidden\].
fn forward(isa: Isa, form: Form, given: Given, bias: &[f32]) -> [Vec<f32>; 3] {
    let Form { lines, n, channels, hidden } = form;
    let (vector, pixels, width) = (lanes(isa), lines.pixels(), 4 * hidden);
    let frame = Frame::new([lines.height, lines.width], given.taps);
    let inputs = frame.steps(given.taps, channels);
    let from_input = gate_panels(isa, given.weight, inputs.len(), hidden, 0..hidden);
    let seen = lines.scan.distances();
    let from_states = gate_panels(isa, given.states, seen.len() * hidden, hidden, 0..hidden);
    let block = PIECE * 2 * vector;
    let together = images_together(n);
    let scan = |maps: [SharedPtr; 3], buffer: &mut Vec<f32>, task: usize| {
        let (first, count) = (task * together, together.min(n - task * together));
        let line = Line::new(lines, count, hidden);
        let images = &given.x[first * pixels * channels..][..count * pixels * channels];
        let x = frame.put_all(images, channels, &[], buffer);
        let steps = line.steps(seen, 1);
        let mut before = line.filled(given.starts[0]);
        let mut after = before.clone();
        let mut cell = line.filled(given.starts[1]);
        let mut sums = vec![0.0; 2 * from_states.blocks() * block];
        for step in 0..lines.steps() {
            let rows = line.rows(step);
            for from in rows.clone().step_by(PIECE) {
                let piece = line.piece(step, from..rows.end.min(from + PIECE));
                let some = piece.len();
                let at = line.reads(&piece, &frame, channels);
                let input = &before[line.reach(from, seen) * hidden..];
                let (of_x, of_states) = sums.split_at_mut(from_states.blocks() * block);
                for i in 0..from_states.blocks() {
                    let product = |input, at, steps, panels: &Panels, sums: &mut [f32]| {
                        Unit { isa, pairs: false }.run(Gather {
                            input,
                            at,
                            steps,
                            panel: panels.of(i, 0),
                            width: 2 * vector,
                            out: &mut sums[i * block..],
                            accumulate: false,
                        });
                    };
                    product(x, &at, &inputs, &from_input, of_x);
                    product(input, &line.at[..some], &steps, &from_states, of_states);
                }
                let biases: Vec<usize> = piece
                    .iter()
                    .map(|pixel| if bias.len() > width { (first + pixel.image) * width } else { 0 })
                    .collect();
                let states: Vec<usize> =
                    piece.iter().map(|pixel| (first + pixel.image) * pixels + pixel.at).collect();
                let own = first * pixels + line.begin(step) + (from - rows.start);
                // SAFETY: this task alone has the rows of its images.
                let [gates, cells] =
                    unsafe { [maps[0].get().add(own * width), maps[1].get().add(own * hidden)] };
                isa.run(Forward {
                    sums: of_states,
                    given: Pre::Sums { sums: of_x, bias, at: &biases },
                    hidden,
                    units: 0..hidden,
                    rows: &states,
                    gates,
                    cells,
                    states: maps[2].get(),
                    line: &mut after[line.own(from) * hidden..][..some * hidden],
                    cell: &mut cell[line.own(from) * hidden..][..some * hidden],
                });
            }
            std::mem::swap(&mut before, &mut after);
        }
    };
    let mut all = [width, hidden, hidden].map(|size| Vec::with_capacity(n * pixels * size));
    let maps = all.each_mut().map(|map: &mut Vec<f32>| SharedPtr(map.as_mut_ptr()));
    (0..n.div_ceil(together))
        .into_par_iter()
        .for_each_init(Vec::new, |buffer, task| scan(maps, buffer, task));
    for (map, size) in all.iter_mut().zip([width, hidden, hidden]) {
        // SAFETY: there is room for them, and the tasks wrote the rows of all pixels of all images.
        unsafe { map.set_len(n * pixels * size) };
    }
    all
}

/// A pixel of one of a task's images.
struct Pixel {
    image: usize,
    at: usize,
    /// Its place in its line.
    place: usize,
}

/// The states of a line of some images: one row for each place and image, and a place outside at both
/// ends.
struct Line {
    lines: Lines,
    images: usize,
    hidden: usize,
    /// The offset of each row.
    at: Vec<u32>,
    /// Rows of the steps before.
    begins: Vec<usize>,
}

impl Line {
    fn new(lines: Lines, images: usize, hidden: usize) -> Self {
        let at = (0..PIECE).map(|row| narrow(row * hidden)).collect();
        let mut begins = vec![0];
        for step in 0..lines.steps() {
            begins.push(begins[step] + lines.places(step).len() * images);
        }
        Self { lines, images, hidden, at, begins }
    }

    /// The rows of a step that are pixels.
    fn rows(&self, step: usize) -> Range<usize> {
        let places = self.lines.places(step);
        places.start * self.images..places.end * self.images
    }

    /// The number of rows before a step, in the order of the scan.
    fn begin(&self, step: usize) -> usize {
        self.begins[step]
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

    /// The pixels of some rows.
    fn piece(&self, step: usize, rows: Range<usize>) -> Vec<Pixel> {
        let pixel = |row: usize| {
            let place = row / self.images;
            Pixel { image: row % self.images, at: self.lines.pixel(step, place), place }
        };
        rows.map(pixel).collect()
    }

    /// Where the taps of some pixels begin in framed images, one after another.
    fn reads(&self, pixels: &[Pixel], frame: &Frame, channels: usize) -> Vec<u32> {
        let first = |pixel: &Pixel| {
            let row = pixel.at / self.lines.width * frame.row() + pixel.at % self.lines.width;
            narrow((pixel.image * frame.len() + row) * channels)
        };
        pixels.iter().map(first).collect()
    }
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

/// Gradients of what a scan is given: that of `x`, and those of the weights, the biases, the
/// state-to-state weights and the start states.
struct Found {
    x: Option<Vec<f32>>,
    weights: [Vec<f32>; 5],
}

/// From the gradient of the hidden states, and the `kept` gates, cells and hidden states.
fn backward(
    isa: Isa,
    form: Form,
    given: Given,
    kept: [&[f32]; 3],
    grad: &[f32],
    biases: usize,
    for_x: bool,
) -> Found {
    let Form { lines, n, channels, hidden } = form;
    let (pixels, width, size) = (lines.pixels(), 4 * hidden, [lines.height, lines.width]);
    let seen = lines.scan.distances();
    // Both products run over the gates of a place, and over the places that saw it.
    let transposed = |weight: &[f32], taps: usize, rows: usize| {
        let starts: Vec<usize> =
            (0..taps * width).map(|step| step / width * rows * width + step % width).collect();
        Panels::pack(isa, weight, &starts, width, rows)
    };
    let to_states = transposed(given.states, seen.len(), hidden);
    let to_input = for_x.then(|| transposed(given.weight, given.taps.len(), channels));
    let back: Vec<isize> = seen.iter().map(|distance| -distance).collect();
    let back_to_input: Vec<isize> = given.taps.iter().map(|tap| -tap[1]).collect();
    let [gates, cells, states] = kept;
    let together = images_together(n);
    let work = |out: SharedPtr, task: usize| {
        let (first, count) = (task * together, together.min(n - task * together));
        let line = Line::new(lines, count, hidden);
        let at: Vec<u32> = (0..PIECE).map(|row| narrow(row * width)).collect();
        let steps = line.steps(&back, 4);
        let steps_to_input = line.steps(&back_to_input, 4);
        let rows_of = |size: usize| {
            let from = first * pixels * size;
            from..from + count * pixels * size
        };
        let mut buffers = [Vec::new(), Vec::new()];
        let [framed_x, framed_states] = &mut buffers;
        let mut of_input = WeightSums::new(isa, size, given.taps, [channels, width]);
        let mut of_states = WeightSums::new(isa, size, lines.scan.taps(), [hidden, width]);
        let x = of_input.frame.put_all(&given.x[rows_of(channels)], channels, &[], framed_x);
        let own = &states[rows_of(hidden)];
        let states = of_states.frame.put_all(own, hidden, given.starts[0], framed_states);
        let mut of_bias = vec![0.0; if biases > 1 { count * width } else { width }];
        let mut before = vec![0.0; (lines.len() + 2) * count * width];
        let mut after = before.clone();
        let mut cell = vec![0.0; (lines.len() + 2) * count * hidden];
        let mut sums = vec![0.0; PIECE * hidden.max(channels).next_multiple_of(2 * lanes(isa))];
        let mut outside = Outside::new(lines, hidden, seen.len());
        for step in (0..lines.steps()).rev() {
            let rows = line.rows(step);
            let pieces =
                || rows.clone().step_by(PIECE).map(|from| from..rows.end.min(from + PIECE));
            for range in pieces() {
                let (from, some) = (range.start, range.len());
                let input = &before[line.reach(from, &back) * width..];
                products(isa, input, &at[..some], &steps, &to_states, &mut sums);
                let piece = line.piece(step, range);
                let to: Vec<usize> =
                    piece.iter().map(|pixel| (first + pixel.image) * pixels + pixel.at).collect();
                // The row of the cell state before, or none where it was the first.
                let earlier: Vec<Option<usize>> = piece
                    .iter()
                    .map(|pixel| {
                        let seen = step.checked_sub(1)?;
                        let places = lines.places(seen);
                        let begin = first * pixels + line.begin(seen) + pixel.image;
                        let inside = places.contains(&pixel.place);
                        inside.then(|| begin + (pixel.place - places.start) * count)
                    })
                    .collect();
                let row = first * pixels + line.begin(step) + (from - rows.start);
                let deltas = &mut after[line.own(from) * width..][..some * width];
                let cell = &mut cell[line.own(from) * hidden..][..some * hidden];
                isa.run(Backward {
                    sums: &sums,
                    odd: to_states.width(to_states.blocks() - 1),
                    hidden,
                    rows: &to,
                    earlier: &earlier,
                    grad,
                    gates: &gates[row * width..(row + some) * width],
                    own_cells: &cells[row * hidden..(row + some) * hidden],
                    cells,
                    start_cell: given.starts[1],
                    deltas,
                    cell,
                });
                for (i, pixel) in piece.iter().enumerate() {
                    let delta = &deltas[i * width..][..width];
                    let cell = &cell[i * hidden..][..hidden];
                    outside.add(step, pixel.place, delta, cell);
                    if biases > 1 {
                        add(&mut of_bias[pixel.image * width..][..width], delta);
                    }
                }
                if biases == 1 {
                    add(&mut of_bias, &column_sums(isa, deltas, width));
                }
                let reads = line.reads(&piece, &of_input.frame, channels);
                of_input.add_rows(isa, x, &reads, deltas);
                let reads = line.reads(&piece, &of_states.frame, hidden);
                of_states.add_rows(isa, states, &reads, deltas);
            }
            // When the gradients of the line are known.
            for (range, panels) in pieces().flat_map(|range| Some((range, to_input.as_ref()?))) {
                let input = &after[line.reach(range.start, &back_to_input) * width..];
                products(isa, input, &at[..range.len()], &steps_to_input, panels, &mut sums);
                for (i, pixel) in line.piece(step, range).iter().enumerate() {
                    let to = ((first + pixel.image) * pixels + pixel.at) * channels;
                    for block in 0..panels.blocks() {
                        let from = block * PIECE * 2 * lanes(isa) + i * panels.width(block);
                        let (valid, lane) = (panels.valid(block), panels.first(block));
                        let sums = &sums[from..from + valid];
                        // SAFETY: the pixel is one of this task's images, and there is room for all.
                        unsafe {
                            let out = out.get().add(to + lane);
                            std::ptr::copy_nonoverlapping(sums.as_ptr(), out, valid);
                        }
                    }
                }
            }
            std::mem::swap(&mut before, &mut after);
        }
        let [for_hidden, for_cell] = outside.finish(given.states);
        [of_input.finish(), of_bias, of_states.finish(), for_hidden, for_cell]
    };
    let mut parts: Vec<[Vec<f32>; 5]> = Vec::new();
    let mut all = |out: *mut f32| {
        let out = SharedPtr(out);
        parts = (0..n.div_ceil(together)).into_par_iter().map(|task| work(out, task)).collect();
    };
    let x = if for_x {
        // SAFETY: every pixel of every image is written.
        Some(unsafe { flex::filled(n * pixels * channels, all) })
    } else {
        all(std::ptr::null_mut());
        None
    };
    let lens = [given.weight.len(), width, given.states.len(), hidden, hidden];
    let weights = [0, 1, 2, 3, 4].map(|i| {
        let parts = parts.iter().map(|part| &part[i]);
        if i == 1 && biases > 1 {
            parts.flatten().copied().collect()
        } else {
            joined(lens[i], parts)
        }
    });
    Found { x, weights }
}

/// The sums of some rows, a block of lanes after the other, each with the rows of a piece.
fn products(
    isa: Isa,
    input: &[f32],
    at: &[u32],
    steps: &[[u32; 2]],
    panels: &Panels,
    sums: &mut [f32],
) {
    for block in 0..panels.blocks() {
        Unit { isa, pairs: false }.run(Gather {
            input,
            at,
            steps,
            panel: panels.of(block, 0),
            width: panels.width(block),
            out: &mut sums[block * PIECE * 2 * lanes(isa)..],
            accumulate: false,
        });
    }
}

fn add(sums: &mut [f32], values: &[f32]) {
    sums.iter_mut().zip(values).for_each(|(sum, value)| *sum += value);
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
                add(sums, delta);
            }
        }
        if !inside(0) {
            add(&mut self.cell, cell);
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
    /// The row of each among all gradients of states.
    rows: &'a [usize],
    /// The row of the cell state before among all cell states.
    earlier: &'a [Option<usize>],
    grad: &'a [f32],
    /// Of these rows.
    gates: &'a [f32],
    own_cells: &'a [f32],
    cells: &'a [f32],
    start_cell: &'a [f32],
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

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::tests::noise;

    /// Hidden states and gradients of a scan on an instruction set.
    pub(crate) fn run(
        isa: Isa,
        [n, height, width, hidden]: [usize; 4],
        scan: Scan,
        taps: &[Tap],
    ) -> Vec<Vec<f32>> {
        let (seen, channels) = (scan.taps().len(), 5);
        let form = Form { lines: Lines { scan, height, width }, n, channels, hidden };
        let (x, weight) =
            (noise(1, n * height * width * channels), noise(2, taps.len() * channels * 4 * hidden));
        let (states, bias) = (noise(3, seen * hidden * 4 * hidden), noise(4, n * 4 * hidden));
        let [start_hidden, start_cell] = [noise(5, hidden), noise(6, hidden)];
        let starts = [&start_hidden[..], &start_cell[..]];
        let given = Given { x: &x, weight: &weight, states: &states, starts, taps };
        let [gates, cells, states] = forward(isa, form, given, &bias);
        let grad = noise(7, n * height * width * hidden);
        let kept = [&gates[..], &cells, &states];
        let found = backward(isa, form, given, kept, &grad, n, true);
        let mut all = vec![states];
        all.extend(found.x);
        all.extend(found.weights);
        all
    }
}
