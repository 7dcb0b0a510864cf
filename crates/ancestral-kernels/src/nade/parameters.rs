//! The sizes and the parameters of a NADE, as the loops over them take them.

use crate::{activation::Activation, flex::Primitive};
use burn::backend::TensorMetadata;

/// The sizes of a model.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sizes {
    pub(super) entries: usize,
    pub(super) levels: usize,
    pub(super) outputs: usize,
    pub(super) hidden: usize,
}

impl Sizes {
    pub(super) fn of(x: &Primitive, weight: &Primitive, output_weight: &Primitive) -> Self {
        let ([_, entries], [rows, hidden]) = (x.shape().dims(), weight.shape().dims());
        let [outputs, _] = output_weight.shape().dims();
        Self { entries, levels: rows / entries, outputs: outputs / entries, hidden }
    }

    pub(super) fn all_outputs(self) -> usize {
        self.entries * self.outputs
    }

    /// The row of `weight` that entry `d` of value `x` adds, and its factor.
    #[inline(always)]
    pub(super) fn addend(self, d: usize, x: f32) -> (usize, f32) {
        if self.levels == 1 {
            (d, x)
        } else {
            (d * self.levels + (x as usize).min(self.levels - 1), 1.0)
        }
    }
}

/// The parameters of [`nade`](super::nade) as slices, row after row.
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
    /// `[D]`, by position in the ordering, if the pre-activations are rescaled.
    pub scale: Option<&'a [f32]>,
    /// The activation of the hidden units.
    pub activation: Activation,
    /// The numbers of the entries, first to last; `None` for 0, 1, …
    pub order: Option<&'a [usize]>,
}

impl NadeParameters<'_> {
    #[inline(always)]
    pub(super) fn scale(&self, d: usize) -> f32 {
        self.scale.map_or(1.0, |scale| scale[d])
    }

    /// The entry at position `d`.
    #[inline(always)]
    pub(super) fn entry(&self, d: usize) -> usize {
        self.order.map_or(d, |order| order[d])
    }

    /// The row in memory of row `row` of the ordering, with `together` rows per entry.
    #[inline(always)]
    pub(super) fn row(&self, row: usize, together: usize) -> usize {
        match self.order {
            Some(order) if together > 0 => order[row / together] * together + row % together,
            _ => row,
        }
    }

    /// Whether hidden units can be computed from products of e^−w.
    pub(super) fn has_factors(&self) -> bool {
        self.activation == Activation::Sigmoid && self.scale.is_none()
    }
}

/// Refuses an order that does not name every entry once.
pub(super) fn check_order(order: Option<&[usize]>, entries: usize) {
    let Some(order) = order else { return };
    let mut seen = vec![false; entries];
    order.iter().filter(|&&e| e < entries).for_each(|&e| seen[e] = true);
    assert!(
        order.len() == entries && seen.into_iter().all(|seen| seen),
        "nade: an order names each of {entries} entries once"
    );
}
