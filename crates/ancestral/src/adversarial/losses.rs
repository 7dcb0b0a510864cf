//! The losses of critic and generator, as functions of the critic's scores.
//!
//! With a = D(x) on data and b = D(G(z)), both logits or scores, and S(t) = log(1 + eᵗ):
//!
//! | loss | critic | generator | source |
//! |---|---|---|---|
//! | minimax | S(−a) + S(b) | −S(b) | Goodfellow et al. 2014, equation 1 |
//! | non-saturating | S(−a) + S(b) | S(−b) | the same, section 3 |
//! | least-squares | ½(a − 1)² + ½b² | ½(b − 1)² | Mao et al. 2017, equation 9 |
//! | hinge | max(0, 1 − a) + max(0, 1 + b) | −b | Lim and Ye 2017, equation 6 |
//! | wasserstein | b − a | −b | Arjovsky et al. 2017, section 3 |
//! | relativistic | S(b̄ − a) + S(b − ā) | S(ā − b) + S(a − b̄) | Jolicoeur-Martineau 2018, equations 7 and 8 |
//! | began | E(x) − k·E(G(z)) | E(G(z)) | Berthelot et al. 2017, section 3.4 |
//! | ebgan | E(x) + max(0, m − E(G(z))) | E(G(z)) | Zhao et al. 2016, equations 1 and 2 |
//!
//! ā and b̄ are means over the batch.
//! In the last two the critic is an autoencoder, and its reconstruction error is the energy E = −D.

use ancestral_kernels as kernels;
use burn::tensor::{Tensor, activation};

use crate::choices;

choices! {
    /// The losses of critic and generator.
    pub enum Loss {
        /// the original, saturating loss: the generator minimizes log(1 − σ(D(G(z))))
        Minimax = "minimax",
        /// the generator maximizes log σ(D(G(z)))
        NonSaturating = "non-saturating",
        /// least squares, with target 1 for data and 0 for samples
        LeastSquares = "least-squares",
        /// hinge loss with margin 1
        Hinge = "hinge",
        /// difference of mean scores; the critic needs a Lipschitz constraint (penalty, spectral norm)
        Wasserstein = "wasserstein",
        /// relativistic average: each score relative to the mean score of the other distribution
        Relativistic = "relativistic",
        /// energies of an autoencoder critic, balanced by a factor k (BEGAN)
        Began = "began",
        /// energies of an autoencoder critic, with a margin (EBGAN)
        Ebgan = "ebgan",
    }
}

/// The parameters of the losses.
#[derive(Debug, Clone, Copy)]
pub struct LossParameters {
    /// The amount by which the critic's target for data is below 1 (one-sided label smoothing,
    /// Salimans et al. 2016); for losses with a target.
    pub label_smoothing: f64,
    /// k of `began`.
    pub balance: f64,
    /// m of `ebgan`.
    pub margin: f64,
}

impl Loss {
    /// Whether the critic is an autoencoder.
    pub fn uses_energy(self) -> bool {
        matches!(self, Self::Began | Self::Ebgan)
    }

    /// Whether the generator's loss needs scores of data too.
    pub fn generator_needs_data(self) -> bool {
        self == Self::Relativistic
    }

    /// Whether the critic has a target on data that can be smoothed.
    pub fn has_target(self) -> bool {
        matches!(self, Self::Minimax | Self::NonSaturating | Self::LeastSquares)
    }

    /// The score above which the critic classifies an example as data, if the loss defines one.
    pub fn threshold(self) -> Option<f64> {
        match self {
            Self::Minimax | Self::NonSaturating | Self::Hinge => Some(0.0),
            Self::LeastSquares => Some(0.5),
            _ => None,
        }
    }

    /// The critic's loss from scores of data and of the generator, each `[batch, 1]`.
    pub fn critic(self, real: Tensor<2>, fake: Tensor<2>, terms: LossParameters) -> Tensor<1> {
        let smooth = terms.label_smoothing;
        match self {
            Self::Minimax | Self::NonSaturating => {
                let mut loss = kernels::softplus(real.clone().neg());
                if smooth > 0.0 {
                    // −(1 − s) log σ(a) − s log σ(−a), and S(a) = S(−a) + a.
                    loss = loss + real * smooth;
                }
                loss.mean() + kernels::softplus(fake).mean()
            }
            Self::LeastSquares => {
                let target = 1.0 - smooth;
                ((real - target).square().mean() + fake.square().mean()) * 0.5
            }
            Self::Hinge => {
                activation::relu(real.neg() + 1.0).mean() + activation::relu(fake + 1.0).mean()
            }
            Self::Wasserstein => fake.mean() - real.mean(),
            Self::Relativistic => {
                let (real_mean, fake_mean) = means(&real, &fake);
                kernels::softplus(fake_mean - real).mean()
                    + kernels::softplus(fake - real_mean).mean()
            }
            // Scores are negative energies.
            Self::Began => fake.mean() * terms.balance - real.mean(),
            Self::Ebgan => activation::relu(fake + terms.margin).mean() - real.mean(),
        }
    }

    /// The generator's loss; `real` is given if [`Loss::generator_needs_data`].
    pub fn generator(self, fake: Tensor<2>, real: Option<Tensor<2>>) -> Tensor<1> {
        match (self, real) {
            (Self::Minimax, _) => kernels::softplus(fake).mean().neg(),
            (Self::LeastSquares, _) => (fake - 1.0).square().mean() * 0.5,
            (Self::Relativistic, Some(real)) => {
                let (real_mean, fake_mean) = means(&real, &fake);
                kernels::softplus(real_mean - fake).mean()
                    + kernels::softplus(real - fake_mean).mean()
            }
            (Self::NonSaturating | Self::Relativistic, _) => kernels::softplus(fake.neg()).mean(),
            (Self::Hinge | Self::Wasserstein | Self::Began | Self::Ebgan, _) => fake.mean().neg(),
        }
    }
}

/// The mean scores of data and of samples, `[1, 1]`.
fn means(real: &Tensor<2>, fake: &Tensor<2>) -> (Tensor<2>, Tensor<2>) {
    (real.clone().mean_dim(0), fake.clone().mean_dim(0))
}

#[cfg(test)]
mod tests {
    use burn::tensor::TensorData;

    use super::*;
    use crate::nn::to_f64;

    const TERMS: LossParameters =
        LossParameters { label_smoothing: 0.0, balance: 0.25, margin: 2.0 };

    fn scores(values: &[f64]) -> Tensor<2> {
        let data = TensorData::new(values.to_vec(), [values.len(), 1]);
        Tensor::from_data(data, (&crate::spec::cpu(), burn::tensor::DType::F64))
    }

    fn pair(loss: Loss, real: &[f64], fake: &[f64]) -> (f64, f64) {
        let critic = loss.critic(scores(real), scores(fake), TERMS);
        let generator = loss.generator(scores(fake), Some(scores(real)));
        (to_f64(critic)[0], to_f64(generator)[0])
    }

    /// At the equilibrium D = ½, and the minimax value is −log 4.
    #[test]
    fn at_equilibrium_the_value_is_minus_log_4() {
        let log4 = 4.0f64.ln();
        for (loss, generator) in [
            (Loss::Minimax, -log4 / 2.0),
            (Loss::NonSaturating, log4 / 2.0),
            (Loss::Relativistic, log4),
        ] {
            let (critic, found) = pair(loss, &[0.0, 0.0], &[0.0, 0.0, 0.0]);
            assert!((critic - log4).abs() < 1e-12, "{loss:?}: {critic}");
            assert!((found - generator).abs() < 1e-12, "{loss:?}: {found}");
        }
        assert_eq!(pair(Loss::LeastSquares, &[0.5], &[0.5]), (0.25, 0.125));
        assert_eq!(pair(Loss::Hinge, &[0.0], &[0.0]), (2.0, 0.0));
        assert_eq!(pair(Loss::Wasserstein, &[3.0], &[3.0]), (0.0, -3.0));
    }

    #[test]
    fn each_loss_is_its_formula() {
        let (a, b) = ([0.3, -1.2], [0.7, -2.5]);
        let s = |t: f64| t.exp().ln_1p();
        let mean = |f: &dyn Fn(f64) -> f64, v: [f64; 2]| (f(v[0]) + f(v[1])) / 2.0;
        let (am, bm) = (mean(&|t| t, a), mean(&|t| t, b));
        let log_loss = mean(&|t| s(-t), a) + mean(&s, b);
        let cases = [
            (Loss::Minimax, log_loss, -mean(&s, b)),
            (Loss::NonSaturating, log_loss, mean(&|t| s(-t), b)),
            (
                Loss::LeastSquares,
                mean(&|t| (t - 1.0).powi(2) / 2.0, a) + mean(&|t| t * t / 2.0, b),
                mean(&|t| (t - 1.0).powi(2) / 2.0, b),
            ),
            (Loss::Hinge, mean(&|t| (1.0 - t).max(0.0), a) + mean(&|t| (1.0 + t).max(0.0), b), -bm),
            (Loss::Wasserstein, bm - am, -bm),
            (
                Loss::Relativistic,
                mean(&|t| s(bm - t), a) + mean(&|t| s(t - am), b),
                mean(&|t| s(am - t), b) + mean(&|t| s(t - bm), a),
            ),
            (Loss::Began, -am + 0.25 * bm, -bm),
            (Loss::Ebgan, -am + mean(&|t| (2.0 + t).max(0.0), b), -bm),
        ];
        for (loss, critic, generator) in cases {
            let found = pair(loss, &a, &b);
            assert!((found.0 - critic).abs() < 1e-12, "{loss:?}: {found:?} {critic}");
            assert!((found.1 - generator).abs() < 1e-12, "{loss:?}: {found:?} {generator}");
        }
    }

    #[test]
    fn smoothing_moves_the_target_on_data_alone() {
        let terms = LossParameters { label_smoothing: 0.1, ..TERMS };
        let at = |loss: Loss| to_f64(loss.critic(scores(&[0.4]), scores(&[-0.2]), terms))[0];
        let s = |t: f64| t.exp().ln_1p();
        let expected = 0.9 * s(-0.4) + 0.1 * s(0.4) + s(-0.2);
        assert!((at(Loss::NonSaturating) - expected).abs() < 1e-12);
        let expected = 0.5 * (0.5f64.powi(2) + 0.2f64.powi(2));
        assert!((at(Loss::LeastSquares) - expected).abs() < 1e-12);
    }
}
