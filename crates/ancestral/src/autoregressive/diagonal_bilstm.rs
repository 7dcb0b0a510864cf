//! Diagonal BiLSTM: van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.2 (arXiv:1601.06759).
//!
//! p(x) = Π p(xᵢ | x_<i), exact. Each layer has two LSTMs that scan an image along its diagonals, one
//! from the top left corner and one from the top right, whose states a pixel takes from the pixel
//! beside it and the one above it; so that it sees all that was drawn before. The map of the LSTM from
//! the right is shifted down a row before the two are added, or it would see pixels to the right
//! (figure 4). The input-to-state convolutions are 1×1 with mask B. A 1×1 convolution leads back to 2h
//! features, which are added to the layer's input. The states outside of the image are learned.
//!
//! Images are not skewed: the scan addresses the diagonals in place. Different from the paper is a
//! column outside of the image, to its right, from which the LSTM from the right starts: by the mask A
//! of the first convolution a feature does not see its own pixel, so that after the shift the last
//! pixel of the row above would be seen by no one far to the left of it.

use ancestral_kernels::{self as kernels, PixelMap, Scan, Tap};
use burn::module::Module;
use burn::tensor::Tensor;

use super::pixels::{
    Block, CachedLstm, Common, ConvForm, MaskedConv, Pass, PixelBlock, PixelLayer, PixelSize,
    Pixelwise, ResidualStack, ScanLstm, entry as pixel_entry, pixel_settings,
};
use crate::model::{ModelEntry, Preset};
use crate::settings::Settings;
use crate::spec::Init;

pixel_settings! {
    /// Settings of Diagonal BiLSTM.
    DiagonalBilstmConfig, "diagonal-bilstm", layers = 1, hidden = 32
}

/// The entry of `diagonal-bilstm`.
pub fn entry() -> ModelEntry {
    pixel_entry::<DiagonalBilstmConfig, ResidualStack<DiagonalBlock>>(
        "Diagonal BiLSTM (PixelRNN): each pixel conditioned on all before it by LSTMs over the diagonals",
        "van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759",
        &[
            Preset {
                name: "mnist",
                about: "one layer, h = 32, for binarized MNIST: Adam with a decaying learning rate and averaged weights",
                settings: include_str!("presets/diagonal-bilstm-mnist.toml"),
            },
            Preset {
                name: "digits",
                about: "for the embedded digits, in about a minute",
                settings: include_str!("presets/diagonal-bilstm-digits.toml"),
            },
            Preset {
                name: "oord-2016",
                about: "12 layers, h = 128, RMSProp, as for CIFAR-10 in van den Oord et al. 2016, Table 1",
                settings: include_str!("presets/diagonal-bilstm-oord-2016.toml"),
            },
        ],
        DiagonalBilstmConfig::fields,
    )
}

/// What the input-to-state convolutions see.
const INPUT: [Tap; 1] = [[0, 0]];

/// A layer.
#[derive(Module, Debug)]
struct DiagonalBlock {
    left: ScanLstm,
    right: ScanLstm,
    /// 1×1, h to 2h.
    up: MaskedConv,
}

impl DiagonalBlock {
    fn up(common: &Common) -> ConvForm {
        ConvForm::one_by_one(common.settings.hidden, common.width(), common.groups)
    }
}

impl Block for DiagonalBlock {
    const MARGIN: usize = 1;

    fn init(common: &Common, name: &str, init: &Init) -> Self {
        let lstm = |scan: Scan, side: &str| {
            ScanLstm::init(common, scan, &INPUT, &format!("{name}.{side}"), init)
        };
        Self {
            left: lstm(Scan::Diagonals, "left"),
            right: lstm(Scan::DiagonalsFromRight, "right"),
            up: MaskedConv::init(Self::up(common), &format!("{name}.up"), init),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let left = self.left.forward(x.clone(), pass);
        let right = self.right.forward(x, pass);
        self.up.forward(kernels::sum_of_sides(left, right), pass)
    }

    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBlock> {
        let form = self.up.form();
        Box::new(Cached {
            left: self.left.pixelwise(pixels),
            right: self.right.pixelwise(pixels),
            sum: pixels.single(form.from),
            up: pixels.layer(&self.up),
            groups: form.groups.0,
            width: pixels.size[1],
        })
    }

    fn count(size: &mut PixelSize, common: &Common) {
        for scan in [Scan::Diagonals, Scan::DiagonalsFromRight] {
            ScanLstm::count(size, common, scan, &INPUT);
        }
        // The sum.
        size.kept(common.settings.hidden);
        size.conv(&Self::up(common));
    }
}

/// The layer at one pixel. The LSTM from the right scans a row when it is known.
struct Cached {
    left: CachedLstm,
    right: CachedLstm,
    sum: PixelMap,
    up: PixelLayer,
    groups: usize,
    /// Pixels in a row.
    width: usize,
}

impl PixelBlock for Cached {
    fn pixel(&mut self, x: &PixelMap, at: [usize; 2], group: usize, out: &mut [f32]) {
        self.left.pixel(x, at, group);
        let sum = self.sum.pixel_mut([0, 0]);
        sum.copy_from_slice(self.left.states.pixel(at));
        if let Some(above) = at[0].checked_sub(1) {
            let right = self.right.states.pixel([above, at[1]]);
            sum.iter_mut().zip(right).for_each(|(sum, state)| *sum += state);
        }
        self.up.pixel(&self.sum, [0, 0], group, out);
    }

    fn row_end(&mut self, x: &PixelMap, row: usize) {
        for column in (0..self.width).rev() {
            (0..self.groups).for_each(|group| self.right.pixel(x, [row, column], group));
        }
    }
}
