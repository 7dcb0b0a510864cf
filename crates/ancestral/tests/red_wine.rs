//! The published result of a full Gaussian on the ten folds of red wine, if the data is available.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may be as short as it likes")]

use ancestral::Registry;
use ancestral::evaluate::{Options, likelihoods};
use ancestral::model::{DataSpec, Init, fit};
use ancestral::spec::cpu;
use ancestral_data::{Binarize, Examples, OpenOptions, SplitName, open};
use ancestral_test_support::data_dir_with;

/// Uria et al. 2013, Table 2: a mean test log-likelihood of −13.18 nats, on columns standardized by
/// the nine training folds.
#[test]
fn a_full_gaussian_scores_what_was_published() {
    let Some(dir) = data_dir_with("red_wine") else { return };
    let (mut raw, mut standardized) = (0.0, 0.0);
    for fold in 1..=10 {
        let options = OpenOptions {
            data_dir: Some(dir.clone()),
            all_train: true,
            fold: Some(fold),
            ..OpenOptions::default()
        };
        let data = open("red-wine", &options).unwrap();
        let of = |split| Examples::new(&data, split, Binarize::None, 0).unwrap();
        let spec = DataSpec::new(data.domain, data.shape.clone(), 0);
        // The variance floor is not small compared with the variance of the column density, 3.6e-6.
        let settings = "variance_floor = 0.0".parse().unwrap();
        let mut model = Registry::standard()
            .build("gaussian", &settings, &spec, &Init::new(&cpu(), 0))
            .unwrap();
        let train = of(SplitName::Train);
        fit(model.estimator().unwrap(), &train, 0).unwrap();
        let options = Options::default();
        let mut found =
            likelihoods(model.as_ref(), &of(SplitName::Test), options, &mut |_| {}).unwrap();
        assert_eq!(found.nll_standardized, None);
        found.standardize(&train);
        raw += found.nll_nats / 10.0;
        standardized += found.nll_standardized.unwrap() / 10.0;
    }
    println!("NLL {raw} raw, {standardized} standardized");
    assert!((standardized - 13.18).abs() < 0.005, "{standardized}");
    assert!((raw - 3.65).abs() < 0.005, "{raw}");
}
