//! PixelCNN: van den Oord, Kalchbrenner and Kavukcuoglu 2016, section 3.3 (arXiv:1601.06759).
//!
//! p(x) = Π p(xᵢ | x_<i), pixels row after row and the channels of a pixel one after another, with all
//! conditionals from one pass of masked convolutions; the likelihood is exact. A 7×7 convolution with
//! mask A to 2h features, then residual blocks (figure 5, left): ReLU, 1×1 to h, ReLU, 3×3 with mask B,
//! ReLU, 1×1 to 2h, added to the block's input; then two 1×1 convolutions and the outputs.
//!
//! Stacks of masked filters leave a blind spot: pixels above to the right that no layer sees
//! ([`gated_pixel_cnn`](super::gated_pixel_cnn) has none).

use ancestral_kernels::PixelMap;
use burn::module::Module;
use burn::tensor::Tensor;

use super::pixels::{
    Block, Common, ConvForm, MaskedConv, Pass, PixelBlock, PixelLayer, PixelSize, Pixelwise,
    ResidualStack, activate, entry as pixel_entry, pixel_settings, square,
};
use crate::model::{ModelEntry, Preset};
use crate::nn::{Activation, FusedActivation};
use crate::settings::Settings;
use crate::spec::Init;

pixel_settings! {
    /// Settings of PixelCNN.
    PixelCnnConfig, "pixel-cnn", layers = 7, hidden = 32, kernel = 3
}

/// The entry of `pixel-cnn`.
pub fn entry() -> ModelEntry {
    pixel_entry::<PixelCnnConfig, ResidualStack<ConvBlock>>(
        "PixelCNN: each pixel conditioned on those before it by masked convolutions",
        "van den Oord, Kalchbrenner and Kavukcuoglu 2016, arXiv:1601.06759",
        &[
            Preset {
                name: "mnist",
                about: "7 layers of 5×5 filters, h = 32, for binarized MNIST: Adam with a decaying learning rate and averaged weights",
                settings: include_str!("presets/pixel-cnn-mnist.toml"),
            },
            Preset {
                name: "digits",
                about: "for the embedded digits, in about a minute",
                settings: include_str!("presets/pixel-cnn-digits.toml"),
            },
            Preset {
                name: "oord-2016",
                about: "15 layers, h = 128, RMSProp, as for CIFAR-10 in van den Oord et al. 2016, Table 1",
                settings: include_str!("presets/pixel-cnn-oord-2016.toml"),
            },
        ],
        PixelCnnConfig::fields,
    )
}

/// A residual block.
#[derive(Module, Debug)]
struct ConvBlock {
    /// 1×1, 2h to h.
    down: MaskedConv,
    /// 3×3, mask B, h to h.
    conv: MaskedConv,
    /// 1×1, h to 2h.
    up: MaskedConv,
    #[module(skip)]
    activation: FusedActivation,
}

impl ConvBlock {
    fn forms(common: &Common) -> [ConvForm; 3] {
        let layer = |from, to| ConvForm::one_by_one(from, to, common.groups);
        let hidden = common.settings.hidden;
        [
            layer(common.width(), hidden).with_activation(common.settings.activation),
            ConvForm {
                taps: square(common.settings.kernel, common.settings.kernel),
                classes: common.classes,
                ..layer(hidden, hidden).with_activation(common.settings.activation)
            },
            layer(hidden, common.width()),
        ]
    }
}

impl Block for ConvBlock {
    fn init(common: &Common, name: &str, init: &Init) -> Self {
        let [down, conv, up] = Self::forms(common);
        Self {
            down: MaskedConv::init(down, &format!("{name}.down"), init),
            conv: MaskedConv::init(conv, &format!("{name}.conv"), init),
            up: MaskedConv::init(up, &format!("{name}.up"), init),
            activation: common.settings.activation,
        }
    }

    fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let hidden = self.down.forward(Activation::from(self.activation).forward(x), pass);
        self.up.forward(self.conv.forward(hidden, pass), pass)
    }

    fn pixelwise(&self, pixels: &Pixelwise) -> Box<dyn PixelBlock> {
        let (width, hidden) = (self.down.form().from, self.down.form().to);
        Box::new(Cached {
            x: pixels.single(width),
            down: pixels.layer(&self.down),
            hidden: pixels.map(&self.conv.form().taps, hidden),
            conv: pixels.layer(&self.conv),
            after: pixels.single(hidden),
            up: pixels.layer(&self.up),
            activation: self.activation,
        })
    }

    fn count(size: &mut PixelSize, common: &Common) {
        size.kept(common.width());
        Self::forms(common).iter().for_each(|form| size.conv(form));
    }
}

/// The block at one pixel.
struct Cached {
    /// After the activation.
    x: PixelMap,
    down: PixelLayer,
    hidden: PixelMap,
    conv: PixelLayer,
    after: PixelMap,
    up: PixelLayer,
    activation: FusedActivation,
}

impl PixelBlock for Cached {
    fn pixel(&mut self, x: &PixelMap, at: [usize; 2], group: usize, out: &mut [f32]) {
        let here = [0, 0];
        activate(self.activation, x.pixel(at), self.x.pixel_mut(here));
        self.down.pixel(&self.x, here, group, self.hidden.pixel_mut(at));
        self.conv.pixel(&self.hidden, at, group, self.after.pixel_mut(here));
        self.up.pixel(&self.after, here, group, out);
    }
}
