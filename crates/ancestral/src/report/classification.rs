//! Predicted classes as plots: the confusion matrix, ROC and precision–recall curves, reliability.

use ancestral_plot::{Plot, Series, heat_between};

use crate::evaluate::{Averages, ByClass, Classification, Curve};

/// The most points of a curve that are drawn.
const POINTS: usize = 1000;
/// The most classes with a curve of their own.
const SHOWN: usize = 10;
/// The share from which a cell is light.
const LIGHT: f64 = 0.6;
/// Pixels of a cell.
const CELL: usize = 24;

/// A confusion matrix `[classes, classes]` of counts, true classes in rows: the share of each true class
/// that is predicted as each class, with the counts of few classes in their cells.
pub fn confusion_matrix(title: &str, classes: &[String], counts: &[u64]) -> Plot {
    let n = classes.len().max(1);
    let mut shares: Vec<f64> = Vec::with_capacity(counts.len());
    for row in counts.chunks(n) {
        let all: u64 = row.iter().sum();
        shares.extend(row.iter().map(|&count| count as f64 / all.max(1) as f64));
    }
    let cells = heat_between(&shares, n, 0.0, 1.0).enlarged(CELL);
    let side = n as f64 - 0.5;
    let mut plot = Plot::new(title, "predicted class", "true class (dark 0, light all)")
        .background(cells, (-0.5, side), (-0.5, side))
        .x_range(-0.5, side)
        .y_range(-0.5, side)
        .equal_aspect()
        .size(640, 640);
    // The first class is at the top.
    if n <= 2 * SHOWN {
        plot = plot.x_names(classes.iter().cloned()).y_names(classes.iter().rev().cloned());
        for (at, (&count, &share)) in counts.iter().zip(&shares).enumerate().filter(|c| *c.1.0 > 0)
        {
            let place = ((at % n) as f64, (n - 1 - at / n) as f64);
            plot = plot.text(place, count.to_string(), share < LIGHT);
        }
    }
    plot
}

/// A curve with fewer points, its ends among them.
fn thinned(curve: &Curve) -> Vec<(f64, f64)> {
    let points = &curve.points;
    let step = points.len().div_ceil(POINTS).max(1);
    let last = points.last().filter(|_| !points.len().is_multiple_of(step) || step > 1);
    points.iter().step_by(step).chain(last).copied().collect()
}

/// The curves of classes, with their areas in the legend.
fn curves<'a>(
    mut plot: Plot,
    by_class: &'a ByClass,
    of: impl Fn(&'a crate::evaluate::ClassMetrics) -> Option<&'a Curve>,
) -> Plot {
    for class in by_class.classes.iter().take(SHOWN) {
        if let Some(curve) = of(class) {
            let name = format!("{} ({:.3})", class.class, curve.area);
            plot = plot.with(Series::line(name, thinned(curve)));
        }
    }
    plot.x_range(0.0, 1.0).y_range(0.0, 1.02)
}

/// A title with the mean area.
fn titled(title: &str, what: &str, averages: Option<Averages>) -> String {
    match averages {
        Some(found) => format!("{title}: mean {what} {:.4}", found.by_class),
        None => title.to_owned(),
    }
}

/// The ROC curves of the first ten classes, each against all others.
pub fn roc_curves(title: &str, by_class: &ByClass) -> Plot {
    let title = titled(title, "area", by_class.roc_area);
    let plot = Plot::new(title, "false positive rate", "true positive rate")
        .with(Series::dashed("chance", [(0.0, 0.0), (1.0, 1.0)]));
    curves(plot, by_class, |class| class.roc.as_ref())
}

/// The precision–recall curves of the first ten classes, each against all others.
pub fn precision_recall_curves(title: &str, by_class: &ByClass) -> Plot {
    let title = titled(title, "average precision", by_class.average_precision);
    curves(Plot::new(title, "recall", "precision"), by_class, |class| {
        class.precision_recall.as_ref()
    })
}

/// A reliability diagram: the accuracy of examples by their confidence, in bins of equal mass.
pub fn reliability_diagram(title: &str, found: &Classification) -> Plot {
    let bins = found.reliability.iter();
    let points: Vec<(f64, f64)> = bins.map(|bin| (bin.confidence, bin.accuracy)).collect();
    let title = format!("{title}: expected calibration error {:.4}", found.calibration_error);
    Plot::new(title, "confidence", "accuracy")
        .with(Series::dashed("calibrated", [(0.0, 0.0), (1.0, 1.0)]))
        .with(Series::line("bins of equal mass", points.clone()))
        .with(Series::points("", points).group(1))
        .x_range(0.0, 1.0)
        .y_range(0.0, 1.02)
}
