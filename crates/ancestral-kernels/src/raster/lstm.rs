//! An LSTM that moves over images line by line: rows from top to bottom, or diagonals from a corner.
//!
//! A step computes the four gates of all pixels of a line, of several images at once, in one product;
//! nothing is skewed or copied: a line of states has one row for each image row (diagonals) or column
//! (rows), and a pixel's predecessors are its neighbors in the line before.

use burn::{
    backend::TensorMetadata,
    tensor::{Shape, Tensor, activation},
};
use rayon::prelude::*;

use super::{
    conv::composed_masked_conv2d,
    frame::{Frame, Tap, WeightSums, column_sums, images_together, joined, narrow},
    gates::{Backward, Forward, PIECE, Pre, gate_panels},
    line::{Line, Lines, Scan},
};
use crate::{
    activation::Activation,
    autodiff::Operation,
    flex::{self, Primitive},
    gather::{Gather, Panels, Unit, lanes},
    parallel::SharedPtr,
    simd::Isa,
};

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
