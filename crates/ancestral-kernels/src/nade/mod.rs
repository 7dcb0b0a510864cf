//! The neural autoregressive distribution estimator: the outputs of every entry from the entries
//! before it, in one pass that updates the hidden pre-activations (Larochelle and Murray 2011,
//! algorithm 1).
//!
//! A binary entry that is 0 does not change the pre-activations, so the hidden units are recomputed
//! only after entries that are not 0; [`rows`] says how this avoids their exponentials. The forward
//! pass distributes examples among threads, the gradient hidden units, for which all examples are
//! summed in order; so no sum depends on the number of threads.

use burn::{
    backend::TensorMetadata,
    tensor::{Int, Shape, Tensor},
};

mod gradient;
mod parameters;
mod rows;

pub use parameters::NadeParameters;
pub use rows::{NadeRows, NadeWeights};

use crate::{
    activation::Activation,
    autodiff::Operation,
    flex::{self, Primitive},
    linear,
    simd::Isa,
};
use parameters::{Sizes, check_order};

/// Outputs `[batch, D·K]` of a NADE, those of entry d from the entries before d alone:
/// act(ρ_d (bias + Σ_{e<d} x_e W_e)) · Vᵀ_d + b_d, where act is the sigmoid in the paper.
///
/// - `x` `[batch, D]`: the entries in the model's ordering. No gradient flows to them.
/// - `weight` `[D·E, H]`: for E = 1 an entry's value multiplies its row; for E > 1 an entry is a
///   level from 0 to E − 1 and takes the row of its level.
/// - `bias` `[H]`, `output_weight` `[D·K, H]`, `output_bias` `[D·K]`.
/// - `scale` `[D]`: ρ, the rescaling of the pre-activations at each position (Uria, Murray and Larochelle 2013,
///   equation 4); `None` for 1, which is also faster.
/// - `form`: the activation act and the ordering; all tensors are laid out by the numbers of the
///   entries, whatever the ordering.
///
/// `f32` on Flex runs fused: the forward pass needs memory for the hidden units of the current
/// examples, not for those of every entry, with sigmoids for a table as large as `weight` and, if an
/// entry has one output and there are many examples, for a copy of `output_weight`. Any other type or backend
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
        // No scale is passed as an empty tensor.
        let scale = scale.unwrap_or_else(|| Tensor::empty([0], &bias.device()));
        return Nade::run((weight, bias, output_weight, output_bias, scale, x), form);
    }
    composed_nade(x, weight, bias, output_weight, output_bias, scale, form)
}

/// The activation and the ordering of [`nade`].
#[derive(Debug, Clone, Default)]
pub struct NadeForm {
    /// The activation of the hidden units.
    pub activation: Activation,
    /// The numbers of the entries, first to last; `None` for 0, 1, …
    pub order: Option<Vec<usize>>,
}

/// The same, composed of Burn's operations, one entry at a time.
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

#[derive(Debug, Clone)]
struct Nade {
    weight: Primitive,
    bias: Primitive,
    output_weight: Primitive,
    output_bias: Primitive,
    /// Empty if there is none.
    scale: Primitive,
    x: Primitive,
    form: NadeForm,
}

impl Nade {
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
}

impl Operation<6> for Nade {
    type Parameters = NadeForm;

    /// The entries.
    const CONSTANTS: usize = 1;

    fn forward(
        [weight, bias, output_weight, output_bias, scale, x]: [Primitive; 6],
        form: NadeForm,
    ) -> (Primitive, Self) {
        let state = Self { weight, bias, output_weight, output_bias, scale, x, form };
        let [batch, entries] = state.x.shape().dims();
        let weights = NadeWeights::new(state.parameters(), entries);
        let outputs = weights.sizes.all_outputs();
        let mut out = vec![0.0f32; batch * outputs];
        weights.forward(state.x.storage(), &mut out);
        (flex::tensor(out, Shape::new([batch, outputs])), state)
    }

    fn backward(
        self,
        grad: Primitive,
        [_, _, _, output_bias, _, _]: [bool; 6],
    ) -> [Option<Primitive>; 6] {
        let ([batch, outputs], isa) = (grad.shape().dims(), Isa::best());
        let (parameters, x) = (self.parameters(), self.x.storage());
        let [weight, bias, output_weight, scale] =
            gradient::backward(isa, self.sizes(), parameters, x, grad.storage());
        let like = |values, parameter: &Primitive| Some(flex::tensor(values, parameter.shape()));
        [
            like(weight, &self.weight),
            like(bias, &self.bias),
            like(output_weight, &self.output_weight),
            output_bias.then(|| linear::column_sums(grad.storage(), batch, outputs)),
            like(scale, &self.scale),
            None,
        ]
    }
}

#[cfg(test)]
mod tests;
