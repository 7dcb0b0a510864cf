//! An LSTM that scans images, with its input-to-state convolution.

use ancestral_kernels::{self as kernels, PixelLstm, PixelMap, Scan, Tap, Values};
use burn::module::{Module, Param};
use burn::tensor::{Tensor, TensorData};

use super::cache::{PixelLayer, Pixelwise};
use super::conv::{ConvForm, Mask, MaskedConv, Pass};
use super::model::Common;
use super::size::PixelSize;
use crate::nn::{glorot, parameter};
use crate::spec::Init;

/// The initial bias of the forget gate, so that cell states last at first.
const FORGET_BIAS: f32 = 1.0;

/// h hidden units for each pixel, from 2h features.
#[derive(Module, Debug)]
pub(crate) struct ScanLstm {
    /// The input-to-state convolution, for the whole map at once, to the gates o, f, i and g.
    gates: MaskedConv,
    /// The state-to-state weights `[taps · h, 4h]`.
    weight: Param<Tensor<2>>,
    /// The hidden state outside of the image `[h]`.
    start_hidden: Param<Tensor<1>>,
    /// The cell state outside of the image `[h]`.
    start_cell: Param<Tensor<1>>,
    #[module(skip)]
    scan: Scan,
}

impl ScanLstm {
    fn form(common: &Common, taps: &[Tap]) -> ConvForm {
        ConvForm {
            taps: taps.to_vec(),
            mask: Mask::B,
            parts: 4,
            classes: common.classes,
            ..ConvForm::one_by_one(common.width(), 4 * common.settings.hidden, common.groups)
        }
    }

    /// `taps` are those of the input-to-state convolution.
    pub(crate) fn init(common: &Common, scan: Scan, taps: &[Tap], name: &str, init: &Init) -> Self {
        let hidden = common.settings.hidden;
        let mut bias = vec![0.0; 4 * hidden];
        bias[hidden..2 * hidden].fill(FORGET_BIAS);
        let gates = MaskedConv::init(Self::form(common, taps), &format!("{name}.gates"), init);
        let inputs = scan.taps().len() * hidden;
        let state = || parameter(TensorData::new(vec![0.0f32; hidden], [hidden]), init);
        Self {
            gates: gates.with_bias(bias),
            weight: glorot([inputs, 4 * hidden], inputs + hidden, &format!("{name}.states"), init),
            start_hidden: state(),
            start_cell: state(),
            scan,
        }
    }

    /// `[n, height, width, 2h]` to hidden states `[n, height, width, h]`.
    pub(crate) fn forward(&self, x: Tensor<4>, pass: &Pass) -> Tensor<4> {
        let bias = self.gates.bias_of(pass.classes.as_ref());
        kernels::lstm_scan(
            x,
            [self.gates.masked_weight(), bias, self.weight.val()],
            &self.gates.form().seen(),
            [self.start_hidden.val(), self.start_cell.val()],
            self.scan,
        )
    }

    pub(crate) fn count(size: &mut PixelSize, common: &Common, scan: Scan, taps: &[Tap]) {
        let hidden = common.settings.hidden;
        size.conv(&Self::form(common, taps));
        size.trained(&[scan.taps().len() * hidden, 4 * hidden]);
        size.trained(&[2 * hidden]);
        // Cell and hidden states; the convolution's output stands for the gates.
        size.kept(2 * hidden);
    }

    /// The same, one pixel at a time.
    pub(crate) fn pixelwise(&self, pixels: &Pixelwise) -> CachedLstm {
        let hidden = self.start_hidden.lazy_shape()[0];
        let groups = self.gates.form().groups;
        let map = |start: &Param<Tensor<1>>| {
            pixels.map(self.scan.taps(), hidden).filled(&Values::of(start.val()))
        };
        CachedLstm {
            gates: pixels.layer(&self.gates),
            lstm: PixelLstm::new(
                &Values::of(self.weight.val()),
                self.scan,
                hidden,
                &groups.all(hidden),
            ),
            states: map(&self.start_hidden),
            cells: map(&self.start_cell),
            pre: vec![0.0; pixels.images * 4 * hidden],
        }
    }
}

/// The LSTM one pixel at a time.
pub(crate) struct CachedLstm {
    gates: PixelLayer,
    lstm: PixelLstm,
    pub(crate) states: PixelMap,
    cells: PixelMap,
    pre: Vec<f32>,
}

impl CachedLstm {
    /// Computes the states of a group at a pixel.
    pub(crate) fn pixel(&mut self, x: &PixelMap, at: [usize; 2], group: usize) {
        self.gates.pixel(x, at, group, &mut self.pre);
        self.lstm.pixel(&mut self.pre, &mut self.states, &mut self.cells, at, group);
    }
}
