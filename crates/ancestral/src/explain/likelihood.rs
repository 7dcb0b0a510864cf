//! What a likelihood is, and where it is largest: of a coin, of a die, of a density, of a Gaussian.

use std::f64::consts::PI;

use ancestral_data::Streams;
use ancestral_plot::{Plot, Series};
use serde_json::json;

use super::spec::{ExplainSpec, Explanation};
use crate::distributions::categorical::die;
use crate::distributions::families::binomial::Binomial;
use crate::distributions::families::normal::Normal;
use crate::distributions::families::{self, Distribution, FitOptions, Sample};
use crate::distributions::{coin, coin_log_likelihood, fitted::open_uniform};
use crate::report;
use crate::special::normal::normal_tails;
use crate::{Error, Result};

/// The coin of the textbooks.
const HEADS: u64 = 900;
const TOSSES: u64 = 1300;
/// How often each face of a die came up.
const FACES: [u64; 6] = [6, 11, 9, 14, 8, 12];
/// Dice that are tried at random.
const DICE: u64 = 100_000;
/// The point whose neighborhood shrinks, and the widths.
const POINT: f64 = 0.5;
const WIDTHS: [f64; 6] = [1.0, 0.3, 0.1, 0.01, 0.001, 1e-6];
/// Lengths in meters.
const LENGTHS: [f64; 12] = [1.62, 1.71, 1.68, 1.80, 1.75, 1.59, 1.66, 1.77, 1.83, 1.70, 1.64, 1.73];
/// Points of a curve.
const POINTS: u32 = 400;

/// Four experiments, each with its plot and the numbers that prove it.
pub(super) fn explain(spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let mut lines = vec![
        "A likelihood is the probability of the data as a function of the parameter; maximum \
         likelihood takes the parameter that makes the data most probable."
            .to_owned(),
    ];
    let mut metrics = serde_json::Map::new();
    for (name, part) in [
        ("coin", of_coin(spec)?),
        ("die", of_die(spec)?),
        ("interval", of_interval(spec)?),
        ("gaussian", of_gaussian(spec)?),
    ] {
        let (said, numbers) = part;
        lines.extend(said);
        metrics.insert(name.to_owned(), numbers);
    }
    let images = ["coin.png", "die.png", "interval.png", "gaussian.png"];
    Ok(spec.found(lines, metrics.into(), &images))
}

/// Text and numbers of an experiment.
type Part = (Vec<String>, serde_json::Value);

fn refused(error: families::Error) -> Error {
    Error::Unsupported { model: "likelihood".to_owned(), problem: error.to_string() }
}

/// 900 heads in 1300 tosses.
fn of_coin(spec: &ExplainSpec) -> Result<Part> {
    let estimate = coin(HEADS, TOSSES)?;
    let best = coin_log_likelihood(HEADS, TOSSES, estimate.value);
    let fair = coin_log_likelihood(HEADS, TOSSES, 0.5);
    let rows = Sample::new(vec![HEADS as f64]).map_err(refused)?;
    let binomial = Binomial { trials: TOSSES as f64 };
    let fit = binomial.fit(&rows, &FitOptions::default()).map_err(refused)?;
    let ends = fit.estimates.first().and_then(|e| e.interval).unwrap_or((0.0, 1.0));
    // The derivative h / θ − t / (1 − θ) is 0 at the maximum.
    let (h, t) = (HEADS as f64, (TOSSES - HEADS) as f64);
    let slope = h / estimate.value - t / (1.0 - estimate.value);
    let curve = (0..=POINTS).map(|i| {
        let theta = 0.63 + 0.12 * f64::from(i) / f64::from(POINTS);
        (theta, (coin_log_likelihood(HEADS, TOSSES, theta) - best).exp())
    });
    let inside = (0..=POINTS).map(|i| {
        let theta = ends.0 + (ends.1 - ends.0) * f64::from(i) / f64::from(POINTS);
        (theta, (coin_log_likelihood(HEADS, TOSSES, theta) - best).exp())
    });
    Plot::new(
        format!("likelihood of a coin: {HEADS} heads in {TOSSES} tosses"),
        "θ, the probability of heads",
        "L(θ) ÷ L at its maximum",
    )
    .with(Series::line("likelihood", curve).group(0))
    .with(Series::area("95 % interval", inside).group(0))
    .vertical_marker(estimate.value, format!("maximum {:.4}", estimate.value))
    .horizontal_marker((-0.5f64 * 3.841_458_820_694_124).exp(), "0.1465, where the interval ends")
    .save(spec.out.join("coin.png"))?;
    let lines = vec![
        format!(
            "Coin: L(θ) = θ^{HEADS} (1 − θ)^{} is largest at θ = {HEADS}/{TOSSES} = {:.4} \
             (± {:.4}; 95 % interval {:.4} to {:.4}), where d log L / dθ = {slope:.1e}.",
            TOSSES - HEADS,
            estimate.value,
            estimate.stderr.unwrap_or(0.0),
            ends.0,
            ends.1
        ),
        format!(
            "  log L is {best:.3} nats there and {fair:.3} at θ = ½: the data are e^{:.1} times as \
             probable.",
            best - fair
        ),
    ];
    let numbers = json!({
        "heads": HEADS, "tosses": TOSSES, "maximum": estimate.value, "stderr": estimate.stderr,
        "low": ends.0, "high": ends.1, "log_likelihood": best, "of_fair_coin": fair, "slope": slope,
    });
    Ok((lines, numbers))
}

/// 60 throws of a die, compared with dice at random.
fn of_die(spec: &ExplainSpec) -> Result<Part> {
    let (estimates, criteria) = die(&FACES)?;
    let best = criteria.log_likelihood;
    let n: f64 = FACES.iter().map(|&count| count as f64).sum();
    let log_likelihood =
        |p: &[f64]| -> f64 { FACES.iter().zip(p).map(|(&count, p)| count as f64 * p.ln()).sum() };
    let equal = log_likelihood(&[1.0 / 6.0; 6]);
    let purpose = Streams::new(0).purpose("explain dice", 0);
    let mut highest = f64::NEG_INFINITY;
    for number in 0..DICE {
        let mut rng = purpose.item(number);
        // Exponential numbers over their sum are uniform among all dice; half of the dice are near
        // the shares.
        let mut p: Vec<f64> = (0..6).map(|_| -open_uniform(&mut rng).ln()).collect();
        if number % 2 == 1 {
            let near = p.iter().zip(&estimates).map(|(x, e)| e.value * (1.0 + 0.1 * (x - 1.0)));
            p = near.map(|x| x.max(1e-9)).collect();
        }
        let sum: f64 = p.iter().sum();
        p.iter_mut().for_each(|x| *x /= sum);
        highest = highest.max(log_likelihood(&p));
    }
    let at = |i: usize| i as f64;
    let errors = estimates.iter().enumerate().flat_map(|(i, e)| {
        let error = e.stderr.unwrap_or(0.0);
        [(at(i), e.value - error), (at(i), e.value + error), (f64::NAN, f64::NAN)]
    });
    Plot::new(format!("a die, thrown {n} times"), "face", "share of the throws ± standard error")
        .x_names((1..=6).map(|face: u32| face.to_string()))
        .with(Series::bars("", estimates.iter().enumerate().map(|(i, e)| (at(i), e.value))))
        .with(Series::line("", errors).group(1))
        .horizontal_marker(1.0 / 6.0, "a fair die, 1/6")
        .save(spec.out.join("die.png"))?;
    let shares: Vec<String> = estimates.iter().map(|e| format!("{:.3}", e.value)).collect();
    let lines = vec![
        format!(
            "Die: the most probable die has the shares of the {n} throws, {}; log L = {best:.3} nats.",
            shares.join(", ")
        ),
        format!(
            "  A fair die has {equal:.3} nats; of {DICE} other dice the best has {highest:.3}: none is \
             higher."
        ),
    ];
    let shares: Vec<f64> = estimates.iter().map(|e| e.value).collect();
    let numbers = json!({
        "faces": FACES, "shares": shares, "log_likelihood": best, "of_fair_die": equal,
        "others": DICE, "best_of_others": highest,
    });
    Ok((lines, numbers))
}

/// P(a < X < b) and the density.
fn of_interval(spec: &ExplainSpec) -> Result<Part> {
    let sigma = 0.1;
    let density = |x: f64| (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
    let lower = |x: f64| normal_tails(x).lower.exp();
    let height = density(POINT);
    let mut lines = vec![format!(
        "Density: of N(0, 1) at {POINT} it is {height:.4}; the probability of an interval is the area \
         over it:"
    )];
    let mut numbers = Vec::new();
    for width in WIDTHS {
        let p = lower(POINT + 0.5 * width) - lower(POINT - 0.5 * width);
        lines.push(format!("  width {width}: probability {p:.3e}, ÷ width = {:.4}", p / width));
        numbers.push(json!({ "width": width, "probability": p, "ratio": p / width }));
    }
    // The trapezoid rule is exact here up to rounding.
    let step = 0.01;
    let area: f64 = (-1000..=1000).map(|i| density(f64::from(i) * step) * step).sum();
    let tall = density(0.0) / sigma;
    lines.push(format!(
        "  The probability of a single point is 0, and the whole area is {area:.6}."
    ));
    lines.push(format!(
        "  A density is no probability: that of N(0, {sigma}²) is {tall:.3} at 0, and that of the same \
         lengths in millimeters {:.6}, while no probability changes. A likelihood of real numbers is a \
         product of densities, so that only its ratios and its maximum have a meaning.",
        tall / 1000.0
    ));
    let x = |i: u32| -3.5 + 7.0 * f64::from(i) / f64::from(POINTS);
    let band = |width: f64| {
        let at = move |i: u32| POINT + width * (f64::from(i) / f64::from(POINTS) - 0.5);
        (0..=POINTS).map(move |i| (at(i), density(at(i))))
    };
    let p = |width: f64| lower(POINT + 0.5 * width) - lower(POINT - 0.5 * width);
    Plot::new("the probability of an interval is an area", "x", "density of N(0, 1)")
        .with(Series::line("area 1", (0..=POINTS).map(|i| (x(i), density(x(i))))).group(0))
        .with(Series::area(format!("width 1: P = {:.3}", p(1.0)), band(1.0)).group(2))
        .with(Series::area(format!("width 0.3: P = {:.3}", p(0.3)), band(0.3)).group(1))
        .vertical_marker(POINT, "a point: P = 0")
        .save(spec.out.join("interval.png"))?;
    let numbers = json!({
        "density": height, "widths": numbers, "area": area, "height": tall,
    });
    Ok((lines, numbers))
}

/// The maximum of a Gaussian's likelihood, by search and in closed form.
fn of_gaussian(spec: &ExplainSpec) -> Result<Part> {
    let n = LENGTHS.len() as f64;
    let mean = LENGTHS.iter().sum::<f64>() / n;
    let deviation = (LENGTHS.iter().map(|x| (x - mean).powi(2)).sum::<f64>() / n).sqrt();
    let rows = Sample::new(LENGTHS.to_vec()).map_err(refused)?;
    let fit = Normal.fit(&rows, &FitOptions::default()).map_err(refused)?;
    let likelihood = Normal.log_likelihood(&rows);
    // The highest of a fine grid, which knows nothing of the formulas.
    let cells = 400;
    let grid = |low: f64, high: f64, i: u32| low + (high - low) * f64::from(i) / f64::from(cells);
    let mut searched = (f64::NEG_INFINITY, 0.0, 0.0);
    for i in 0..=cells {
        for j in 0..=cells {
            let (m, s) = (grid(1.5, 1.9, i), grid(0.02, 0.2, j));
            let value = likelihood(&[m, s]);
            if value > searched.0 {
                searched = (value, m, s);
            }
        }
    }
    let plot = report::likelihood_plot(&Normal, &fit, &rows, "12 lengths", 0.95);
    let Some(plot) = plot else {
        return Err(refused(families::Error::NoRows));
    };
    plot.save(spec.out.join("gaussian.png"))?;
    let lines = vec![
        format!(
            "Gaussian: log L(μ, σ) = −n log σ − Σ (x − μ)² / 2σ² + constant. Its derivatives are 0 where \
             μ is the mean, {mean:.4}, and σ² the mean squared deviation, σ = {deviation:.4}."
        ),
        format!(
            "  The search gives {:.4} and {:.4} with log L = {:.4} nats; the best of {} points of a grid \
             is μ = {:.4}, σ = {:.4} with {:.4}.",
            fit.parameters.first().copied().unwrap_or(f64::NAN),
            fit.parameters.get(1).copied().unwrap_or(f64::NAN),
            fit.log_likelihood,
            (cells + 1) * (cells + 1),
            searched.1,
            searched.2,
            searched.0
        ),
    ];
    let numbers = json!({
        "mean": mean, "deviation": deviation, "fitted": fit.parameters,
        "log_likelihood": fit.log_likelihood,
        "grid": { "mean": searched.1, "deviation": searched.2, "log_likelihood": searched.0 },
    });
    Ok((lines, numbers))
}
