//! What one pixel of an image sees in each of the models of pixels: the pixels whose change would
//! change its probability, found by gradients.

use ancestral_data::{Batch, Domain, Shape};
use ancestral_plot::{Image, color_bar, heat_between};
use serde_json::{Value, json};
use toml::Table;

use super::spec::{ExplainSpec, Explanation};
use super::work::stoppable;
use crate::model::{DataSpec, Init, input_gradients};
use crate::registry::Registry;
use crate::run::Session;
use crate::{Error, Result};

/// The models, and layers enough that those of filters reach every corner.
const MODELS: [(&str, i64); 4] =
    [("pixel-cnn", 12), ("gated-pixel-cnn", 12), ("row-lstm", 1), ("diagonal-bilstm", 1)];
/// Height and width of the images, and the pixel.
const SIZE: [usize; 2] = [17, 27];
const PIXEL: [usize; 2] = [10, 13];
/// Random images over which gradients are averaged.
const IMAGES: usize = 8;

/// Screen pixels of an image's pixel.
const CELL: usize = 10;
/// The weakest gradient that has a color of its own, as a share of the strongest, by its decimal
/// logarithm.
const WEAKEST: f64 = -6.0;
/// The colors of the pixel itself, of those drawn before it that it does not see, and of those drawn
/// later.
const ITSELF: [u8; 3] = [0; 3];
const UNSEEN: [u8; 3] = [230, 110, 0];
const LATER: [u8; 3] = [226, 230, 236];

/// What one pixel sees.
#[derive(Debug, Clone, PartialEq)]
pub struct ReceptiveField {
    /// The model.
    pub model: String,
    /// The number of its layers.
    pub layers: usize,
    /// Height and width of the images.
    pub size: [usize; 2],
    /// Row and column of the pixel.
    pub pixel: [usize; 2],
    /// The mean size of the gradient of its log-probability with respect to each pixel, in nats per
    /// unit, `[height, width]`; exactly 0 for pixels that it does not see.
    pub gradients: Vec<f64>,
}

impl ReceptiveField {
    /// Pixels that are drawn before it.
    pub fn before(&self) -> usize {
        self.pixel[0] * self.size[1] + self.pixel[1]
    }

    /// Pixels that it sees.
    pub fn seen(&self) -> usize {
        self.gradients.iter().filter(|gradient| **gradient != 0.0).count()
    }
}

/// What one pixel of binary images sees in a model with its initial weights, by gradients on random
/// images.
///
/// # Errors
/// If there is no such model or pixel, a setting is not allowed, or the model has no gradients with
/// respect to its inputs.
pub fn receptive_field(
    registry: &Registry,
    (model, settings): (&str, &Table),
    size: [usize; 2],
    pixel: [usize; 2],
    init: &Init,
) -> Result<ReceptiveField> {
    let [height, width] = size;
    if pixel[0] >= height || pixel[1] >= width {
        let pixel = format!("{}, {}", pixel[0], pixel[1]);
        return Err(Error::setting("pixel", pixel, format!("images are of {height}×{width}")));
    }
    let data = DataSpec::new(Domain::Binary, Shape::image(1, height, width), 0);
    let built = registry.build(model, settings, &data, init)?;
    let area = height * width;
    let indices: Vec<u64> = (0..IMAGES as u64).collect();
    let uniforms = init.streams.purpose("explain images", 0).uniforms(&indices, area);
    let images = uniforms.into_iter().map(|u| f64::from(u8::from(u < 0.5))).collect();
    let column = pixel[0] * width + pixel[1];
    let found = input_gradients(built.as_ref(), &Batch::of(images, IMAGES), column)?;
    let found = found.ok_or_else(|| Error::Unsupported {
        model: model.to_owned(),
        problem: "has no gradients with respect to its inputs".to_owned(),
    })?;
    let mut gradients = vec![0.0; area];
    for image in found.chunks_exact(area) {
        gradients.iter_mut().zip(image).for_each(|(sum, g)| *sum += g.abs() / IMAGES as f64);
    }
    let layers = built.settings().get("layers").and_then(toml::Value::as_integer).unwrap_or(0);
    Ok(ReceptiveField {
        model: model.to_owned(),
        layers: usize::try_from(layers).unwrap_or(0),
        size,
        pixel,
        gradients,
    })
}

/// Draws what the pixel sees in each model, side by side.
pub(super) fn explain(session: &mut Session<'_>, spec: &ExplainSpec) -> Result<Explanation> {
    spec.make_folder()?;
    let (registry, device) = (session.registry().clone(), session.device().clone());
    let fields: Vec<ReceptiveField> = stoppable(session, "computing gradients", |progress| {
        let mut fields = Vec::new();
        for (i, (model, layers)) in MODELS.into_iter().enumerate() {
            // Smooth activations, so that no gradient is 0 by chance.
            let mut settings = Table::new();
            settings.insert("layers".to_owned(), layers.into());
            settings.insert("hidden".to_owned(), 8.into());
            settings.insert("head".to_owned(), 8.into());
            settings.insert("activation".to_owned(), "softplus".into());
            let init = Init::new(&device, spec.seed());
            let asked = (model, &settings);
            fields.push(receptive_field(&registry, asked, SIZE, PIXEL, &init)?);
            progress((i + 1) as f64 / MODELS.len() as f64)?;
        }
        Ok(fields)
    })?;
    image(&fields).save_png(spec.out.join("receptive-field.png"))?;
    let metric = |field: &ReceptiveField| {
        json!({
            "model": field.model, "layers": field.layers, "before": field.before(),
            "seen": field.seen(),
        })
    };
    let metrics = Value::Array(fields.iter().map(metric).collect());
    Ok(spec.found(lines(&fields), metrics, &["receptive-field.png"]))
}

fn lines(fields: &[ReceptiveField]) -> Vec<String> {
    let [[height, width], [row, column]] = [SIZE, PIXEL];
    let mut lines = vec![
        format!(
            "What the pixel in row {row}, column {column} of {height}×{width} images sees, by gradients of its \
             log-probability"
        ),
        "with respect to each pixel, at initial weights (receptive-field.png):".to_owned(),
        "model             layers   sees   of pixels before it".to_owned(),
    ];
    for field in fields {
        let ReceptiveField { model, layers, .. } = field;
        let (seen, before) = (field.seen(), field.before());
        lines.push(format!("{model:<16} {layers:>7} {seen:>6} {before:>21}"));
    }
    lines.push(
        "Stacked masked filters leave a blind spot above to the right, however many layers there are; \
         a vertical and a horizontal stack (gated) have none."
            .to_owned(),
    );
    lines.push(
        "A row LSTM sees a triangle, one column more on each side per row; two diagonal scans see \
         every pixel before, in one layer."
            .to_owned(),
    );
    lines
}

fn image(fields: &[ReceptiveField]) -> Image {
    let panel = |field: &ReceptiveField| {
        let highest = field.gradients.iter().copied().fold(0.0, f64::max).max(f64::MIN_POSITIVE);
        let share = |gradient: &f64| (gradient / highest).log10();
        let shares: Vec<f64> = field.gradients.iter().map(share).collect();
        let width = field.size[1];
        let mut image = heat_between(&shares, width, WEAKEST, 0.0);
        for (at, share) in shares.iter().enumerate() {
            let color = match at {
                at if at == field.before() => ITSELF,
                _ if share.is_finite() => continue,
                at if at < field.before() => UNSEEN,
                _ => LATER,
            };
            image.fill(at % width, at / width, 1, 1, color);
        }
        let title = format!("{}: {} of {}", field.model, field.seen(), field.before());
        (title, image.enlarged(CELL))
    };
    let panels: Vec<(String, Image)> = fields.iter().map(panel).collect();
    let panels: Vec<(&str, Image)> =
        panels.iter().map(|(title, image)| (title.as_str(), image.clone())).collect();
    let square = |color| Image::filled(36, 18, color);
    let legend = Image::hstack(&[
        ("the pixel", square(ITSELF)),
        ("drawn before it, not seen", square(UNSEEN)),
        ("drawn later", square(LATER)),
        ("seen: log₁₀ of the gradient, relative to the largest", color_bar(WEAKEST, 0.0, 90)),
    ]);
    Image::vstack(&[("", Image::hstack(&panels)), ("", legend)]).with_margin(8)
}
