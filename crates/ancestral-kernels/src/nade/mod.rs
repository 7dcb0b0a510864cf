//! The neural autoregressive distribution estimator: the outputs of every entry from the entries
//! before it, in one pass that carries the hidden sums (Larochelle and Murray 2011, algorithm 1).
//!
//! A binary entry that is 0 adds nothing to the sums, so the hidden units are renewed only where
//! an entry is not 0; [`rows`] says what spares them their exponentials. The forward pass shares
//! examples among threads and the gradient shares hidden units, for which all examples are summed
//! in order; so no buffer is joined, and no sum depends on how many threads there are.

use burn::{
    backend::{
        Autodiff, Backend, Dispatch, Flex, TensorMetadata,
        autodiff::{
            checkpoint::{base::Checkpointer, strategy::CheckpointStrategy},
            grads::Gradients,
            ops::{Backward, Ops, OpsKind},
        },
        backend_extension,
        tensor::FloatTensor,
    },
    tensor::{Int, Shape, Tensor},
};
mod gradient;
mod rows;

pub use rows::{NadeRows, NadeWeights};

use crate::{
    flex::{self, Primitive},
    gemm,
    linear::{self, Activation},
    simd::Isa,
};

/// Outputs `[batch, D·K]` of a NADE, those of entry d from the entries before d alone:
/// act(ρ_d (bias + Σ_{e<d} x_e W_e)) · Vᵀ_d + b_d, where act is the sigmoid in the paper.
///
/// - `x` `[batch, D]`: the entries in the model's order. No gradient flows to them.
/// - `weight` `[D·E, H]`: for E = 1 an entry's value multiplies its row; for E > 1 an entry is a
///   level from 0 to E − 1 and takes the row of its level.
/// - `bias` `[H]`, `output_weight` `[D·K, H]`, `output_bias` `[D·K]`.
/// - `scale` `[D]`: ρ, the rescaling of the sums at each place (Uria, Murray and Larochelle 2013,
///   equation 4); 1 where there is none, which is also quicker.
/// - `form`: what act is, and in which order entries become known; the layout of all tensors is
///   that of the entries' numbers, whatever the order.
///
/// `f32` on Flex runs fused: forward it takes memory for the hidden units of the examples at hand,
/// not for those of every entry, and with sigmoids for a table as large as `weight` and, where an
/// entry has one output and examples are many, a copy of `output_weight`. Any other type or backend
/// is composed of Burn's operations.
///
/// # Panics
/// If the shapes do not fit, or the order does not name every entry once.
pub fn nade(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    output_weight: Tensor<2>,
    output_bias: Tensor<1>,
    scale: Option<Tensor<1>>,
    form: NadeForm,
) -> Tensor<2> {
    let ([_, entries], [rows, hidden]) = (x.dims(), weight.dims());
    let ([outputs, width], [biases], [output_biases]) =
        (output_weight.dims(), bias.dims(), output_bias.dims());
    let fits = entries > 0 && rows % entries == 0 && outputs % entries == 0;
    assert!(
        fits && rows > 0 && outputs > 0 && hidden == width && hidden == biases,
        "nade: x [_, {entries}], weight [{rows}, {hidden}], bias [{biases}] and output weight \
         [{outputs}, {width}] do not fit"
    );
    assert_eq!(outputs, output_biases, "nade: one bias for each output");
    assert!(
        scale.as_ref().is_none_or(|scale| scale.dims() == [entries]),
        "nade: one scale for each entry"
    );
    check_order(form.order.as_deref(), entries);
    let tensors_are_fast = flex::is_fast(&x)
        && flex::is_fast(&weight)
        && flex::is_fast(&bias)
        && flex::is_fast(&output_weight)
        && flex::is_fast(&output_bias)
        && scale.as_ref().is_none_or(flex::is_fast);
    if tensors_are_fast {
        // No scale travels as one of no entries.
        let scale = scale.unwrap_or_else(|| Tensor::empty([0], &bias.device()));
        return Tensor::from_dispatch(<Dispatch as NadeOps>::fused_nade(
            x.into_dispatch(),
            weight.into_dispatch(),
            bias.into_dispatch(),
            output_weight.into_dispatch(),
            output_bias.into_dispatch(),
            scale.into_dispatch(),
            form,
        ));
    }
    composed_nade(x, weight, bias, output_weight, output_bias, scale, form)
}

/// How [`nade`] goes through its entries.
#[derive(Debug, Clone, Default)]
pub struct NadeForm {
    /// What the hidden units apply to their sums.
    pub activation: Activation,
    /// The entries' numbers, first to last; 0, 1, … where there is none.
    pub order: Option<Vec<usize>>,
}

fn check_order(order: Option<&[usize]>, entries: usize) {
    let Some(order) = order else { return };
    let mut seen = vec![false; entries];
    order.iter().filter(|&&e| e < entries).for_each(|&e| seen[e] = true);
    assert!(
        order.len() == entries && seen.into_iter().all(|seen| seen),
        "nade: an order names each of {entries} entries once"
    );
}

/// The same in Burn's operations, entry after entry.
pub(crate) fn composed_nade(
    x: Tensor<2>,
    weight: Tensor<2>,
    bias: Tensor<1>,
    output_weight: Tensor<2>,
    output_bias: Tensor<1>,
    scale: Option<Tensor<1>>,
    form: NadeForm,
) -> Tensor<2> {
    let ([batch, entries], [rows, _]) = (x.dims(), weight.dims());
    let (levels, outputs) = (rows / entries, output_weight.dims()[0] / entries);
    let mut sums: Tensor<2> = bias.unsqueeze_dim::<2>(0).repeat_dim(0, batch);
    let mut all = vec![None; entries];
    for d in 0..entries {
        let e = form.order.as_ref().map_or(d, |order| order[d]);
        let v = output_weight.clone().narrow(0, e * outputs, outputs);
        let b = output_bias.clone().narrow(0, e * outputs, outputs);
        let scaled = match &scale {
            Some(scale) => sums.clone() * scale.clone().narrow(0, d, 1).unsqueeze_dim::<2>(0),
            None => sums.clone(),
        };
        let units = linear::composed_activation(scaled, form.activation);
        all[e] = Some(units.matmul(v.transpose()) + b.unsqueeze_dim::<2>(0));
        let own = weight.clone().narrow(0, e * levels, levels);
        let value = x.clone().narrow(1, e, 1);
        sums = sums
            + if levels == 1 {
                value * own
            } else {
                let index: Tensor<1, Int> = value.inner().int().reshape([batch]);
                own.select(0, if x.is_autodiff() { index.autodiff() } else { index })
            };
    }
    Tensor::cat(all.into_iter().flatten().collect(), 1)
}

/// The sizes of a model.
#[derive(Debug, Clone, Copy)]
struct Sizes {
    entries: usize,
    levels: usize,
    outputs: usize,
    hidden: usize,
}

impl Sizes {
    fn of(x: &Primitive, weight: &Primitive, output_weight: &Primitive) -> Self {
        let ([_, entries], [rows, hidden]) = (x.shape().dims(), weight.shape().dims());
        let [outputs, _] = output_weight.shape().dims();
        Self { entries, levels: rows / entries, outputs: outputs / entries, hidden }
    }

    fn all_outputs(self) -> usize {
        self.entries * self.outputs
    }

    /// The row of `weight` that entry `d` of value `x` adds, and by what it is multiplied.
    #[inline(always)]
    fn addend(self, d: usize, x: f32) -> (usize, f32) {
        if self.levels == 1 {
            (d, x)
        } else {
            (d * self.levels + (x as usize).min(self.levels - 1), 1.0)
        }
    }
}

/// The parameters of [`nade`] as slices, row after row.
#[derive(Debug, Clone, Copy)]
pub struct NadeParameters<'a> {
    /// `[D·E, H]`.
    pub weight: &'a [f32],
    /// `[H]`.
    pub bias: &'a [f32],
    /// `[D·K, H]`.
    pub output_weight: &'a [f32],
    /// `[D·K]`.
    pub output_bias: &'a [f32],
    /// `[D]`, by places of the order, if the sums are rescaled.
    pub scale: Option<&'a [f32]>,
    /// What the hidden units apply to their sums.
    pub activation: Activation,
    /// The entries' numbers, first to last; 0, 1, … where there is none.
    pub order: Option<&'a [usize]>,
}

impl NadeParameters<'_> {
    #[inline(always)]
    fn scale(&self, d: usize) -> f32 {
        self.scale.map_or(1.0, |scale| scale[d])
    }

    /// The entry at place `d`.
    #[inline(always)]
    fn entry(&self, d: usize) -> usize {
        self.order.map_or(d, |order| order[d])
    }

    /// Where what is numbered `row` in the order lies, with `together` rows an entry.
    #[inline(always)]
    fn row(&self, row: usize, together: usize) -> usize {
        match self.order {
            Some(order) if together > 0 => order[row / together] * together + row % together,
            _ => row,
        }
    }

    /// Whether hidden units may be had from products of e^−w.
    fn has_factors(&self) -> bool {
        self.activation == Activation::Sigmoid && self.scale.is_none()
    }
}

/// The extension.
#[backend_extension(Flex, Autodiff)]
pub(crate) trait NadeOps: Backend {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        form: NadeForm,
    ) -> FloatTensor<Self>;
}

/// What the gradient needs; all contiguous.
#[derive(Debug, Clone)]
struct NadeState {
    x: Primitive,
    weight: Primitive,
    bias: Primitive,
    output_weight: Primitive,
    output_bias: Primitive,
    /// Of no entries where there is none.
    scale: Primitive,
    form: NadeForm,
}

impl NadeState {
    fn sizes(&self) -> Sizes {
        Sizes::of(&self.x, &self.weight, &self.output_weight)
    }

    fn parameters(&self) -> NadeParameters<'_> {
        let scale = self.scale.storage::<f32>();
        NadeParameters {
            weight: self.weight.storage(),
            bias: self.bias.storage(),
            output_weight: self.output_weight.storage(),
            output_bias: self.output_bias.storage(),
            scale: (!scale.is_empty()).then_some(scale),
            activation: self.form.activation,
            order: self.form.order.as_deref(),
        }
    }

    fn forward(&self) -> Primitive {
        let ([batch, entries], x) = (self.x.shape().dims(), self.x.storage());
        let weights = NadeWeights::new(self.parameters(), entries);
        let outputs = weights.sizes.all_outputs();
        let mut out = vec![0.0f32; batch * outputs];
        weights.forward(x, &mut out);
        flex::tensor(out, Shape::new([batch, outputs]))
    }
}

impl NadeOps for Flex {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        form: NadeForm,
    ) -> FloatTensor<Self> {
        NadeState {
            x: flex::contiguous(x),
            weight: flex::contiguous(weight),
            bias: flex::contiguous(bias),
            output_weight: flex::contiguous(output_weight),
            output_bias: flex::contiguous(output_bias),
            scale: flex::contiguous(scale),
            form,
        }
        .forward()
    }
}

#[derive(Debug)]
struct NadeBackward;

impl Backward<Flex, 5> for NadeBackward {
    type State = NadeState;

    fn backward(self, ops: Ops<NadeState, 5>, grads: &mut Gradients, _: &mut Checkpointer) {
        let grad = flex::contiguous(grads.consume::<Flex>(&ops.node));
        let state = ops.state;
        let sizes = state.sizes();
        let [for_weight, for_bias, for_output_weight, for_output_bias, for_scale] = ops.parents;
        let (parameters, x) = (state.parameters(), state.x.storage());
        let [weight, bias, output_weight, scale] =
            gradient::backward(Isa::best(), sizes, parameters, x, grad.storage());
        let outputs = sizes.all_outputs();
        let [batch, _] = grad.shape().dims();
        if let Some(node) = for_output_bias {
            let out = gemm::column_sums(Isa::best(), grad.storage(), batch, outputs);
            grads.register::<Flex>(node.id, flex::tensor(out, Shape::new([outputs])));
        }
        let found = [
            (for_weight, weight, Shape::new([sizes.entries * sizes.levels, sizes.hidden])),
            (for_bias, bias, Shape::new([sizes.hidden])),
            (for_output_weight, output_weight, Shape::new([outputs, sizes.hidden])),
            (for_scale, scale, state.scale.shape()),
        ];
        for (node, out, shape) in found {
            if let Some(node) = node {
                grads.register::<Flex>(node.id, flex::tensor(out, shape));
            }
        }
    }
}

impl<C: CheckpointStrategy> NadeOps for Autodiff<Flex, C> {
    fn fused_nade(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        output_weight: FloatTensor<Self>,
        output_bias: FloatTensor<Self>,
        scale: FloatTensor<Self>,
        form: NadeForm,
    ) -> FloatTensor<Self> {
        let (x, _) = x.into_parts();
        let (weight, weight_node) = weight.into_parts();
        let (bias, bias_node) = bias.into_parts();
        let (output_weight, output_weight_node) = output_weight.into_parts();
        let (output_bias, output_bias_node) = output_bias.into_parts();
        let (scale, scale_node) = scale.into_parts();
        let state = NadeState {
            x: flex::contiguous(x),
            weight: flex::contiguous(weight),
            bias: flex::contiguous(bias),
            output_weight: flex::contiguous(output_weight),
            output_bias: flex::contiguous(output_bias),
            scale: flex::contiguous(scale),
            form,
        };
        let y = state.forward();
        let nodes = [weight_node, bias_node, output_weight_node, output_bias_node, scale_node];
        match NadeBackward.prepare::<C>(nodes).compute_bound().stateful() {
            OpsKind::Tracked(prep) => prep.finish(state, y),
            OpsKind::UnTracked(prep) => prep.finish(y),
        }
    }
}

#[cfg(test)]
mod tests;
