//! Loss and validation over epochs.

use ancestral_plot::{Plot, Series};

use crate::train::Event;

/// The learning curves of a run, each with its name: training loss and validation in one plot,
/// and a validation metric of another scale in a plot of its own.
pub fn curves(title: &str, events: &[Event]) -> Vec<(&'static str, Plot)> {
    let has = |name: &str| {
        let mut entries = events.iter().filter_map(Event::entry);
        entries.any(|entry| entry.values.iter().any(|(n, _)| n == name))
    };
    let unit = if has("squared_error") {
        "squared error per example"
    } else if has("critic_loss") {
        "loss"
    } else {
        "nats per example"
    };
    let mut plots = Vec::new();
    let mut series = Vec::new();
    for (kind, name, label) in [
        ("train", "loss", if has("critic_loss") { "generator loss" } else { "training loss" }),
        ("train", "critic_loss", "critic loss"),
        ("valid", "negative_elbo", "validation, negative ELBO"),
        ("valid", "negative_bound", "validation, negative bound of several samples"),
        ("valid", "nll", "validation, exact"),
        ("valid", "orderless_nll", "validation, mean over orderings"),
        ("valid", "squared_error", "validation, squared error"),
        ("valid", "cross_entropy", "validation, cross-entropy"),
        ("valid", "class_nll", "validation, −log p(class | example)"),
    ] {
        let points = points(events, kind, name);
        if !points.is_empty() {
            series.push(Series::line(label, points));
        }
    }
    if !series.is_empty() {
        let plot = Plot::new(title, "epoch", unit);
        plots.push(("curves", series.into_iter().fold(plot, Plot::with)));
    }
    for (name, unit) in [
        ("frechet_distance", "Fréchet distance of features, validation split"),
        ("chamfer_distance", "Chamfer distance, validation split"),
        ("energy_distance", "energy distance, validation split"),
    ] {
        let points = points(events, "valid", name);
        if !points.is_empty() {
            let plot = Plot::new(title, "epoch", unit).with(Series::line("", points));
            plots.push(("validation", plot));
        }
    }
    plots
}

/// A metric over epochs.
fn points(events: &[Event], kind: &str, name: &str) -> Vec<(f64, f64)> {
    let entries = events.iter().filter(|event| event.kind() == kind).filter_map(Event::entry);
    entries
        .filter_map(|entry| {
            let value = entry.values.iter().find(|(n, _)| n == name)?;
            Some((entry.epoch, value.1))
        })
        .collect()
}
