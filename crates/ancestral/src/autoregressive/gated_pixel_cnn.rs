//! Gated PixelCNN: van den Oord, Kalchbrenner, Vinyals, Espeholt, Graves and Kavukcuoglu 2016
//! (arXiv:1606.05328).
//!
//! p(x) = Π p(xᵢ | x_<i), exact. Two stacks of convolutions (section 2.3): the vertical one sees the
//! rows above, the horizontal one what was drawn of the row, and the vertical one's features; together
//! they have no blind spot. Both have gated units, tanh(W_f ∗ x) ⊙ σ(W_g ∗ x) (equation 2), to which a
//! class adds its own bias (equation 3). A layer (figure 2):
//!
//! - vertical: k×k to 2h, gate;
//! - horizontal: 1×k to 2h plus 1×1 from the vertical's pre-activations, gate, 1×1, added to its input
//!   (from the second layer on).
//!
//! The first layer sees rows above alone, and the row with mask A.

use std::ops::Range;

use ancestral_kernels::{self as kernels, Isa, PixelMap, Tap};
use burn::module::Module;
use burn::tensor::Tensor;

use super::pixels::{
    Body, Common, ConvForm, Mask, MaskedConv, Pass, PixelBody, PixelLayer, PixelSize, Pixelwise,
    entry as pixel_entry, pixel_settings, square,
};
use crate::model::{ModelEntry, Preset};
use crate::settings::Settings;
use crate::spec::Init;

pixel_settings! {
    /// Settings of Gated PixelCNN.
    GatedPixelCnnConfig, "gated-pixel-cnn", layers = 7, hidden = 32, kernel = 3
}

/// The entry of `gated-pixel-cnn`.
pub fn entry() -> ModelEntry {
    pixel_entry::<GatedPixelCnnConfig, Stacks>(
        "Gated PixelCNN: each pixel conditioned on all before it by two stacks of gated convolutions",
        "van den Oord et al. 2016, arXiv:1606.05328",
        &[
            Preset {
                name: "mnist",
                about: "12 layers of 5×5 filters, h = 16, for binarized MNIST: Adam with a decaying learning rate and averaged weights",
                settings: include_str!("presets/gated-pixel-cnn-mnist.toml"),
            },
            Preset {
                name: "digits",
                about: "for the embedded digits, in about a minute",
                settings: include_str!("presets/gated-pixel-cnn-digits.toml"),
            },
        ],
        GatedPixelCnnConfig::fields,
    )
}

/// The taps of a filter in the rows above the pixel.
fn above(side: usize) -> Vec<Tap> {
    let half = (side / 2) as isize;
    (-half..0).flat_map(|down| (-half..=half).map(move |right| [down, right])).collect()
}

/// The taps of a layer of the vertical stack: the rows above, and its own row of features, which
/// depend on rows above alone.
fn vertical(side: usize) -> Vec<Tap> {
    let half = (side / 2) as isize;
    above(side).into_iter().chain((-half..=half).map(|right| [0, right])).collect()
}

/// A layer of both stacks.
#[derive(Module, Debug)]
struct Layer {
    /// k×k, to the vertical gates.
    vertical: MaskedConv,
    /// 1×1, from the vertical gates before their activation to the horizontal ones.
    across: MaskedConv,
    /// 1×k, to the horizontal gates.
    horizontal: MaskedConv,
    /// 1×1, of the horizontal features.
    out: MaskedConv,
    /// Skip connection to the outputs.
    skip: Option<MaskedConv>,
}

/// The forms of a layer's convolutions.
struct Forms {
    vertical: ConvForm,
    across: ConvForm,
    horizontal: ConvForm,
    out: ConvForm,
}

impl Layer {
    fn forms(common: &Common, first: bool) -> Forms {
        let (hidden, gates) = (common.settings.hidden, common.settings.hidden.saturating_mul(2));
        let from = if first { common.inputs() } else { hidden };
        let side = if first { common.settings.first_kernel } else { common.settings.kernel };
        let gate = ConvForm {
            parts: 2,
            classes: common.classes,
            ..ConvForm::one_by_one(from, gates, common.groups)
        };
        Forms {
            vertical: ConvForm {
                taps: if first { above(side) } else { vertical(side) },
                mask: Mask::None,
                ..gate.clone()
            },
            across: ConvForm { mask: Mask::None, classes: 0, from: gates, ..gate.clone() },
            horizontal: ConvForm {
                taps: square(1, side),
                mask: if first { Mask::A } else { Mask::B },
                ..gate
            },
            out: ConvForm::one_by_one(hidden, hidden, common.groups),
        }
    }

    fn init(common: &Common, layer: usize, init: &Init) -> Self {
        let Forms { vertical, across, horizontal, out } = Self::forms(common, layer == 0);
        let conv =
            |form, what: &str| MaskedConv::init(form, &format!("layer.{layer}.{what}"), init);
        Self {
            vertical: conv(vertical, "vertical"),
            across: conv(across, "across"),
            horizontal: conv(horizontal, "horizontal"),
            skip: common.settings.skip.then(|| conv(out.clone(), "skip")),
            out: conv(out, "out"),
        }
    }
}

/// tanh of the first half of the features times σ of the second.
fn gated(x: Tensor<4>) -> Tensor<4> {
    let half = x.dims()[3] / 2;
    let (content, gate) = (x.clone().narrow(3, 0, half), x.narrow(3, half, half));
    kernels::tanh(content) * kernels::sigmoid(gate)
}

/// The two stacks.
#[derive(Module, Debug)]
struct Stacks {
    layers: Vec<Layer>,
}

impl Body for Stacks {
    fn init(common: &Common, init: &Init) -> Self {
        Self {
            layers: (0..common.settings.layers)
                .map(|layer| Layer::init(common, layer, init))
                .collect(),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let (mut down, mut along) = (x.clone(), x);
        let mut skipped: Option<Tensor<4>> = None;
        for (i, layer) in self.layers.iter().enumerate() {
            let gates = layer.vertical.forward(down, pass);
            let row = layer.horizontal.forward(along.clone(), pass)
                + layer.across.forward(gates.clone(), pass);
            let row = gated(row);
            let own = pass.dropped(layer.out.forward(row.clone(), pass), i);
            if let Some(skip) = &layer.skip {
                let own = skip.forward(row, pass);
                skipped = Some(match skipped {
                    Some(sum) => sum + own,
                    None => own,
                });
            }
            along = if i == 0 { own } else { along + own };
            down = gated(gates);
        }
        match skipped {
            Some(skipped) => along + skipped,
            None => along,
        }
    }

    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBody> {
        let layers = self.layers.iter().enumerate().map(|(i, layer)| {
            let hidden = layer.out.form().to;
            let next = self.layers.get(i + 1);
            // What the next layer reads of this one's features.
            let taps = |conv: fn(&Layer) -> &MaskedConv| {
                next.map(|next| conv(next).form().taps.clone()).unwrap_or_default()
            };
            CachedLayer {
                vertical: pixels.layer(&layer.vertical),
                across: pixels.layer(&layer.across),
                horizontal: pixels.layer(&layer.horizontal),
                out: pixels.layer(&layer.out),
                skip: layer.skip.as_ref().map(|skip| pixels.layer(skip)),
                gates: pixels.single(2 * hidden),
                passed: pixels.map(&[], 2 * hidden),
                row: vec![0.0; pixels.images * 2 * hidden],
                gated: pixels.single(hidden),
                own: vec![0.0; pixels.images * hidden],
                down: pixels.map(&taps(|next| &next.vertical), hidden),
                along: pixels.map(&taps(|next| &next.horizontal), hidden),
            }
        });
        let hidden = self.layers.first().map_or(0, |layer| layer.out.form().to);
        Box::new(Cached {
            layers: layers.collect(),
            groups: self.layers.first().map_or(1, |layer| layer.out.form().groups.0),
            hidden,
            width: pixels.size[1],
            out: vec![0.0; pixels.images * hidden],
            row: None,
        })
    }

    fn count(size: &mut PixelSize, common: &Common) {
        for layer in 0..common.settings.layers {
            let Forms { vertical, across, horizontal, out } = Layer::forms(common, layer == 0);
            [&vertical, &across, &horizontal, &out].into_iter().for_each(|form| size.conv(form));
            // tanh, σ and their product of both stacks and the sum of features, 7h; of the outputs above
            // those of the horizontal stack, 5h, are not kept.
            size.kept(common.settings.hidden.saturating_mul(2));
            if common.settings.skip {
                size.conv(&out);
                size.kept(common.settings.hidden);
            }
            if common.settings.dropout > 0.0 {
                size.kept(common.settings.hidden.saturating_mul(2));
            }
        }
    }

    fn features(common: &Common) -> usize {
        common.settings.hidden
    }
}

/// A layer at one pixel.
struct CachedLayer {
    vertical: PixelLayer,
    across: PixelLayer,
    horizontal: PixelLayer,
    out: PixelLayer,
    skip: Option<PixelLayer>,
    /// The vertical gates of a pixel before their activation.
    gates: PixelMap,
    /// What they add to the horizontal gates.
    passed: PixelMap,
    row: Vec<f32>,
    gated: PixelMap,
    own: Vec<f32>,
    /// Features of the vertical and of the horizontal stack.
    down: PixelMap,
    along: PixelMap,
}

/// Both stacks at one pixel: the vertical one computes a whole row at its start.
struct Cached {
    layers: Vec<CachedLayer>,
    groups: usize,
    hidden: usize,
    /// Pixels in a row.
    width: usize,
    out: Vec<f32>,
    /// The last row of the vertical stack that was computed.
    row: Option<usize>,
}

/// tanh ⊙ σ of the gates of some units in rows of `2 · hidden` gates.
fn gate_rows(gates: &[f32], hidden: usize, units: Range<usize>, out: &mut [f32]) {
    let isa = Isa::best();
    let (mut content, mut gate) = (vec![0.0; units.len()], vec![0.0; units.len()]);
    for (out, gates) in out.chunks_exact_mut(hidden).zip(gates.chunks_exact(2 * hidden)) {
        let (of_content, of_gate) = gates.split_at(hidden);
        kernels::vector::tanh(isa, &of_content[units.clone()], &mut content);
        kernels::vector::sigmoid(isa, &of_gate[units.clone()], &mut gate);
        let values = content.iter().zip(&gate).map(|(content, gate)| content * gate);
        out[units.clone()].iter_mut().zip(values).for_each(|(out, value)| *out = value);
    }
}

impl Cached {
    /// Computes the vertical stack for a row, which needs the rows above.
    fn vertical(&mut self, image: &PixelMap, row: usize) {
        let hidden = self.hidden;
        for i in 0..self.layers.len() {
            let (before, after) = self.layers.split_at_mut(i);
            let layer = &mut after[0];
            let from = before.last().map_or(image, |layer| &layer.down);
            for column in 0..self.width {
                let at = [row, column];
                for group in 0..self.groups {
                    layer.vertical.pixel(from, at, group, layer.gates.pixel_mut([0, 0]));
                }
                let gates = layer.gates.pixel([0, 0]);
                gate_rows(gates, hidden, 0..hidden, layer.down.pixel_mut(at));
                for group in 0..self.groups {
                    layer.across.pixel(&layer.gates, [0, 0], group, layer.passed.pixel_mut(at));
                }
            }
        }
    }
}

impl PixelBody for Cached {
    fn pixel(&mut self, image: &PixelMap, at: [usize; 2], group: usize) -> &[f32] {
        if self.row != Some(at[0]) {
            self.vertical(image, at[0]);
            self.row = Some(at[0]);
        }
        let hidden = self.hidden;
        let mut skips = false;
        let last = self.layers.len() - 1;
        for i in 0..=last {
            let (before, after) = self.layers.split_at_mut(i);
            let layer = &mut after[0];
            let units = layer.out.group(group);
            let from = before.last().map_or(image, |layer| &layer.along);
            layer.horizontal.pixel(from, at, group, &mut layer.row);
            let rows = layer.row.chunks_exact_mut(hidden);
            for (row, passed) in rows.zip(layer.passed.pixel(at).chunks_exact(hidden)) {
                units.clone().for_each(|unit| row[unit] += passed[unit]);
            }
            gate_rows(&layer.row, hidden, units.clone(), layer.gated.pixel_mut([0, 0]));
            layer.out.pixel(&layer.gated, [0, 0], group, &mut layer.own);
            let own = layer.own.chunks_exact(hidden);
            let along = layer.along.pixel_mut(at).chunks_exact_mut(hidden).zip(own);
            for (image, (along, own)) in along.enumerate() {
                for unit in units.clone() {
                    let input = before
                        .last()
                        .map_or(0.0, |layer| layer.along.pixel(at)[image * hidden + unit]);
                    along[unit] = input + own[unit];
                }
            }
            if let Some(skip) = &layer.skip {
                skip.pixel(&layer.gated, [0, 0], group, &mut layer.own);
                let rows = self.out.chunks_exact_mut(hidden).zip(layer.own.chunks_exact(hidden));
                for (out, own) in rows {
                    for unit in units.clone() {
                        out[unit] = own[unit] + if skips { out[unit] } else { 0.0 };
                    }
                }
                skips = true;
            }
            if i == last && skips {
                let rows = layer.along.pixel(at).chunks_exact(hidden);
                for (out, along) in self.out.chunks_exact_mut(hidden).zip(rows) {
                    units.clone().for_each(|unit| out[unit] += along[unit]);
                }
            }
        }
        match self.layers.last() {
            Some(last) if !skips => last.along.pixel(at),
            _ => &self.out,
        }
    }

    fn row_end(&mut self, _row: usize) {}
}
