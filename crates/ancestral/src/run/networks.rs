//! The built-in feature networks: part of the library, so that a run selects the same checkpoint
//! wherever it is trained.

use ancestral_data::{Binarize, Dataset, Examples, SplitName};
use burn::tensor::Device;

use super::checkpoint;
use super::config::{ByNetwork, RunConfig};
use super::loaded::Run;
use crate::evaluate::{
    ChamferEvaluator, EnergyEvaluator, FrechetEvaluator, LEAST_FOR_NETWORK, LEAST_VALIDATION,
    NamedClassifier,
};
use crate::model::{Init, Model};
use crate::registry::Registry;
use crate::train::{Evaluator, TrainConfig, WeightsInfo};
use crate::{Error, Result};

/// The seed of the draws that binarize the validation examples of an evaluator.
const SEED: u64 = 0;

/// A classifier that is part of the library.
#[derive(Debug, Clone, Copy)]
pub struct FeatureNetwork {
    /// The name that metrics are printed with.
    pub name: &'static str,
    /// The data sets whose images it is for.
    pub data: &'static [&'static str],
    config: &'static str,
    weights: &'static [u8],
}

macro_rules! network {
    ($name:literal, $data:expr) => {
        FeatureNetwork {
            name: $name,
            data: $data,
            config: include_str!(concat!("../../assets/networks/", $name, "/config.toml")),
            weights: include_bytes!(concat!("../../assets/networks/", $name, "/model.safetensors")),
        }
    };
}

/// All built-in feature networks.
pub static FEATURE_NETWORKS: [FeatureNetwork; 3] = [
    network!("features-digits", &["digits"]),
    network!("features-mnist", &["mnist", "binarized-mnist"]),
    network!("features-fashion", &["fashion-mnist"]),
];

impl FeatureNetwork {
    /// The one for a known data set.
    pub fn of(data: &str) -> Option<&'static Self> {
        FEATURE_NETWORKS.iter().find(|network| network.data.contains(&data))
    }

    /// SHA-256 of its weights.
    pub fn fingerprint(&self) -> String {
        ancestral_data::sha256(self.weights)
    }

    /// The configuration it was trained with.
    ///
    /// # Errors
    /// If the embedded file is invalid.
    pub fn config(&self) -> Result<RunConfig> {
        toml::from_str(self.config).map_err(|e| Error::run(self.name, e.message().to_owned()))
    }

    /// The classifier as a run.
    ///
    /// # Errors
    /// If the embedded file is invalid.
    pub(super) fn run(&self, device: &Device) -> Result<Run> {
        let (config, model) = (self.config()?, self.load(device)?);
        let path = Some(self.name.into());
        Ok(Run { config, model, info: WeightsInfo::default(), path, data: None })
    }

    /// The classifier.
    ///
    /// # Errors
    /// If the embedded file is invalid.
    pub fn load(&self, device: &Device) -> Result<Box<dyn Model>> {
        let RunConfig { model, settings, data, seed, .. } = self.config()?;
        let init = Init::new(device, seed);
        let mut model = Registry::standard().build(&model, &settings, &data.spec()?, &init)?;
        model.load(&checkpoint::parse(self.weights, self.name.as_ref())?.0)?;
        Ok(model)
    }
}

/// Whether checkpoints of a model are selected by its samples, since it has no likelihood.
pub(super) fn measures_samples(model: &dyn Model, train: &TrainConfig) -> bool {
    model.density().is_none() && model.sampler().is_some() && train.validate_every > 0
}

/// In the place of a fingerprint: samples are evaluated by their energy distance.
pub(super) const ENERGY: &str = "energy_distance";

/// The fingerprint of the network for evaluating samples on this data, if there is one for such
/// images, or the energy distance for others; `None` for two-dimensional data, which has a metric of its
/// own, and for few examples.
pub(super) fn fingerprint(
    data: &Dataset,
    binarize: Binarize,
    device: &Device,
) -> Result<Option<String>> {
    if data.is_empty() || data.len(SplitName::Valid) < LEAST_VALIDATION {
        return Ok(None);
    }
    let valid = Examples::new(data, SplitName::Valid, binarize, SEED)?;
    if ChamferEvaluator::suits(&valid) {
        return Ok(None);
    }
    if let Some(network) = FeatureNetwork::of(&data.name)
        && valid.len() >= LEAST_FOR_NETWORK
    {
        let model = network.load(device)?;
        let features = NamedClassifier::new(network.name, model.as_ref())?;
        if features.check("the examples", valid.domain(), valid.shape()).is_ok() {
            return Ok(Some(network.fingerprint()));
        }
    }
    Ok(Some(ENERGY.to_owned()))
}

/// The evaluator of samples on this data, as the configuration names it, or for two-dimensional data.
pub(super) fn evaluator(
    data: &Dataset,
    binarize: Binarize,
    network: &ByNetwork,
    device: &Device,
) -> Result<Option<Box<dyn Evaluator>>> {
    let energy = matches!(network, ByNetwork::Of(print) if print == ENERGY);
    let chosen = match network {
        ByNetwork::OfData => FeatureNetwork::of(&data.name),
        ByNetwork::None => None,
        ByNetwork::Of(_) if energy => None,
        ByNetwork::Of(print) => {
            let found = FEATURE_NETWORKS.iter().find(|network| network.fingerprint() == *print);
            Some(found.ok_or_else(|| Error::UnknownEvaluator { fingerprint: print.clone() })?)
        }
    };
    if data.is_empty() || data.len(SplitName::Valid) < LEAST_VALIDATION {
        return Ok(None);
    }
    let valid = Examples::new(data, SplitName::Valid, binarize, SEED)?;
    let train = Examples::new(data, SplitName::Train, binarize, SEED)?;
    if let Some(evaluator) = ChamferEvaluator::new(&train, &valid)? {
        return Ok(Some(Box::new(evaluator)));
    }
    if energy {
        let found = EnergyEvaluator::new(&train, &valid)?;
        return Ok(found.map(|evaluator| Box::new(evaluator) as Box<dyn Evaluator>));
    }
    let Some(chosen) = chosen else { return Ok(None) };
    let found = FrechetEvaluator::new(chosen.name, chosen.load(device)?, &train, &valid)?;
    Ok(found.map(|evaluator| Box::new(evaluator) as Box<dyn Evaluator>))
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;
    use crate::spec::cpu;

    #[test]
    fn each_network_loads_and_is_the_one_of_the_zoo() {
        let zoo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo");
        for network in &FEATURE_NETWORKS {
            let model = network.load(&cpu()).unwrap();
            assert_eq!(model.data().classes, 10);
            assert!(model.classifier().is_some_and(|c| c.feature_dim() > 0));
            // A packaged crate comes without the zoo.
            if zoo.exists() {
                let folder = zoo.join(network.name);
                let weights = std::fs::read(folder.join("model.safetensors")).unwrap();
                assert_eq!(weights, network.weights, "{}", network.name);
            }
        }
    }
}
