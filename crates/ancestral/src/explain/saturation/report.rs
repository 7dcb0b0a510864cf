//! The results as text, numbers and plots.

use ancestral_plot::{Plot, Series};
use serde_json::{Value, json};

use super::experiment::{Measurement, Saturation, saturation};
use crate::explain::inputs::open;
use crate::explain::spec::{ExplainSpec, Explanation};
use crate::explain::work::stoppable;
use crate::run::Session;
use crate::{Error, Result};

/// Accuracies of the discriminator; the first measurement at or above each is shown.
const SHARES: [f64; 3] = [0.9, 0.99, 0.999];

/// Trains a discriminator against a frozen generator and compares the gradients of both losses.
pub(in crate::explain) fn explain(
    session: &mut Session<'_>,
    spec: &ExplainSpec,
) -> Result<Explanation> {
    let data = open(session, spec)?;
    spec.make_folder()?;
    let settings = Saturation { seed: spec.seed(), ..Saturation::default() };
    let device = session.device().clone();
    let reached = stoppable(session, "training the discriminator ahead", |progress| {
        saturation(&data, settings, &device, progress)
    })?;
    let (Some(first), Some(last)) = (reached.first(), reached.last()) else {
        return Err(Error::setting("ahead", settings.ahead, "nothing was measured"));
    };
    let marks: Vec<(f64, &Measurement)> = SHARES
        .into_iter()
        .filter_map(|share| Some((share, reached.iter().find(|r| r.correct >= share)?)))
        .collect();

    let mut lines = vec![
        format!(
            "A GAN is trained on {} for {} steps; then the generator is frozen and a new discriminator",
            spec.data(),
            settings.together
        ),
        "is trained alone. Norms of the generator's gradient under both losses (saturation.png):"
            .to_owned(),
        "  steps   D accuracy   mean D(G(z))   E log(1 − D(G(z)))   −E log D(G(z))    ratio"
            .to_owned(),
        row(first),
    ];
    for (_, there) in &marks {
        let line = row(there);
        // One measurement may be the first for two accuracies.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.push(row(last));
    lines.push(format!(
        "The surer D is, the smaller the gradient of the minimax loss: it has the factor \
         D(G(z)) and fell to {:.1e} of what it was; that of −E log D(G(z)) has the factor \
         1 − D(G(z)) and is {:.0} times what it was.",
        last.saturating / first.saturating,
        last.non_saturating / first.non_saturating
    ));

    norms(&reached, marks.last()).save(spec.out.join("saturation.png"))?;
    losses().save(spec.out.join("losses.png"))?;
    let marks: Vec<Value> = marks
        .iter()
        .map(|(share, there)| {
            json!({ "share": share, "step": there.step,
                "ratio": there.saturating / there.non_saturating })
        })
        .collect();
    let measured: Vec<Value> = reached
        .iter()
        .map(|r| {
            json!({ "step": r.step, "correct": r.correct, "seems_real": r.seems_real,
                "saturating": r.saturating, "non_saturating": r.non_saturating })
        })
        .collect();
    let metrics = json!({ "reached": marks, "measured": measured });
    Ok(spec.found(lines, metrics, &["saturation.png", "losses.png"]))
}

/// A measurement as a row of the table.
fn row(r: &Measurement) -> String {
    format!(
        "{:>7} {:>10.2} % {:>14.2e} {:>20.2e} {:>16.2e} {:>8.1e}",
        r.step,
        100.0 * r.correct,
        r.seems_real,
        r.saturating,
        r.non_saturating,
        r.saturating / r.non_saturating
    )
}

/// The norms of both gradients over the steps of the discriminator, with the highest accuracy that
/// it reached.
fn norms(reached: &[Measurement], mark: Option<&(f64, &Measurement)>) -> Plot {
    let mut plot = Plot::new(
        "gradient of a generator while its discriminator comes to dominate",
        "steps of the discriminator, the generator frozen",
        "norm of the generator's gradient",
    );
    type Norm = fn(&Measurement) -> f64;
    let norms: [(&str, Norm); 2] = [
        ("minimize E log(1 − D(G(z)))", |r| r.saturating),
        ("minimize −E log D(G(z))", |r| r.non_saturating),
    ];
    for (i, (name, norm)) in norms.into_iter().enumerate() {
        let points = reached.iter().map(|r| (r.step as f64, norm(r)));
        // Vermilion for the loss that saturates.
        plot = plot.with(Series::line(name, points).group(1 - i));
    }
    if let Some((share, there)) = mark {
        let label = format!("accuracy of D {} %", 100.0 * share);
        plot = plot.vertical_marker(there.step as f64, label);
    }
    plot.log_y()
}

/// Both losses as functions of D(G(z)).
fn losses() -> Plot {
    let curve = |loss: fn(f64) -> f64| {
        (1..400).map(move |i| {
            let d = f64::from(i) / 400.0;
            (d, loss(d))
        })
    };
    Plot::new("both losses of a generator, by how real a sample seems", "D(G(z))", "loss, in nats")
        .with(Series::line("log(1 − D(G(z)))", curve(|d| (1.0 - d).ln())).group(1))
        .with(Series::line("−log D(G(z))", curve(|d| -d.ln())).group(0))
}
