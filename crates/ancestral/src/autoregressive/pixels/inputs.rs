//! What the network sees of the values of an image.

use std::f32::consts::FRAC_PI_2;

use burn::tensor::Tensor;

/// Each value v from −1 to 1, and with frequencies beside it sin(2ʲ π v / 2) and cos(2ʲ π v / 2), j from
/// 0: of 256 levels, the eighth pair tells neighbors apart, so that a linear map can copy a level
/// exactly (Kingma, Salimans, Poole and Ho 2021, arXiv:2107.00630, section 4.4).
#[derive(Debug, Clone, Copy)]
pub(crate) struct Inputs {
    pub(crate) frequencies: usize,
}

impl Inputs {
    /// Features of each value.
    pub(crate) fn width(self) -> usize {
        1 + 2 * self.frequencies
    }

    /// Values `[n, height, width, channels]` to features `[n, height, width, channels · width]`, those
    /// of a channel next to each other.
    pub(crate) fn of_images(self, v: Tensor<4>) -> Tensor<4> {
        if self.frequencies == 0 {
            return v;
        }
        let [n, height, width, channels] = v.dims();
        let angle = v.clone() * FRAC_PI_2;
        let (mut sin, mut cos) = (angle.clone().sin(), angle.cos());
        let mut features = vec![v];
        for _ in 0..self.frequencies {
            features.extend([sin.clone(), cos.clone()]);
            // Of the doubled angle.
            (sin, cos) = (sin.clone() * cos * 2.0, sin.clone() * sin * -2.0 + 1.0);
        }
        Tensor::stack::<5>(features, 4).reshape([n, height, width, channels * self.width()])
    }

    /// The features of one value.
    pub(crate) fn of_value(self, v: f32, out: &mut [f32]) {
        let angle = v * FRAC_PI_2;
        let (mut sin, mut cos) = angle.sin_cos();
        out[0] = v;
        for pair in out[1..self.width()].chunks_exact_mut(2) {
            pair.copy_from_slice(&[sin, cos]);
            (sin, cos) = (sin * cos * 2.0, sin * sin * -2.0 + 1.0);
        }
    }
}

#[cfg(test)]
mod tests {
    use ancestral_kernels::Values;
    use burn::tensor::{Device, TensorData};

    use super::Inputs;

    #[test]
    fn tensors_and_single_values_have_the_same_features() {
        let inputs = Inputs { frequencies: 8 };
        let levels: Vec<f32> = (0..=255).map(|level| level as f32 / 255.0 * 2.0 - 1.0).collect();
        let tensor = Tensor::<4>::from_data(
            TensorData::new(levels.clone(), [1, 16, 16, 1]),
            &Device::default(),
        );
        let all = Values::of(inputs.of_images(tensor));
        for (level, (v, features)) in levels.iter().zip(all.chunks_exact(17)).enumerate() {
            let mut own = [0.0; 17];
            inputs.of_value(*v, &mut own);
            assert_eq!(own[0], *v);
            for j in 0..8 {
                let angle = f64::from(*v) * std::f64::consts::FRAC_PI_2 * f64::from(1 << j);
                for (at, exact) in [(1 + 2 * j, angle.sin()), (2 + 2 * j, angle.cos())] {
                    assert!((f64::from(own[at]) - exact).abs() < 1e-4, "{level}, frequency {j}");
                    assert!((own[at] - features[at]).abs() < 1e-5, "{level}, frequency {j}");
                }
            }
        }
        // Neighboring levels differ by a quarter of the highest frequency's turn.
        let turn = |at: usize| all[at * 17 + 15].atan2(all[at * 17 + 16]);
        let step = (turn(101) - turn(100)).rem_euclid(std::f32::consts::TAU);
        assert!((step - 1.577).abs() < 0.01, "{step}");
    }

    use burn::tensor::Tensor;
}
