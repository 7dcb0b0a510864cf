//! One data set seen three ways: classification, regression and generation. Bayes' rule over two Gaussians
//! beside logistic regression, and what each can answer that the others cannot.

use ancestral_data::{Batch, Binarize, Dataset, Domain, Examples, Shape, Split, SplitName, Values};
use ancestral_plot::{Plot, Series};
use serde_json::json;

use super::shapes::Draw;
use super::spec::{ExplainSpec, Explanation};
use crate::Result;
use crate::classifier::logistic::LogisticConfig;
use crate::classifier::qda::QdaConfig;
use crate::evaluate::classification_of;
use crate::model::{DataSpec, DensityOptions, Known, Model, SampleRequest, fit, sample};
use crate::regression::linear::LinearConfig;

/// Rows of each class, for training and for testing.
const EACH: usize = 200;
/// The part of the plane that is drawn.
const REACH: (f64, f64) = (-6.0, 8.0);
/// Cells of a side of a map.
const CELLS: usize = 120;
/// The row that is like no class.
const ODD: [f64; 2] = [7.0, -2.0];

/// Two normal distributions: a round one, and a long one beside it.
fn row(class: u32, draw: &mut Draw) -> [f64; 2] {
    let (a, b) = (draw.normal(), draw.normal());
    match class {
        0 => [-1.0 + 0.8 * a, 0.8 * b],
        _ => [2.0 + 1.6 * a, 1.0 + 1.2 * a + 0.9 * b],
    }
}

/// The log-density of a class in truth.
fn truth(class: u32, x: &[f64]) -> f64 {
    let log_tau = (2.0 * std::f64::consts::PI).ln();
    let (a, b, scale) = match class {
        0 => ((x[0] + 1.0) / 0.8, x[1] / 0.8, 0.64f64),
        _ => {
            let a = (x[0] - 2.0) / 1.6;
            (a, (x[1] - 1.0 - 1.2 * a) / 0.9, 1.44)
        }
    };
    -log_tau - scale.ln() - 0.5 * (a * a + b * b)
}

fn rows(seed: u64, number: u64) -> (Vec<f64>, Vec<u32>) {
    let mut draw = Draw::new(seed, number);
    let labels: Vec<u32> = (0..2 * EACH as u32).map(|i| i % 2).collect();
    (labels.iter().flat_map(|&class| row(class, &mut draw)).collect(), labels)
}

fn examples(values: &[f64], labels: &[u32]) -> Result<Examples> {
    let split = Split { values: Values::Reals(values.to_vec()), labels: Some(labels.to_vec()) };
    let data = Dataset::new("two classes", Domain::Real, Shape::columns(2), split, None, None)?;
    Ok(Examples::new(&data, SplitName::Train, Binarize::None, 0)?)
}

/// The probability of the second class of each row.
fn second(model: &dyn Model, values: &[f64]) -> Result<Vec<f64>> {
    let Some(classifier) = model.classifier() else { return Ok(Vec::new()) };
    let p = classifier.classify(values)?.probabilities;
    Ok(p.chunks_exact(2).map(|p| p[1]).collect())
}

fn logs(model: &dyn Model, values: &[f64]) -> Result<Vec<f64>> {
    let Some(density) = model.density() else { return Ok(Vec::new()) };
    let batch = Batch::of(values.to_vec(), values.len() / 2);
    Ok(density.log_probability(&batch, DensityOptions::new(1, 0))?.nats)
}

/// The centers of cells, from the top row on.
fn cells() -> Vec<f64> {
    let width = (REACH.1 - REACH.0) / CELLS as f64;
    let at = |i: usize| REACH.0 + (i as f64 + 0.5) * width;
    (0..CELLS * CELLS).flat_map(|i| [at(i % CELLS), at(CELLS - 1 - i / CELLS)]).collect()
}

/// Where a map crosses one half between neighbors, as points.
fn boundary(p: &[f64]) -> Vec<(f64, f64)> {
    let cells = cells();
    let mut points = Vec::new();
    let mut cross = |a: usize, b: usize| {
        if (p[a] > 0.5) != (p[b] > 0.5) {
            let t = (0.5 - p[a]) / (p[b] - p[a]);
            let between =
                |axis: usize| cells[2 * a + axis] + t * (cells[2 * b + axis] - cells[2 * a + axis]);
            points.push((between(0), between(1)));
        }
    };
    for i in 0..CELLS * CELLS {
        if i % CELLS + 1 < CELLS {
            cross(i, i + 1);
        }
        if i + CELLS < CELLS * CELLS {
            cross(i, i + CELLS);
        }
    }
    points
}

fn points(values: &[f64], labels: &[u32], class: u32) -> Vec<(f64, f64)> {
    let rows = values.chunks_exact(2).zip(labels);
    rows.filter(|(_, label)| **label == class).map(|(row, _)| (row[0], row[1])).collect()
}

fn plot(title: impl Into<String>) -> Plot {
    Plot::new(title, "x", "y").x_range(REACH.0, REACH.1).y_range(REACH.0, REACH.1).size(900, 620)
}

/// Fits the three and compares what they answer.
pub(super) fn explain(spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let (values, labels) = rows(spec.seed(), 20);
    let (fresh, truths) = rows(spec.seed(), 21);
    let train = examples(&values, &labels)?;
    let data = DataSpec {
        names: vec!["x".to_owned(), "y".to_owned()],
        ..DataSpec::new(Domain::Real, Shape::columns(2), 2)
    };

    let mut bayes = QdaConfig::default().init(&data)?;
    if let Some(estimator) = bayes.estimator() {
        fit(estimator, &train, 0)?;
    }
    let bayes = bayes.as_ref();
    let mut logistic = LogisticConfig { penalty: 0.0, ..Default::default() }.init(&data)?;
    fit(&mut logistic, &train, 0)?;
    let mut line = LinearConfig { target: "y".to_owned(), ..Default::default() }.init(&data)?;
    let of_line = fit(&mut line, &train, 0)?;

    // Classification.
    let of_truth = |values: &[f64]| -> Vec<f64> {
        let of = |x: &[f64]| 1.0 / (1.0 + (truth(0, x) - truth(1, x)).exp());
        values.chunks_exact(2).map(of).collect()
    };
    let judged = |p: Vec<f64>| {
        let pairs: Vec<f64> = p.iter().flat_map(|p| [1.0 - p, *p]).collect();
        classification_of(&pairs, 2, &truths)
    };
    let found = [
        ("Bayes' rule of two Gaussians (qda)", judged(second(bayes, &fresh)?)?),
        ("logistic regression", judged(second(&logistic, &fresh)?)?),
        ("Bayes' rule of the true densities", judged(of_truth(&fresh))?),
    ];
    let grid = cells();
    let (of_bayes, of_logistic) = (second(bayes, &grid)?, second(&logistic, &grid)?);
    let reach = (REACH.0, REACH.1);
    let classes = |plot: Plot| {
        plot.with(Series::points("class a", points(&values, &labels, 0)).group(0))
            .with(Series::points("class b", points(&values, &labels, 1)).group(1))
    };
    let odd = || Series::points("like no class", [(ODD[0], ODD[1])]).group(3);
    classes(plot("classification: p(b | row), and boundaries").with_map(
        &of_bayes,
        CELLS,
        reach,
        reach,
        "p(b | row)",
    ))
    .with(Series::points("Bayes' rule", boundary(&of_bayes)).group(2))
    .with(Series::points("logistic", boundary(&of_logistic)).group(4))
    .with(odd())
    .save(spec.out.join("classification.png"))?;

    // Regression.
    let ends = [REACH.0, REACH.1];
    let given = |x: f64| -> Result<f64> {
        let known = Known { values: vec![x, 0.0], given: vec![true, false] };
        let request = SampleRequest { known: Some(known), mean: true, ..SampleRequest::new(1, 0) };
        Ok(sample(&line, &request)?[1])
    };
    let slope = of_line.estimates.iter().find(|e| e.name == "weight[x]");
    let metric = |name: &str| {
        let metrics = of_line.regression.iter().flat_map(|found| &found.metrics);
        metrics.filter(|(key, _)| *key == name).map(|(_, value)| *value).sum::<f64>()
    };
    let noise = metric("residual_deviation");
    let mean = ends.iter().map(|&x| Ok((x, given(x)?))).collect::<Result<Vec<_>>>()?;
    let shifted = |by: f64| mean.iter().map(move |&(x, y)| (x, y + by)).collect::<Vec<_>>();
    plot(format!("regression: y given x, whatever the class; R² {:.3}", metric("r_squared")))
        .with(Series::points("rows", values.chunks_exact(2).map(|p| (p[0], p[1]))).group(5))
        .with(Series::line("mean of y given x", mean.clone()).group(3))
        .with(Series::dashed("95 % of y given x", shifted(1.96 * noise)).group(3))
        .with(Series::dashed("", shifted(-1.96 * noise)).group(3))
        .save(spec.out.join("regression.png"))?;

    // Generation.
    let of_grid = logs(bayes, &grid)?;
    let shown: Vec<f64> = of_grid.iter().map(|nats| nats.max(-20.0)).collect();
    let drawn = sample(bayes, &SampleRequest::new(2 * EACH, spec.seed()))?;
    plot("generation: log p(row) and draws from it")
        .with_map(&shown, CELLS, reach, reach, "log p(row), −20 and above")
        .with(Series::points("draws", drawn.chunks_exact(2).map(|p| (p[0], p[1]))).group(1))
        .with(odd())
        .save(spec.out.join("generation.png"))?;

    // What only one of them can answer.
    let of_odd = [second(bayes, &ODD)?[0], second(&logistic, &ODD)?[0]];
    let nats = logs(bayes, &ODD)?[0];
    let own = logs(bayes, &values)?;
    let lowest = own.iter().copied().fold(f64::INFINITY, f64::min);
    let expected = given(ODD[0])?;
    let z = (ODD[1] - expected) / noise;
    let mut lines = vec![
        "One table of two columns and two classes, seen three ways. Classification and regression have a \
         target; generation has none."
            .to_owned(),
        format!(
            "Classification, p(class | row) (classification.png), on {} new rows:",
            truths.len()
        ),
    ];
    lines.extend(found.iter().map(|(name, found)| {
        format!(
            "  {name}: accuracy {:.2} ± {:.2} %, log-loss {:.4} nats",
            100.0 * found.accuracy,
            100.0 * found.accuracy_stderr,
            found.class_nll
        )
    }));
    lines.extend([
        "  The boundary of two Gaussians with covariances of their own is a quadric, that of logistic \
         regression a line."
            .to_owned(),
        format!(
            "Regression, p(y | x) (regression.png): y = {:.3} + {:.3} x ± {noise:.3}, R² {:.3}; one line \
             for both classes.",
            of_line.estimates.first().map_or(f64::NAN, |e| e.value),
            slope.map_or(f64::NAN, |e| e.value),
            metric("r_squared")
        ),
        "Generation, p(row) = Σ p(class) p(row | class) (generation.png): new rows are drawn, of a class or \
         of all."
            .to_owned(),
        format!(
            "The row ({}, {}) is like no class. Logistic regression says b with probability {:.4}, Bayes' \
             rule {:.4}: both must choose, and are sure.",
            ODD[0], ODD[1], of_odd[1], of_odd[0]
        ),
        format!(
            "The density says log p(row) = {nats:.1} nats, below all {} training rows ({lowest:.1} nats at \
             least): it is neither. The regression alone finds y {:.1} standard errors below what x tells.",
            own.len(),
            -z
        ),
        "A classifier learns only where classes part, and needs no density for it; a density answers every \
         question of rows and classes, and errs in all of them if its family is wrong."
            .to_owned(),
    ]);
    let of = |at: usize| {
        let found = &found[at].1;
        json!({ "accuracy": found.accuracy, "class_nll": found.class_nll })
    };
    let metrics = json!({
        "bayes": of(0), "logistic": of(1), "truth": of(2),
        "r_squared": metric("r_squared"), "residual_deviation": noise,
        "odd_bayes": of_odd[0], "odd_logistic": of_odd[1], "odd_log_density": nats,
        "lowest_log_density": lowest, "odd_residual": z,
    });
    let images = ["classification.png", "regression.png", "generation.png"];
    Ok(spec.found(lines, metrics, &images))
}
