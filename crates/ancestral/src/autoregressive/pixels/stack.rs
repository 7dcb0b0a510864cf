//! A first convolution with mask A, then residual blocks, as PixelCNN, Row LSTM and Diagonal BiLSTM
//! have them (van den Oord et al. 2016, figure 5 and table 1).

use ancestral_kernels::PixelMap;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

use super::cache::{PixelBlock, PixelBody, PixelLayer, Pixelwise};
use super::conv::{ConvForm, Mask, MaskedConv, Pass, square};
use super::model::{Body, Common};
use super::size::PixelSize;
use crate::spec::Init;

/// A residual block, of 2h features in and out.
pub(crate) trait Block: Module + ModuleDisplay + Send + Sync + 'static {
    /// A block of a model with these settings; `name` is part of the key of its random streams.
    fn init(common: &Common, name: &str, init: &Init) -> Self;

    /// What is added to `x` `[n, height, width, 2h]`.
    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4>;

    /// The same, one pixel at a time.
    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBlock>;

    /// Counts the block.
    fn count(size: &mut PixelSize, common: &Common);

    /// Columns outside of the image that it needs, to its right.
    const MARGIN: usize = 0;
}

/// The first convolution and the blocks.
#[derive(Module, Debug)]
pub(crate) struct ResidualStack<B: Module + ModuleDisplay> {
    /// 7×7, mask A.
    input: MaskedConv,
    blocks: Vec<B>,
    /// A 1×1 convolution from the output of each block to that of the stack, if the model has them.
    skips: Vec<MaskedConv>,
}

impl ResidualStack<MaskedConv> {
    fn input_form(common: &Common) -> ConvForm {
        ConvForm {
            taps: square(common.settings.first_kernel, common.settings.first_kernel),
            mask: Mask::A,
            ..ConvForm::one_by_one(common.inputs(), common.width(), common.groups)
        }
    }
}

impl<B: Block> Body for ResidualStack<B> {
    const MARGIN: usize = B::MARGIN;

    fn init(common: &Common, init: &Init) -> Self {
        let width = common.width();
        let skip = |i: usize| {
            let form = ConvForm::one_by_one(width, width, common.groups);
            MaskedConv::init(form, &format!("skip.{i}"), init)
        };
        let input = ResidualStack::input_form(common);
        Self {
            input: MaskedConv::init(input, "input", init),
            blocks: (0..common.settings.layers)
                .map(|i| B::init(common, &format!("block.{i}"), init))
                .collect(),
            skips: (0..common.settings.layers).filter(|_| common.settings.skip).map(skip).collect(),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let mut x = self.input.forward(x, pass);
        let mut skipped: Option<Tensor<4>> = None;
        for (i, block) in self.blocks.iter().enumerate() {
            let branch = pass.dropped(block.forward(x.clone(), pass), i);
            x = x + branch;
            if let Some(skip) = self.skips.get(i) {
                let own = skip.forward(x.clone(), pass);
                skipped = Some(match skipped {
                    Some(sum) => sum + own,
                    None => own,
                });
            }
        }
        match skipped {
            Some(skipped) => x + skipped,
            None => x,
        }
    }

    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBody> {
        let width = self.input.form().to;
        let blocks = self.blocks.iter().map(|block| block.pixelwise(pixels)).collect();
        Box::new(Cached {
            input: pixels.layer(&self.input),
            blocks,
            skips: self.skips.iter().map(|skip| pixels.layer(skip)).collect(),
            // Blocks read the pixel to the left, and none further.
            features: (0..=self.blocks.len()).map(|_| pixels.map(&[[0, -1]], width)).collect(),
            out: vec![0.0; pixels.images * width],
            branch: vec![0.0; pixels.images * width],
        })
    }

    fn count(size: &mut PixelSize, common: &Common) {
        let width = common.width();
        size.conv(&ResidualStack::input_form(common));
        for _ in 0..common.settings.layers {
            B::count(size, common);
            size.kept(width);
            if common.settings.dropout > 0.0 {
                size.kept(2 * width);
            }
            if common.settings.skip {
                size.conv(&ConvForm::one_by_one(width, width, common.groups));
                size.kept(width);
            }
        }
    }
}

/// The stack, one pixel at a time.
struct Cached {
    input: PixelLayer,
    blocks: Vec<Box<dyn PixelBlock>>,
    skips: Vec<PixelLayer>,
    /// The input of each block, and the output of the last.
    features: Vec<PixelMap>,
    out: Vec<f32>,
    branch: Vec<f32>,
}

impl PixelBody for Cached {
    fn pixel(&mut self, image: &PixelMap, at: [usize; 2], group: usize) -> &[f32] {
        let width = self.input.outputs();
        let own = self.input.group(group);
        self.input.pixel(image, at, group, self.features[0].pixel_mut(at));
        if !self.skips.is_empty() {
            each_row(&mut self.out, width, &own, |out| out.fill(0.0));
        }
        for (i, block) in self.blocks.iter_mut().enumerate() {
            block.pixel(&self.features[i], at, group, &mut self.branch);
            let (before, after) = self.features.split_at_mut(i + 1);
            let rows = before[i].pixel(at).chunks_exact(width).zip(self.branch.chunks_exact(width));
            for (after, (before, branch)) in
                after[0].pixel_mut(at).chunks_exact_mut(width).zip(rows)
            {
                for unit in own.clone() {
                    after[unit] = before[unit] + branch[unit];
                }
            }
            if let Some(skip) = self.skips.get(i) {
                skip.pixel(&self.features[i + 1], at, group, &mut self.branch);
                let rows = self.out.chunks_exact_mut(width).zip(self.branch.chunks_exact(width));
                for (out, branch) in rows {
                    own.clone().for_each(|unit| out[unit] += branch[unit]);
                }
            }
        }
        let last = self.features[self.blocks.len()].pixel(at);
        if self.skips.is_empty() {
            return last;
        }
        for (out, last) in self.out.chunks_exact_mut(width).zip(last.chunks_exact(width)) {
            own.clone().for_each(|unit| out[unit] += last[unit]);
        }
        &self.out
    }

    fn row_end(&mut self, row: usize) {
        for (block, features) in self.blocks.iter_mut().zip(&self.features) {
            block.row_end(features, row);
        }
    }
}

/// Calls `work` with some units of each row.
fn each_row(
    rows: &mut [f32],
    width: usize,
    units: &std::ops::Range<usize>,
    work: impl Fn(&mut [f32]),
) {
    rows.chunks_exact_mut(width).for_each(|row| work(&mut row[units.clone()]));
}
