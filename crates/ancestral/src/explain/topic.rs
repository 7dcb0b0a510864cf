//! The topics of demonstrations.

use std::fmt;
use std::str::FromStr;

use crate::settings::nearest;
use crate::{Error, Result};

/// A concept that can be demonstrated.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Topic {
    /// Samples of N(0, I), decoded by an autoencoder and by a VAE.
    AeVsVae,
    /// The gap between log p(x) and the ELBO is a KL divergence.
    Elbo,
    /// A density is not a probability.
    Density,
    /// Both losses of a generator under a discriminator that dominates.
    Saturation,
    /// A trained discriminator approaches p / (p + q).
    OptimalDiscriminator,
    /// A transposed convolution is a convolution of the zero-stuffed input.
    TransposedConvolution,
    /// What a pixel sees in each of the models of pixels.
    ReceptiveField,
    /// What the channels of a pixel know of each other.
    ColorChain,
    /// What a likelihood is, and where it is largest.
    Likelihood,
    /// Association rules: their measures as areas, and what chance gives.
    Rules,
    /// K-means, step by step.
    Kmeans,
    /// DBSCAN: core rows, border rows, noise.
    Dbscan,
    /// A self-organizing map that unfolds.
    Som,
    /// Which clustering method finds which shapes.
    Clustering,
    /// Classification, regression and generation on the same rows.
    Supervised,
}

impl Topic {
    /// Every topic.
    pub const ALL: [Self; 15] = [
        Self::AeVsVae,
        Self::Elbo,
        Self::Density,
        Self::Saturation,
        Self::OptimalDiscriminator,
        Self::TransposedConvolution,
        Self::ReceptiveField,
        Self::ColorChain,
        Self::Likelihood,
        Self::Rules,
        Self::Kmeans,
        Self::Dbscan,
        Self::Som,
        Self::Clustering,
        Self::Supervised,
    ];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::AeVsVae => "ae-vs-vae",
            Self::Elbo => "elbo",
            Self::Density => "density",
            Self::Saturation => "saturation",
            Self::OptimalDiscriminator => "optimal-discriminator",
            Self::TransposedConvolution => "transposed-convolution",
            Self::ReceptiveField => "receptive-field",
            Self::ColorChain => "color-chain",
            Self::Likelihood => "likelihood",
            Self::Rules => "rules",
            Self::Kmeans => "kmeans",
            Self::Dbscan => "dbscan",
            Self::Som => "som",
            Self::Clustering => "clustering",
            Self::Supervised => "supervised",
        }
    }

    /// Its result in one line.
    pub fn about(self) -> &'static str {
        match self {
            Self::AeVsVae => "Draws from N(0, I), decoded by an autoencoder and by a VAE",
            Self::Elbo => "The gap between log p(x) and the ELBO is KL(q(z|x) ‖ p(z|x))",
            Self::Density => "A density is not a probability",
            Self::Saturation => {
                "A discriminator that dominates saturates one generator loss and not the other"
            }
            Self::OptimalDiscriminator => "A trained discriminator approaches p / (p + q)",
            Self::TransposedConvolution => {
                "A transposed convolution is a convolution of the zero-stuffed input"
            }
            Self::ReceptiveField => {
                "Stacked masked filters leave a blind spot, gated stacks and diagonal scans none"
            }
            Self::ColorChain => "R tells bits about G, and both about B",
            Self::Likelihood => "The parameters of maximum likelihood make the data most probable",
            Self::Rules => {
                "Chance gives hundreds of association rules, and almost none after correction"
            }
            Self::Kmeans => {
                "Rows go to centers and centers to means, to a minimum that the start decides"
            }
            Self::Dbscan => "Core rows make clusters of any shape, at the scale of eps",
            Self::Som => "Units on a grid unfold over the data, so that neighbors stay neighbors",
            Self::Clustering => "Which clustering method finds which shapes",
            Self::Supervised => "A density of each class classifies, and knows rows like no class",
        }
    }

    /// Which of the options "data", "epochs" and "seed" it takes.
    pub fn options(self) -> &'static [&'static str] {
        match self {
            Self::AeVsVae | Self::Elbo => &["data", "epochs", "seed"],
            Self::Saturation => &["data", "seed"],
            Self::ColorChain => &["epochs", "seed"],
            Self::OptimalDiscriminator
            | Self::ReceptiveField
            | Self::Rules
            | Self::Kmeans
            | Self::Dbscan
            | Self::Som
            | Self::Clustering
            | Self::Supervised => &["seed"],
            Self::Density | Self::TransposedConvolution | Self::Likelihood => &[],
        }
    }

    /// Epochs of its models, unless set.
    pub(super) fn epochs(self) -> u64 {
        match self {
            // Later some autoencoders come near to the prior by chance.
            Self::AeVsVae => 25,
            Self::ColorChain => 15,
            _ => 100,
        }
    }

    /// Whether it trains models in run folders.
    pub(super) fn keeps_runs(self) -> bool {
        matches!(self, Self::AeVsVae | Self::Elbo | Self::ColorChain)
    }
}

impl fmt::Display for Topic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Topic {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|topic| topic.as_str() == name).ok_or_else(|| {
            let names = Self::ALL.map(Self::as_str);
            Error::Unknown {
                what: "topic",
                name: name.to_owned(),
                hint: match nearest(name, &names) {
                    Some(near) => format!("did you mean '{near}'?"),
                    None => format!("the topics are {}", names.join(", ")),
                },
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_as_they_are_written() {
        for topic in Topic::ALL {
            assert_eq!(topic.to_string().parse::<Topic>().unwrap(), topic);
        }
        let said = |name: &str| name.parse::<Topic>().unwrap_err().to_string();
        assert_eq!(said("elb"), "unknown topic 'elb'; did you mean 'elbo'?");
        assert!(said("love").ends_with("dbscan, som, clustering, supervised"));
    }
}
