//! Adversarial networks: images of training, classes, warnings, budgets.

use ancestral::model::SampleRequest;
use ancestral::prelude::*;
use ancestral::report;
use ancestral::run::{Measured, QualitySpec, RunFolder, SampleSpec};
use ancestral_test_support::{BLACK, Image, WHITE, assert_lines};

use crate::{looks, refused, spec, table, train};

#[test]
fn a_gan_of_points_is_drawn_and_its_modes_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let drawn = dir.path().join("gan");
    let trained = train(&spec("gan", "rings:8", "steps=200").out(&drawn));
    assert_eq!(trained.validation.as_deref(), Some("chamfer_distance"));
    assert!(trained.outcome.best.is_some());
    // One an epoch.
    let frames = Image::frames(&drawn.join("training.gif"));
    assert!(frames.len() == 10 && frames[0] != frames[9]);
    for image in [&Image::open(&drawn.join("samples.png")), &frames[9]] {
        // The tick labels of the color bar are of some width.
        let (width, height) = image.size();
        assert!(height == 520 && (690..=730).contains(&width), "{width}×{height}");
        image.assert_looks(WHITE, 0.46..0.55, 195.0..225.0);
    }
    let words = ["gan on rings:8", "epoch", "loss", "generator loss", "critic loss"];
    assert_lines(&drawn.join("curves.svg"), &words, &[10, 10]);
    let words = ["gan on rings:8", "epoch", "Chamfer distance, validation split"];
    assert_lines(&drawn.join("validation.svg"), &words, &[10]);

    let mut session = Session::new();
    let runs = session.load_weights(&drawn, None).unwrap();
    let quality = QualitySpec { count: 500, ..QualitySpec::default() };
    let found = session.modes(&runs, &quality).unwrap().unwrap();
    let samples = &found.samples[0];
    assert_eq!((found.data.as_str(), samples.weights), ("rings:8", "best"));
    assert_eq!((samples.modes.modes, samples.modes.n), (8, 500));
    let means = QualitySpec { mean: true, ..quality };
    refused(session.modes(&runs, &means), "without noise");
    let run = &trained.run;
    let plain = SampleSpec::new(4, 0);
    refused(session.sample(run, &SampleSpec { mean: true, ..plain.clone() }), "without noise");
    let class = Some("1".to_owned());
    refused(session.sample(run, &SampleSpec { class, ..plain }), "is not conditional");
    let test = DataQuery::split(SplitName::Test);
    let found = session.evaluate(run, &test, Default::default()).unwrap().found;
    assert!(matches!(found, Measured::Nothing));
}

#[test]
fn columns_of_different_units_are_drawn_and_too_few_examples_not_validated() {
    let dir = tempfile::tempdir().unwrap();
    let csv = dir.path().join("units.csv");
    table(&csv, "price,weight\n", 40, |i| format!("{},{}\n", 1000 * i, 0.001 * f64::from(i % 7)));
    let spec = spec("gan", csv.to_str().unwrap(), "steps=5").out(dir.path().join("run"));
    let trained = train(&spec);
    assert_eq!((trained.validation, trained.validation_examples), (None, 3));
    assert!(trained.images[0].ends_with("samples.png"));
}

#[test]
fn classes_are_asked_for_by_number_or_name() {
    let small = "steps=20 network=mlp critic_steps=2";
    let digits = train(&spec("cgan", "digits", small)).run;
    let mut session = Session::new();
    let mut draw = |run: &Run, count, class: &str| {
        let class = Some(class.to_owned());
        session.sample(run, &SampleSpec { class, ..SampleSpec::new(count, 0) })
    };
    let threes = draw(&digits, 4, "3").unwrap().values;
    let image = report::grid(&report::intensities(digits.model(), &threes), [1, 8, 8], 2);
    looks(&image, (152, 152), BLACK, 0.9..1.1, 130.0..160.0);
    refused(draw(&digits, 4, "12"), "classes 0 to 9");
    // Classes have the names that the data gives them.
    let moons = train(&spec("cgan", "moons", "steps=20")).run;
    let second = draw(&moons, 3, "1").unwrap().values;
    assert_eq!(draw(&moons, 3, "lower").unwrap().values, second);
    let request = SampleRequest { class: Some(1), ..SampleRequest::new(3, 0) };
    assert_eq!(ancestral::model::sample(moons.model(), &request).unwrap(), second);
    refused(draw(&moons, 3, "left"), "a name: upper, lower");
}

#[test]
fn a_critic_that_has_won_is_said_to_have() {
    let dir = tempfile::tempdir().unwrap();
    let won = dir.path().join("won");
    let hard = "steps=100 network=mlp learning_rate=1e-6 critic_rate=1000";
    train(&spec("ns-gan", "digits", hard).out(&won));
    let events = RunFolder::open(&won).unwrap().events().unwrap();
    let warned =
        |event: &Event| matches!(event, Event::Warning(e) if e.note.contains("of the time"));
    assert!(events.iter().any(warned), "{events:?}");
}

#[test]
fn a_budget_in_steps_is_not_cut_by_the_default_one_in_epochs() {
    let quick = "generator_hidden=[4] critic_hidden=[4] validate_every=1000 sample_count=0";
    let settings = format!("steps=150 batch_size=5000 {quick}");
    let trained = train(&spec("gan", "rings:8", &settings));
    assert_eq!((trained.outcome.step, trained.outcome.epoch), (150, 150.0));
    let small = "steps=20 network=mlp critic_steps=2 sample_count=0";
    assert_eq!(train(&spec("wgan-gp", "digits", small)).outcome.step, 20);
}
