//! DBSCAN: core rows, border rows and noise, and what eps does.

use ancestral_plot::{Image, Plot, Series};
use serde_json::json;

use super::shapes::{Draw, moons};
use super::spec::{ExplainSpec, Explanation};
use crate::clustering::{Dbscan, DbscanConfig, Metric, Points, k_distances};
use crate::report;
use crate::{Error, Result};

/// Rows without a shape.
const STRAY: usize = 40;
/// Distances that are tried: too small, right, too large.
const EPS: [f64; 3] = [0.06, 0.15, 0.4];
const MIN_SAMPLES: usize = 5;
/// Corners of a circle.
const CORNERS: usize = 60;

/// "2 clusters"
fn counted(clusters: usize) -> String {
    format!("{clusters} cluster{}", if clusters == 1 { "" } else { "s" })
}

fn panel(points: &[(f64, f64)], found: &Dbscan, eps: f64) -> Result<Image> {
    let kind = |row: usize| (found.core[row], found.labels[row]);
    let of = |wanted: &dyn Fn(bool, Option<u32>) -> bool| -> Vec<(f64, f64)> {
        let rows = (0..points.len()).filter(|&row| {
            let (core, label) = kind(row);
            wanted(core, label)
        });
        rows.map(|row| points[row]).collect()
    };
    let noise = of(&|_, label| label.is_none());
    let border = of(&|core, label| !core && label.is_some());
    let title = format!("eps = {eps}: {}, {} noise", counted(found.clusters), noise.len());
    let mut plot = Plot::new(title, "", "").size(430, 400).equal_aspect();
    plot = plot.with(Series::points("", noise).group(9));
    for color in 0..6 {
        let own = of(&|core, label| core && label.is_some_and(|l| l as usize % 6 == color));
        plot = plot.with(Series::points("", own).group(color));
    }
    plot = plot.with(Series::points("", border).group(6));
    // The neighborhoods of a core row, a border row and a row of noise.
    let rows = [
        (0..points.len()).find(|&row| kind(row).0),
        (0..points.len()).find(|&row| !kind(row).0 && kind(row).1.is_some()),
        (0..points.len()).rev().find(|&row| kind(row).1.is_none()),
    ];
    for (row, group) in rows.into_iter().zip([0, 6, 9]) {
        let Some((x, y)) = row.map(|row| points[row]) else { continue };
        let circle = (0..=CORNERS).map(|corner| {
            let angle = corner as f64 / CORNERS as f64 * std::f64::consts::TAU;
            (x + eps * angle.cos(), y + eps * angle.sin())
        });
        plot = plot.with(Series::line("", circle).group(group));
    }
    Ok(plot.to_image()?)
}

/// Draws three distances and the curve from which to choose.
pub(super) fn explain(spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let mut shapes = moons(spec.seed());
    let mut draw = Draw::new(spec.seed(), 11);
    for _ in 0..STRAY {
        shapes.values.extend([4.0 * draw.uniform() - 1.5, 2.6 * draw.uniform() - 1.05]);
    }
    let points = shapes.points();
    let wrong = |error: crate::clustering::Error| Error::UnsuitableData {
        model: "dbscan".to_owned(),
        problem: error.to_string(),
    };
    let rows = Points::new(&shapes.values, 2).map_err(wrong)?;
    let (mut panels, mut tried, mut lines) = (Vec::new(), Vec::new(), Vec::new());
    lines.push(format!(
        "A row with at least {MIN_SAMPLES} rows within eps, itself included, is a core row; core rows \
         within eps of each other are one cluster; a border row (black) is within eps of a core row, and \
         noise (gray) is not (dbscan.png):"
    ));
    for eps in EPS {
        let config = DbscanConfig { eps, min_samples: MIN_SAMPLES, metric: Metric::Euclidean };
        let found = config.fit(rows).map_err(wrong)?;
        let core = found.core.iter().filter(|&&core| core).count();
        let noise = found.labels.iter().filter(|label| label.is_none()).count();
        let border = points.len() - core - noise;
        panels.push(("", panel(&points, &found, eps)?));
        lines.push(format!(
            "eps {eps}: {}, {core} core rows, {border} border rows, {noise} noise",
            counted(found.clusters)
        ));
        tried.push(json!({
            "eps": eps, "clusters": found.clusters, "core": core, "border": border, "noise": noise,
        }));
    }
    Image::hstack(&panels).save_png(spec.out.join("dbscan.png"))?;
    let distances = k_distances(rows, MIN_SAMPLES, Metric::Euclidean).map_err(wrong)?;
    let right = EPS[1];
    report::neighbor_distances("choose eps where the curve bends", &distances, MIN_SAMPLES, right)
        .save(spec.out.join("distances.png"))?;
    lines.push(
        "Too small an eps parts clusters and makes noise, too large a one joins them. The distances to \
         the nearest rows tell the scale: choose eps where their curve bends (distances.png; `ancestral \
         cluster eps` draws it for your data)."
            .to_owned(),
    );
    let metrics = json!({ "rows": points.len(), "min_samples": MIN_SAMPLES, "tried": tried });
    Ok(spec.found(lines, metrics, &["dbscan.png", "distances.png"]))
}
