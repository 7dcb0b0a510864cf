//! The published figure of a full Gaussian on the ten folds of red wine, where the data is there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use std::path::PathBuf;

use ancestral::Registry;
use ancestral::evaluate::{Options, likelihoods};
use ancestral::model::{DataSpec, Init, fit};
use ancestral::spec::cpu;
use ancestral_data::{Binarize, DataError, Examples, OpenOptions, SplitName, open};

/// Uria et al. 2013, Table 2: a mean test log-likelihood of −13.18 nats, on columns standardised by
/// the nine folds that were fitted to.
#[test]
fn a_full_gaussian_scores_what_was_published() {
    let beside = || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../../shared/data");
    let dir = std::env::var_os("ANCESTRAL_DATA").map_or_else(beside, PathBuf::from);
    let (mut raw, mut standardised) = (0.0, 0.0);
    for fold in 1..=10 {
        let options = OpenOptions {
            data_dir: Some(dir.clone()),
            all_train: true,
            fold: Some(fold),
            ..OpenOptions::default()
        };
        let data = match open("red-wine", &options) {
            Err(DataError::Missing { .. }) => {
                println!("skipped: red-wine is not in {}", dir.display());
                return;
            }
            data => data.unwrap(),
        };
        let of = |split| Examples::new(&data, split, Binarize::None, 0).unwrap();
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        // The floor is not small beside the variance of the densities, 3.6e-6.
        let settings = "variance_floor = 0.0".parse().unwrap();
        let mut model = Registry::standard()
            .build("gaussian", &settings, &spec, &Init::new(&cpu(), 0))
            .unwrap();
        let train = of(SplitName::Train);
        fit(model.estimator().unwrap(), &train, 0).unwrap();
        let options = Options::default();
        let mut found =
            likelihoods(model.as_ref(), &of(SplitName::Test), options, &mut |_| {}).unwrap();
        assert_eq!(found.nll_standardised, None);
        found.standardise(&train);
        raw += found.nll_nats / 10.0;
        standardised += found.nll_standardised.unwrap() / 10.0;
    }
    println!("NLL {raw} raw, {standardised} standardised");
    assert!((standardised - 13.18).abs() < 0.005, "{standardised}");
    assert!((raw - 3.65).abs() < 0.005, "{raw}");
}
