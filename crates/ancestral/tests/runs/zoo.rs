//! The trained models of `zoo/`: what they draw and score, and how large they are.

use std::path::Path;

use ancestral::evaluate::Options;
use ancestral::prelude::*;
use ancestral::report;
use ancestral::run::{Measured, SampleSpec};
use ancestral_test_support::{BLACK, WHITE, data_dir_with};

use crate::{likelihoods, looks, refused};

#[test]
fn the_zoo_draws_and_scores_what_it_says() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo");
    let (mut seen, mut session) = (0, Session::new());
    for entry in std::fs::read_dir(&zoo).unwrap() {
        let path = entry.unwrap().path();
        // Unfinished run folders may be next to the models.
        if !path.is_dir() || path.ends_with("unfinished") {
            continue;
        }
        let name = path.file_name().unwrap().to_str().unwrap();
        println!("{name}");
        let bytes = path.join("model.safetensors").metadata().unwrap().len();
        let run = Run::load(&path).unwrap();
        let drawn = session.sample(&run, &SampleSpec::new(9, 0));
        // A classifier draws nothing.
        if name.starts_with("features-") {
            refused(drawn, "cannot draw");
            assert!(bytes < 1_000_000, "{name}: {bytes} bytes");
            continue;
        }
        let drawn = drawn.unwrap();
        let values = report::intensities(run.model(), &drawn.values);
        let image = report::grid(&values, drawn.shape.as_image().unwrap(), 3);
        let (side, background, ink, mean) = match name {
            _ if name.ends_with("-digits") => (224, BLACK, 0.54..0.66, 104.0..123.0),
            _ if name.starts_with("emoji-") => (200, WHITE, 0.42..0.58, 205.0..225.0),
            _ => (176, BLACK, 0.12..0.30, 32.0..58.0),
        };
        looks(&image, (side, side), background, ink, mean);
        // A wide layer is worth its size; half of it is masked and left out.
        let most = if name == "made-mnist" { 16_000_000 } else { 4_000_000 };
        assert!(bytes < most, "{name}: {bytes} bytes");
        seen += 1;
    }
    assert!(seen >= 7);
    let digits = Run::load(zoo.join("vae-digits")).unwrap();
    let options = Options { samples: 5000, ..Options::default() };
    let nll = likelihoods(&digits, SplitName::Test, options).nll_nats;
    assert!((nll - 85.46).abs() < 0.05, "{nll}");
}

/// The values of `RESULTS.md` on whole test splits, of the models that take seconds for one.
#[test]
fn values_of_the_zoo_are_those_of_its_tables() {
    let zoo = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../zoo");
    let measured = |name: &str, set: &str, options: Options| {
        let data = data_dir_with(set)?;
        let mut session = Session::new().with_data_dir(Some(&data));
        let run = Run::load(zoo.join(name)).unwrap();
        let test = DataQuery::split(SplitName::Test);
        Some(session.evaluate(&run, &test, options).unwrap().found)
    };
    for (name, members, nats) in
        [("nade-mnist", 1, 88.07), ("made-mnist", 1, 87.63), ("deep-nade-mnist", 2, 90.63)]
    {
        let options = Options { members, ..Options::default() };
        let Some(found) = measured(name, "binarized-mnist", options) else { continue };
        let Measured::Likelihoods(found) = found else { unreachable!("it has a density") };
        assert!((found.nll_nats - nats).abs() < 0.006, "{name}: {}", found.nll_nats);
        assert_eq!(found.n, 10_000);
    }
    for (name, set, percent) in
        [("features-mnist", "mnist", 99.13), ("features-fashion", "fashion-mnist", 91.51)]
    {
        let Some(found) = measured(name, set, Options::default()) else { continue };
        let Measured::Classification(found) = found else { unreachable!("it classifies") };
        assert!((100.0 * found.accuracy - percent).abs() < 0.02, "{name}: {}", found.accuracy);
    }
}
