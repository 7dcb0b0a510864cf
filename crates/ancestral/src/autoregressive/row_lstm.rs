//! Row LSTM: van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.1 (arXiv:1601.06759).
//!
//! p(x) = Π p(xᵢ | x_<i), exact. Each layer is an LSTM that reads an image row after row (equation 3):
//!
//! [o, f, i, g] = σ(K^ss ∗ h_above + K^is ∗ x), c = f ⊙ c_above + i ⊙ g, h = o ⊙ tanh(c),
//!
//! where K^ss is a 3×1 convolution along the row above, and K^is a 3×1 convolution with mask B along
//! the row, for the whole map at once. So a pixel sees a triangle above it. A 1×1 convolution leads
//! back to 2h features, which are added to the layer's input. The states outside of the image are
//! learned.

use ancestral_kernels::{PixelMap, Scan, Tap};
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
    /// Settings of Row LSTM.
    RowLstmConfig, "row-lstm", layers = 3, hidden = 32
}

/// The entry of `row-lstm`.
pub fn entry() -> ModelEntry {
    pixel_entry::<RowLstmConfig, ResidualStack<RowBlock>>(
        "Row LSTM (PixelRNN): each pixel conditioned on a triangle above it by LSTMs over the rows",
        "van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759",
        &[
            Preset {
                name: "mnist",
                about: "7 layers, h = 16, for binarized MNIST: Adam with a decaying learning rate and averaged weights",
                settings: include_str!("presets/row-lstm-mnist.toml"),
            },
            Preset {
                name: "digits",
                about: "for the embedded digits, in about a minute",
                settings: include_str!("presets/row-lstm-digits.toml"),
            },
            Preset {
                name: "oord-2016",
                about: "12 layers, h = 128, RMSProp, as for CIFAR-10 in van den Oord et al. 2016, Table 1",
                settings: include_str!("presets/row-lstm-oord-2016.toml"),
            },
        ],
        RowLstmConfig::fields,
    )
}

/// What the input-to-state convolution sees: 3×1 with mask B.
const INPUT: [Tap; 2] = [[0, -1], [0, 0]];

/// A layer.
#[derive(Module, Debug)]
struct RowBlock {
    lstm: ScanLstm,
    /// 1×1, h to 2h.
    up: MaskedConv,
}

impl RowBlock {
    fn up(common: &Common) -> ConvForm {
        ConvForm::one_by_one(common.settings.hidden, common.width(), common.groups)
    }
}

impl Block for RowBlock {
    fn init(common: &Common, name: &str, init: &Init) -> Self {
        Self {
            lstm: ScanLstm::init(common, Scan::Rows, &INPUT, name, init),
            up: MaskedConv::init(Self::up(common), &format!("{name}.up"), init),
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        self.up.forward(self.lstm.forward(x, pass), pass)
    }

    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBlock> {
        Box::new(Cached { lstm: self.lstm.pixelwise(pixels), up: pixels.layer(&self.up) })
    }

    fn count(size: &mut PixelSize, common: &Common) {
        ScanLstm::count(size, common, Scan::Rows, &INPUT);
        size.conv(&Self::up(common));
    }
}

/// The layer at one pixel.
struct Cached {
    lstm: CachedLstm,
    up: PixelLayer,
}

impl PixelBlock for Cached {
    fn pixel(&mut self, x: &PixelMap, at: [usize; 2], group: usize, out: &mut [f32]) {
        self.lstm.pixel(x, at, group);
        self.up.pixel(&self.lstm.states, at, group, out);
    }
}
