//! The classic shapes: which method finds which.

use ancestral_data::{Dataset, Domain, Shape, Split, Values};
use ancestral_plot::{Image, Plot, Series};
use serde_json::{Value, json};

use super::shapes::{Shapes, classic};
use super::spec::{ExplainSpec, Explanation};
use crate::Result;
use crate::run::{ClusterSpec, DataSource, RunSpec, Session};

/// The methods.
const METHODS: [&str; 4] = ["kmeans", "gmm", "dbscan", "hdbscan"];
/// Distances of DBSCAN that suit each of the shapes best.
const EPS: [f64; 5] = [0.75, 0.17, 0.17, 0.42, 0.25];

fn data_of(shapes: &Shapes) -> Result<Dataset> {
    let split =
        Split { values: Values::Reals(shapes.values.clone()), labels: Some(shapes.truth.clone()) };
    Ok(Dataset::new(shapes.name, Domain::Real, Shape::columns(2), split, None, None)?)
}

fn spec_of(method: &str, shapes: &Shapes, eps: f64, seed: u64) -> Result<ClusterSpec> {
    let mut run = RunSpec {
        model: Some(method.to_owned()),
        seed: Some(seed),
        ..RunSpec::named(method, DataSource::Given(data_of(shapes)?))
    };
    match method {
        "kmeans" => {
            run.assign(&format!("n_clusters={}", shapes.count()))?;
            run.assign("n_init=10")?;
        }
        "gmm" => run.assign(&format!("components={}", shapes.count()))?,
        "dbscan" => run.assign(&format!("eps={eps}"))?,
        _ => run.assign("min_cluster_size=15")?,
    }
    Ok(ClusterSpec { run, indices: true, ..ClusterSpec::default() })
}

fn panel(title: &str, points: &[(f64, f64)], labels: &[Option<u32>]) -> Result<Image> {
    let mut plot = Plot::new(title, "", "").size(300, 280);
    let of = |wanted: &dyn Fn(Option<u32>) -> bool| -> Vec<(f64, f64)> {
        let rows = points.iter().zip(labels).filter(|(_, label)| wanted(**label));
        rows.map(|(point, _)| *point).collect()
    };
    plot = plot.with(Series::points("", of(&|label| label.is_none())).group(9));
    for color in 0..6 {
        let own = of(&|label| label.is_some_and(|label| label as usize % 6 == color));
        plot = plot.with(Series::points("", own).group(color));
    }
    Ok(plot.to_image()?)
}

/// A score with two decimals, without the sign of a zero.
fn shown(score: f64) -> String {
    format!("{:.2}", (100.0 * score).round() / 100.0 + 0.0)
}

/// Clusters each of the shapes by each method.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let (mut rows, mut lines, mut metrics): (Vec<(&str, Image)>, Vec<String>, Vec<Value>) =
        Default::default();
    lines.push(
        "The adjusted Rand index of each method on each shape: 1 where it finds the shapes, about 0 where \
         it guesses (clustering.png)."
            .to_owned(),
    );
    lines.push(format!("{:<12} {}", "", METHODS.map(|method| format!("{method:>9}")).concat()));
    for (shapes, eps) in classic(spec.seed()).iter().zip(EPS) {
        let points = shapes.points();
        let mut panels = Vec::new();
        let mut scores = Vec::new();
        for method in METHODS {
            let found = session.cluster(&spec_of(method, shapes, eps, spec.seed())?)?;
            let score = found.indices.adjusted_rand.unwrap_or(0.0);
            let title = format!("{}: {method} {}", shapes.name, shown(score));
            panels.push(("", panel(&title, &points, &found.clustering.labels)?));
            scores.push(score);
            metrics
                .push(json!({ "shapes": shapes.name, "method": method, "adjusted_rand": score }));
        }
        let cells: Vec<String> =
            scores.iter().map(|&score| format!("{:>9}", shown(score))).collect();
        lines.push(format!("{:<12} {}", shapes.name, cells.concat()));
        rows.push(("", Image::hstack(&panels)));
    }
    Image::vstack(&rows).save_png(spec.out.join("clustering.png"))?;
    lines.extend([
        "K-means parts the plane by straight lines between centers: right for round clusters of like size."
            .to_owned(),
        "A mixture of Gaussians follows stretched and uneven clusters, and needs their number, too."
            .to_owned(),
        "DBSCAN follows any shape, with one distance for all of the plane; HDBSCAN chooses it for each \
         cluster by itself. Both leave noise out."
            .to_owned(),
    ]);
    Ok(spec.found(lines, json!({ "scores": metrics }), &["clustering.png"]))
}
