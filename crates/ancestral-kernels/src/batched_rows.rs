//! Layers for autoregressive sampling, one dimension at a time, with one example per vector lane.
//!
//! The values of [`LANES`] examples are interleaved, `[units, LANES]`, so that a weight is read once
//! for all of them, and adding a unit or an input costs no more than that unit or input. Sums have an
//! order that does not depend on the other lanes: they are batch-invariant.

use crate::{
    activation::Activation,
    math,
    simd::{Isa, Kernel, Simd},
};

/// Examples that are processed together.
pub const LANES: usize = 32;

/// Independent partial sums of a single row of weights, to hide latency.
const CHAINS: usize = 4;

/// out = act(bias + weight · units) for the first `inputs` of the units.
///
/// - `weight`: one row for each output, `stride` values apart, of which the first `inputs` count.
/// - `bias` `[outputs]`, `units` `[inputs or more, LANES]`, `out` `[outputs, LANES]`.
///
/// # Panics
/// If a slice is too short.
pub fn linear(
    weight: &[f32],
    stride: usize,
    inputs: usize,
    bias: &[f32],
    units: &[f32],
    activation: Activation,
    out: &mut [f32],
) {
    linear_with(Isa::best(), weight, stride, inputs, bias, units, activation, out);
}

#[allow(clippy::too_many_arguments, reason = "the sizes of a product and where its parts lie")]
pub(crate) fn linear_with(
    isa: Isa,
    weight: &[f32],
    stride: usize,
    inputs: usize,
    bias: &[f32],
    units: &[f32],
    activation: Activation,
    out: &mut [f32],
) {
    let outputs = bias.len();
    assert!(
        out.len() == outputs * LANES
            && units.len() >= inputs * LANES
            && (outputs == 0 || weight.len() >= (outputs - 1) * stride + inputs),
        "batched_rows: {outputs} rows of {inputs} weights, {} units and {} outputs do not fit",
        units.len(),
        out.len()
    );
    isa.run(Linear { weight, stride, inputs, bias, units, activation, out });
}

struct Linear<'a> {
    weight: &'a [f32],
    stride: usize,
    inputs: usize,
    bias: &'a [f32],
    units: &'a [f32],
    activation: Activation,
    out: &'a mut [f32],
}

impl Linear<'_> {
    /// Blocks of `R` rows and two vectors; the remaining rows one by one.
    #[inline(always)]
    fn blocks<S: Simd, const R: usize>(self, s: S) {
        let Self { weight, stride, inputs, bias, units, activation, out } = self;
        let rows = bias.len();
        let mut row = 0;
        // SAFETY: `linear_with` checked that each row has `inputs` weights, that there are as many
        // units of LANES values, and LANES outputs a row; LANES is a multiple of two vectors.
        unsafe {
            while row + R <= rows {
                let w: [*const f32; R] =
                    std::array::from_fn(|r| weight.as_ptr().add((row + r) * stride));
                let mut lane = 0;
                while lane < LANES {
                    let mut sums: [[S::V; 2]; R] =
                        std::array::from_fn(|r| [s.splat(bias[row + r]); 2]);
                    let mut h = units.as_ptr().add(lane);
                    for i in 0..inputs {
                        let (a, b) = (s.load(h), s.load(h.add(S::N)));
                        for r in 0..R {
                            let w = s.splat(*w[r].add(i));
                            sums[r][0] = s.fma(w, a, sums[r][0]);
                            sums[r][1] = s.fma(w, b, sums[r][1]);
                        }
                        h = h.add(LANES);
                    }
                    for (r, [a, b]) in sums.into_iter().enumerate() {
                        let to = out.as_mut_ptr().add((row + r) * LANES + lane);
                        s.store(to, math::activate(s, activation, a));
                        s.store(to.add(S::N), math::activate(s, activation, b));
                    }
                    lane += 2 * S::N;
                }
                row += R;
            }
            while row < rows {
                let w = weight.as_ptr().add(row * stride);
                let mut lane = 0;
                while lane < LANES {
                    let mut sums = [[s.splat(0.0); 2]; CHAINS];
                    let mut i = 0;
                    let mut h = units.as_ptr().add(lane);
                    while i + CHAINS <= inputs {
                        for (c, sums) in sums.iter_mut().enumerate() {
                            let w = s.splat(*w.add(i + c));
                            let h = h.add(c * LANES);
                            sums[0] = s.fma(w, s.load(h), sums[0]);
                            sums[1] = s.fma(w, s.load(h.add(S::N)), sums[1]);
                        }
                        h = h.add(CHAINS * LANES);
                        i += CHAINS;
                    }
                    while i < inputs {
                        let w = s.splat(*w.add(i));
                        sums[0][0] = s.fma(w, s.load(h), sums[0][0]);
                        sums[0][1] = s.fma(w, s.load(h.add(S::N)), sums[0][1]);
                        h = h.add(LANES);
                        i += 1;
                    }
                    let a = [s.add(sums[0][0], sums[1][0]), s.add(sums[0][1], sums[1][1])];
                    let b = [s.add(sums[2][0], sums[3][0]), s.add(sums[2][1], sums[3][1])];
                    for (v, (a, b)) in a.into_iter().zip(b).enumerate() {
                        let sum = s.add(s.add(a, b), s.splat(bias[row]));
                        let to = out.as_mut_ptr().add(row * LANES + lane + v * S::N);
                        s.store(to, math::activate(s, activation, sum));
                    }
                    lane += 2 * S::N;
                }
                row += 1;
            }
        }
    }
}

impl Kernel for Linear<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        // As many sums as fit in registers.
        if S::N == 16 { self.blocks::<S, 8>(s) } else { self.blocks::<S, 4>(s) }
    }
}

/// sums += row · values + shift: adds one more input to the sums `[units, LANES]` of a layer.
///
/// `row` and `shift` have one number per unit, `values` one per lane.
///
/// # Panics
/// If the lengths do not fit.
pub fn add_input(row: &[f32], values: &[f32], shift: Option<&[f32]>, sums: &mut [f32]) {
    add_input_with(Isa::best(), row, values, shift, sums);
}

pub(crate) fn add_input_with(
    isa: Isa,
    row: &[f32],
    values: &[f32],
    shift: Option<&[f32]>,
    sums: &mut [f32],
) {
    assert!(
        values.len() == LANES
            && sums.len() == row.len() * LANES
            && shift.is_none_or(|shift| shift.len() == row.len()),
        "batched_rows: {} weights, {} values and {} sums do not fit",
        row.len(),
        values.len(),
        sums.len()
    );
    isa.run(AddInput { row, values, shift, sums });
}

struct AddInput<'a> {
    row: &'a [f32],
    values: &'a [f32],
    shift: Option<&'a [f32]>,
    sums: &'a mut [f32],
}

impl Kernel for AddInput<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { row, values, shift, sums } = self;
        for (unit, (&w, sums)) in row.iter().zip(sums.chunks_exact_mut(LANES)).enumerate() {
            let (w, shift) = (s.splat(w), s.splat(shift.map_or(0.0, |shift| shift[unit])));
            for (x, sum) in values.chunks_exact(S::N).zip(sums.chunks_exact_mut(S::N)) {
                // SAFETY: both are chunks of N values.
                unsafe {
                    let new = s.add(s.fma(w, s.load(x.as_ptr()), s.load(sum.as_ptr())), shift);
                    s.store(sum.as_mut_ptr(), new);
                }
            }
        }
    }
}

/// units = act(sums), each `[units, LANES]`.
///
/// # Panics
/// If the lengths differ.
pub fn activate(sums: &[f32], activation: Activation, units: &mut [f32]) {
    activate_with(Isa::best(), sums, activation, units);
}

pub(crate) fn activate_with(isa: Isa, sums: &[f32], activation: Activation, units: &mut [f32]) {
    assert!(
        sums.len() == units.len() && sums.len().is_multiple_of(LANES),
        "batched_rows: whole units"
    );
    isa.run(Activate { sums, activation, units });
}

struct Activate<'a> {
    sums: &'a [f32],
    activation: Activation,
    units: &'a mut [f32],
}

impl Kernel for Activate<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd>(self, s: S) {
        let Self { sums, activation, units } = self;
        for (from, to) in sums.chunks_exact(S::N).zip(units.chunks_exact_mut(S::N)) {
            // SAFETY: both are chunks of N values.
            unsafe {
                s.store(to.as_mut_ptr(), math::activate(s, activation, s.load(from.as_ptr())));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::noise;

    #[test]
    fn a_layer_agrees_with_sums_in_f64_on_every_instruction_set() {
        for (rows, inputs, stride) in [
            (0, 3, 3),
            (1, 0, 0),
            (1, 1, 1),
            (3, 7, 9),
            (8, 16, 16),
            (13, 101, 120),
            (20, 500, 500),
        ] {
            let weight = noise(1, rows * stride.max(1));
            let bias = noise(2, rows);
            let units = noise(3, inputs.max(1) * LANES);
            for isa in Isa::available() {
                for activation in [Activation::None, Activation::Relu, Activation::Tanh] {
                    let mut out = vec![f32::NAN; rows * LANES];
                    linear_with(isa, &weight, stride, inputs, &bias, &units, activation, &mut out);
                    for (at, &got) in out.iter().enumerate() {
                        let (row, lane) = (at / LANES, at % LANES);
                        let sum: f64 = (0..inputs)
                            .map(|i| {
                                f64::from(weight[row * stride + i])
                                    * f64::from(units[i * LANES + lane])
                            })
                            .sum::<f64>()
                            + f64::from(bias[row]);
                        let want = match activation {
                            Activation::Relu => sum.max(0.0),
                            Activation::Tanh => sum.tanh(),
                            _ => sum,
                        };
                        assert!(
                            (f64::from(got) - want).abs() < 1e-5 * (1.0 + want.abs()),
                            "{isa:?} {at}: {got} {want}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn a_lane_does_not_depend_on_the_others() {
        let (rows, inputs) = (11, 37);
        let (weight, bias) = (noise(1, rows * inputs), noise(2, rows));
        let units = noise(3, inputs * LANES);
        let mut alone = vec![0.0; inputs * LANES];
        (0..inputs).for_each(|i| alone[i * LANES + 5] = units[i * LANES + 5]);
        for isa in Isa::available() {
            let run = |units: &[f32]| {
                let mut out = vec![0.0; rows * LANES];
                linear_with(
                    isa,
                    &weight,
                    inputs,
                    inputs,
                    &bias,
                    units,
                    Activation::Sigmoid,
                    &mut out,
                );
                out.into_iter().skip(5).step_by(LANES).collect::<Vec<f32>>()
            };
            assert_eq!(run(&units), run(&alone));
        }
    }

    #[test]
    fn an_input_adds_what_it_says() {
        let n = 7;
        let (row, shift, values) = (noise(1, n), noise(2, n), noise(3, LANES));
        let before = noise(4, n * LANES);
        for isa in Isa::available() {
            for shift in [None, Some(&shift[..])] {
                let mut sums = before.clone();
                add_input_with(isa, &row, &values, shift, &mut sums);
                let mut units = vec![0.0; n * LANES];
                activate_with(isa, &sums, Activation::Relu, &mut units);
                for (at, &sum) in sums.iter().enumerate() {
                    let (unit, lane) = (at / LANES, at % LANES);
                    let want =
                        before[at] + row[unit] * values[lane] + shift.map_or(0.0, |s| s[unit]);
                    assert!((sum - want).abs() < 1e-6);
                    assert_eq!(units[at], sum.max(0.0));
                }
            }
        }
    }
}
