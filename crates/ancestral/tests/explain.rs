//! Concepts demonstrated through the library: the numbers, and the images that show them.

#![cfg(feature = "plot")]
#![allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]

use std::ops::Range;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use ancestral::explain::{ExplainSpec, Explanation, Topic};
use ancestral::run::{Run, Session};
use ancestral::train::{Event, Observer};
use ancestral::{Error, Result};
use ancestral_data::{Binarize, Dataset, Examples, SplitName, Streams};
use ancestral_test_support::{
    BLACK, Image, JSON_KEYS, WHITE, assert_hash, assert_listed, keys, listed,
};
use serde_json::json;

fn explain(topic: Topic, out: &Path) -> Result<Explanation> {
    Session::new().explain(&ExplainSpec::new(topic, out))
}

/// The images are there, and are PNGs.
fn images(found: &Explanation, out: &Path, names: &[&str]) {
    let expected: Vec<_> = names.iter().map(|name| out.join(name)).collect();
    assert_eq!(found.images, expected);
    for image in &found.images {
        let bytes = std::fs::read(image).unwrap();
        assert!(bytes.starts_with(b"\x89PNG\r\n"), "{}", image.display());
    }
}

#[track_caller]
fn looks(
    path: &Path,
    size: (usize, usize),
    background: [u8; 3],
    ink: Range<f64>,
    mean: Range<f64>,
) {
    let image = Image::open(path);
    assert_eq!(image.size(), size);
    image.assert_looks(background, ink, mean);
}

/// The size of a plot.
const PLOT: (usize, usize) = (800, 520);

#[test]
fn the_gap_of_a_bound_is_a_divergence() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("elbo");
    let spec = ExplainSpec { epochs: Some(20), ..ExplainSpec::new(Topic::Elbo, &out) };
    let found = Session::new().explain(&spec).unwrap();
    images(&found, &out, &["posterior.png", "gap.png"]);
    // The program prints them under the words that are listed.
    let rows = listed(JSON_KEYS);
    let mut known = rows.iter().find(|row| row.of == "explain elbo").unwrap().words();
    known.retain(|word| word.starts_with("figures."));
    let metrics = json!({ "figures": found.metrics });
    assert_listed("explain elbo", &keys(&[&metrics]), &known);
    let rows = found.metrics.as_array().unwrap();
    assert_eq!(rows.len(), 12);
    for row in rows {
        let value = |name: &str| row[name].as_f64().unwrap();
        let gap = value("log_p") - value("elbo") - value("kl");
        assert!(gap.abs() < 0.002 + 5.0 * value("elbo_stderr"), "{row}");
        assert!(value("kl") > 0.0, "{row}");
    }
    looks(&out.join("gap.png"), PLOT, WHITE, 0.15..0.4, 190.0..232.0);
    looks(&out.join("posterior.png"), (1202, 544), WHITE, 0.54..0.62, 183.0..200.0);
}

#[test]
fn a_sure_discriminator_leaves_the_saturating_loss_no_gradient() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::Saturation, dir.path()).unwrap();
    let sure = found.metrics["reached"].as_array().unwrap().last().unwrap();
    // Another processor rounds otherwise, and a hard example more or less is told right.
    assert!(sure["share"].as_f64().unwrap() >= 0.99, "{sure}");
    assert!(sure["ratio"].as_f64().unwrap() < 0.3, "{sure}");
    let measured = found.metrics["measured"].as_array().unwrap();
    let change = |norm: &str| {
        let value = |i: usize| measured[i][norm].as_f64().unwrap();
        let mut late: Vec<f64> = (measured.len() - 31..measured.len()).map(value).collect();
        late.sort_by(f64::total_cmp);
        late[15] / value(0)
    };
    assert!(change("saturating") < 0.1, "{}", found.metrics);
    assert!(change("non_saturating") > 5.0, "{}", found.metrics);
    assert_hash(&dir.path().join("losses.png"), "caae614db3538885");
    let plot = dir.path().join("saturation.png");
    looks(&plot, PLOT, WHITE, 0.03..0.07, 245.0..252.0);
}

#[test]
fn a_density_is_no_probability() {
    let dir = tempfile::tempdir().unwrap();
    // Topics without runs may share a folder that is there.
    let found = explain(Topic::Density, dir.path()).unwrap();
    assert_eq!(found.topic, Topic::Density);
    images(&found, dir.path(), &["density.png"]);
    let rows = found.metrics.as_array().unwrap();
    let value = |row: usize, name: &str| rows[row][name].as_f64().unwrap();
    assert_eq!(rows.len(), 3);
    for row in 0..3 {
        assert!((value(row, "area") - 1.0).abs() < 1e-9);
        let height = 1.0 / (value(row, "sigma") * (2.0 * std::f64::consts::PI).sqrt());
        assert!((value(row, "height") - height).abs() < 1e-12);
    }
    // P(|z| < 0.5) of a standard normal.
    assert!((value(2, "near") - 0.382_924_923).abs() < 1e-8);
    assert!(found.lines[3].contains("height at 0 is 3.989, the area is 1.0000"));
    assert_hash(&dir.path().join("density.png"), "4e8627c2a7ae2108");
}

#[test]
fn a_likelihood_is_largest_where_the_textbooks_say() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::Likelihood, dir.path()).unwrap();
    images(&found, dir.path(), &["coin.png", "die.png", "interval.png", "gaussian.png"]);
    let of = |part: &str, name: &str| found.metrics[part][name].as_f64().unwrap();
    assert!((of("coin", "maximum") - 0.6923).abs() < 5e-5);
    assert!(of("coin", "slope").abs() < 1e-9);
    assert!(of("coin", "low") < 0.6923 && 0.6923 < of("coin", "high"));
    assert!(of("coin", "log_likelihood") > of("coin", "of_fair_coin"));
    assert!(of("die", "best_of_others") < of("die", "log_likelihood"));
    assert!(of("die", "of_fair_die") < of("die", "best_of_others"), "some come close");
    assert!((of("interval", "area") - 1.0).abs() < 1e-12);
    let widths = found.metrics["interval"]["widths"].as_array().unwrap();
    let last = widths.last().unwrap();
    assert!(last["probability"].as_f64().unwrap() < 1e-6);
    let ratio = last["ratio"].as_f64().unwrap();
    assert!((ratio - of("interval", "density")).abs() < 1e-8, "{ratio}");
    let fitted = |i: usize| found.metrics["gaussian"]["fitted"][i].as_f64().unwrap();
    assert!((fitted(0) - of("gaussian", "mean")).abs() < 1e-12);
    assert!((fitted(1) - of("gaussian", "deviation")).abs() < 1e-12);
    let grid = found.metrics["gaussian"]["grid"]["log_likelihood"].as_f64().unwrap();
    let best = of("gaussian", "log_likelihood");
    assert!(grid <= best && grid > best - 1e-3, "{grid} {best}");
    assert!(found.lines[1].contains("900/1300 = 0.6923"), "{}", found.lines[1]);
}

#[test]
fn a_transposed_convolution_is_one_of_the_stretched_map() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::TransposedConvolution, dir.path()).unwrap();
    images(&found, dir.path(), &["transposed.png"]);
    let rows = found.metrics.as_array().unwrap();
    assert_eq!(rows.len(), 4);
    for row in rows {
        let value = |name: &str| row[name].as_f64().unwrap();
        assert_eq!(value("output"), 3.0 * value("stride") + value("filter"), "{row}");
        assert!(value("difference") < 1e-12 && value("adjoint_difference").abs() < 1e-12, "{row}");
        let even = value("filter") % value("stride") == 0.0;
        assert_eq!(even, value("fewest_terms") == value("most_terms"), "{row}");
    }
    assert_hash(&dir.path().join("transposed.png"), "8d1d0889e5365cc6");
}

#[test]
fn a_discriminator_learns_the_share_that_is_data() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::OptimalDiscriminator, dir.path()).unwrap();
    images(&found, dir.path(), &["discriminator.png"]);
    looks(&found.images[0], PLOT, WHITE, 0.09..0.13, 244.0..250.0);
    let value = |name: &str| found.metrics[name].as_f64().unwrap();
    assert!(value("mean") < 0.01 && value("largest") < 0.04, "{}", found.metrics);
    assert!((0.0..0.003).contains(&(value("optimum") - value("value"))), "{}", found.metrics);
    let seeded =
        ExplainSpec { seed: Some(1), ..ExplainSpec::new(Topic::OptimalDiscriminator, dir.path()) };
    let other = Session::new().explain(&seeded).unwrap();
    assert_ne!(other.metrics["mean"], found.metrics["mean"]);
    assert_eq!(other.metrics["optimum"], found.metrics["optimum"]);
}

#[test]
fn masked_filters_have_a_blind_spot_and_two_stacks_have_none() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::ReceptiveField, dir.path()).unwrap();
    images(&found, dir.path(), &["receptive-field.png"]);
    let rows = found.metrics.as_array().unwrap();
    let seen: Vec<(&str, u64)> = rows
        .iter()
        .map(|row| (row["model"].as_str().unwrap(), row["seen"].as_u64().unwrap()))
        .collect();
    assert!(rows.iter().all(|row| row["before"] == 283), "{rows:?}");
    // r rows above, 7×7 filters and then 3×3 ones see all to the left, and r + 2 columns to the right;
    // the row LSTM as much to the right and two columns more to the left, of 13.
    let all = |of_row: &dyn Fn(u64) -> u64| (1..=10).map(of_row).sum::<u64>();
    assert_eq!(seen[0], ("pixel-cnn", 13 + all(&|r| 13 + 1 + r + 2)));
    assert_eq!(seen[1], ("gated-pixel-cnn", 283));
    assert_eq!(seen[2], ("row-lstm", 4 + all(&|r| (r + 4).min(13) + 1 + r + 2)));
    assert_eq!(seen[3], ("diagonal-bilstm", 283));
    // Another seed sees the same.
    let other =
        ExplainSpec { seed: Some(1), ..ExplainSpec::new(Topic::ReceptiveField, dir.path()) };
    assert_eq!(Session::new().explain(&other).unwrap().metrics, found.metrics);
}

#[test]
fn channels_know_of_each_other() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("chain");
    let spec = ExplainSpec { epochs: Some(6), ..ExplainSpec::new(Topic::ColorChain, &out) };
    let found = Session::new().explain(&spec).unwrap();
    images(&found, &out, &["bits.png", "chain.png", "images.png"]);
    looks(&out.join("bits.png"), PLOT, WHITE, 0.1..0.5, 150.0..240.0);
    let value = |name: &str| found.metrics[name].as_f64().unwrap();
    let entropy = |c: usize| found.metrics["entropy"][c].as_f64().unwrap();
    assert!(value("r") < entropy(0) && value("g") < entropy(1) && value("b") < entropy(2));
    assert!(value("g_given_r") < value("g") - 0.3, "{}", found.metrics);
    assert!(value("b_given_rg") < value("b_given_r") - 0.5, "{}", found.metrics);
    assert!(value("b_given_r") < value("b"), "{}", found.metrics);
    let run = Run::load(out.join("pixel-cnn")).unwrap();
    assert_eq!((run.config.data.name.as_str(), run.config.train.epochs), ("discs", 6));
    assert!(matches!(Session::new().explain(&spec), Err(Error::RunExists { .. })));
}

#[test]
fn chance_gives_rules_that_correction_removes() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::Rules, dir.path()).unwrap();
    images(&found, dir.path(), &["areas.png", "reversal.png", "chance.png"]);
    let metric = |path: &str| found.metrics.pointer(path).unwrap().as_f64().unwrap();
    // One confidence, three lifts.
    for (i, lift) in [2.0, 1.0, 0.8 / 0.9].into_iter().enumerate() {
        assert!((metric(&format!("/areas/{i}/confidence")) - 0.8).abs() < 1e-12);
        assert!((metric(&format!("/areas/{i}/lift")) - lift).abs() < 1e-12);
    }
    assert!(metric("/reversal/parts/0/lift") < 1.0 && metric("/reversal/parts/1/lift") < 1.0);
    assert!(metric("/reversal/all/lift") > 1.5 && metric("/reversal/all/p") < 1e-10);
    // Of tests at the level 0.05 somewhat less are significant, since counts are whole numbers.
    let share = metric("/chance/uncorrected") / metric("/chance/rules");
    assert!((0.01..0.2).contains(&share), "{}", found.metrics);
    assert!(metric("/chance/uncorrected") > 20.0 && metric("/chance/high_lift") > 5.0);
    assert!(metric("/chance/data_sets_with_corrected") <= 8.0, "{}", found.metrics);
    let pairs = metric("/real/pairs");
    assert!(metric("/real/corrected") >= pairs && metric("/real/held_out") >= pairs);
    let seeded = ExplainSpec { seed: Some(1), ..ExplainSpec::new(Topic::Rules, dir.path()) };
    let other = Session::new().explain(&seeded).unwrap();
    assert_ne!(other.metrics["chance"], found.metrics["chance"]);
    assert_eq!(other.metrics["areas"], found.metrics["areas"]);
}

#[test]
fn its_models_are_runs() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("both");
    let spec = ExplainSpec { epochs: Some(2), ..ExplainSpec::new(Topic::AeVsVae, &out) };
    let found = Session::new().explain(&spec).unwrap();
    images(&found, &out, &["codes-ae.png", "codes-vae.png", "decoded.png"]);
    for name in ["ae", "vae"] {
        let run = Run::load(out.join(name)).unwrap();
        assert_eq!((run.config.model.as_str(), run.config.train.epochs), (name, 2));
        assert_eq!(run.model().latent().unwrap().latent_dim(), 2);
        assert!(!out.join(name).join("samples.png").exists());
        let std = found.metrics[name]["std"].as_array().unwrap();
        assert!(std.len() == 2 && std.iter().all(|std| std.as_f64().unwrap() > 0.0), "{name}");
    }
    for (file, size, background, ink, mean) in [
        ("decoded.png", (1468, 752), BLACK, 0.66..0.80, 108.0..124.0),
        ("codes-ae.png", PLOT, WHITE, 0.03..0.11, 244.0..252.0),
        ("codes-vae.png", PLOT, WHITE, 0.03..0.11, 244.0..252.0),
    ] {
        looks(&out.join(file), size, background, ink, mean);
    }
    // Its runs would be mixed up with others.
    assert!(matches!(Session::new().explain(&spec), Err(Error::RunExists { .. })));
}

/// The prior draws codes that the decoder of a VAE knows, and that of an autoencoder does not.
#[test]
fn codes_of_a_vae_are_those_of_the_prior_and_codes_of_an_autoencoder_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("both");
    let found = Session::new().explain(&ExplainSpec::new(Topic::AeVsVae, &out)).unwrap();
    let std = |name: &str| [0, 1].map(|i| found.metrics[name]["std"][i].as_f64().unwrap());
    assert!(std("vae").iter().all(|std| (0.8..1.25).contains(std)), "{}", found.metrics);
    assert!(std("ae").iter().all(|std| *std < 0.65), "{}", found.metrics);
    // Decoded, draws of the prior are farther from all digits for the autoencoder.
    let digits = Dataset::open("digits").unwrap();
    let train = Examples::new(&digits, SplitName::Train, Binarize::None, 0).unwrap();
    let rows = train.batch(&(0..train.len() as u64).collect::<Vec<_>>(), 0).values;
    let drawn: Vec<u64> = (0..400).collect();
    let codes = Streams::new(1).purpose("drawn codes", 0).normals(&drawn, 2);
    let distance = |name: &str| {
        let run = Run::load(out.join(name)).unwrap();
        let decoded = run.model().latent().unwrap().decode(&codes, None).unwrap();
        let squared =
            |x: &[f64], y: &[f64]| -> f64 { x.iter().zip(y).map(|(x, y)| (x - y).powi(2)).sum() };
        let nearest = |x: &[f64]| {
            rows.chunks_exact(64).map(|row| squared(x, row)).fold(f64::INFINITY, f64::min).sqrt()
        };
        decoded.chunks_exact(64).map(nearest).sum::<f64>() / drawn.len() as f64
    };
    let (of_ae, of_vae) = (distance("ae"), distance("vae"));
    assert!(of_vae < 0.95 * of_ae, "{of_vae} {of_ae}");
}

#[test]
fn what_a_topic_has_no_use_for_is_refused_before_anything_is_written() {
    let dir = tempfile::tempdir().unwrap();
    let out = dir.path().join("none");
    let given = |topic| ExplainSpec {
        data: Some("digits".to_owned()),
        epochs: Some(3),
        seed: Some(1),
        ..ExplainSpec::new(topic, &out)
    };
    let refused = |spec: ExplainSpec| {
        let error = Session::new().explain(&spec).unwrap_err();
        assert!(error.is_usage() && !out.exists(), "{error}");
        error.to_string()
    };
    let said = refused(given(Topic::Density));
    assert_eq!(said, "setting 'data' is digits; density does not use it; leave it out");
    let said = refused(given(Topic::Saturation));
    assert!(said.starts_with("setting 'epochs' is 3; saturation does not use"), "{said}");
    let said = refused(ExplainSpec { data: None, epochs: None, ..given(Topic::Density) });
    assert!(said.starts_with("setting 'seed' is 1"), "{said}");
    let mnist =
        ExplainSpec { data: Some("mnist".to_owned()), ..given(Topic::OptimalDiscriminator) };
    assert!(refused(mnist).starts_with("setting 'data' is mnist; optimal-discriminator does not"));
    let said = refused(ExplainSpec { epochs: Some(0), ..given(Topic::Elbo) });
    assert!(said.starts_with("setting 'epochs' is 0"), "{said}");
    let said = refused(ExplainSpec { data: Some("moons".to_owned()), ..given(Topic::Elbo) });
    assert!(said.contains("elbo") && said.contains("moons holds no images"), "{said}");
}

/// Asks for an end as soon as some work is seen.
struct Stopper<'a> {
    stop: &'a AtomicBool,
    at: &'static str,
    seen: usize,
}

impl Observer for Stopper<'_> {
    fn event(&mut self, event: &Event) -> Result<()> {
        let is_met = match event {
            Event::Work(work) => work.what == self.at && work.done > 0,
            event => event.kind() == self.at,
        };
        if is_met {
            self.seen += 1;
            self.stop.store(true, Ordering::Relaxed);
        }
        Ok(())
    }
}

#[test]
fn a_stop_ends_it() {
    for (topic, at) in [
        (Topic::OptimalDiscriminator, "training the discriminator"),
        (Topic::Saturation, "training the discriminator ahead"),
        (Topic::AeVsVae, "step"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let stop = AtomicBool::new(false);
        let mut stopper = Stopper { stop: &stop, at, seen: 0 };
        let mut session = Session::new().with_observer(&mut stopper).with_stop_flag(&stop);
        let spec = ExplainSpec::new(topic, dir.path().join("out"));
        assert!(matches!(session.explain(&spec), Err(Error::Interrupted)), "{topic}");
        drop(session);
        assert!(stopper.seen > 0 && stopper.seen < 10, "{topic}: {}", stopper.seen);
    }
}

#[test]
fn a_density_of_each_class_knows_rows_like_no_class() {
    let dir = tempfile::tempdir().unwrap();
    let found = explain(Topic::Supervised, dir.path()).unwrap();
    images(&found, dir.path(), &["classification.png", "regression.png", "generation.png"]);
    let of = |name: &str| found.metrics[name].as_f64().unwrap();
    let loss = |name: &str| found.metrics[name]["class_nll"].as_f64().unwrap();
    // The boundary is a quadric, which a line misses.
    assert!(loss("bayes") < loss("logistic") - 0.02, "{}", found.metrics);
    assert!((loss("bayes") - loss("truth")).abs() < 0.02, "{}", found.metrics);
    // Both are sure of a row that is far from all others.
    assert!(of("odd_logistic") > 0.99 && of("odd_bayes") > 0.9, "{}", found.metrics);
    assert!(of("odd_log_density") < of("lowest_log_density") - 20.0, "{}", found.metrics);
    looks(&dir.path().join("classification.png"), (900, 620), WHITE, 0.2..0.98, 120.0..250.0);
}
