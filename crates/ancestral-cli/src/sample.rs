//! `sample`: draws examples into a picture or a file of numbers.

use ancestral::model::SampleRequest;
use ancestral_data::Streams;
use anyhow::Result;
use serde_json::json;

use crate::args::SampleArgs;
use crate::inputs;
use crate::output::{self, usage};

pub(crate) fn run(args: &SampleArgs) -> Result<()> {
    let kind = output::extension(&args.out, &["png", "npy", "csv"])?;
    if args.n == 0 {
        return Err(usage("-n 0: draw at least 1"));
    }
    if !(args.temperature >= 0.0 && args.temperature.is_finite()) {
        return Err(usage(format!("--temperature {}: it must be 0 or more", args.temperature)));
    }
    let loaded = inputs::load(&args.run, &args.weights)?;
    let model = loaded.model.as_ref();
    let sampler =
        model.sampler().ok_or_else(|| usage(format!("{} cannot draw examples", model.name())))?;
    let shape = &model.data().shape;
    let image = shape.as_image();
    if kind == "png" && image.is_none() {
        return Err(usage(format!(
            "--out {}: examples of {shape} are no images; use .csv or .npy",
            args.out.display()
        )));
    }
    let mut values = sampler.sample(&SampleRequest {
        first: 0,
        count: args.n,
        streams: Streams::new(args.seed),
        temperature: args.temperature,
        class: args.class,
        mean: args.mean,
    })?;
    match (kind, image) {
        ("png", Some(shape)) => {
            let top = model.data().domain.max_level().unwrap_or(1) as f32;
            values.iter_mut().for_each(|v| *v /= top);
            let columns = (args.n as f64).sqrt().ceil() as usize;
            output::grid(&values, shape, columns).save_png(&args.out)?;
        }
        ("npy", _) => {
            let dims: Vec<usize> =
                std::iter::once(args.n).chain(shape.dims().iter().copied()).collect();
            output::save_npy(&args.out, &values, &dims)?;
        }
        _ => output::save_csv(&args.out, &loaded.run.column_names(), &values)?,
    }
    if args.output.json {
        return output::json(&json!({
            "model": model.name(), "n": args.n, "seed": args.seed, "out": args.out,
        }));
    }
    output::wrote(args.output, &args.out)?;
    Ok(())
}
