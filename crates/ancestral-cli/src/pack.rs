//! `pack`: copies the settings and weights of a run into a folder to share.

use ancestral::run::{RunFolder, Weights};
use ancestral_data::DataError;
use anyhow::Result;
use serde_json::json;

use crate::args::PackArgs;
use crate::inputs;
use crate::output::{self, say, shown};

pub(crate) fn run(args: &PackArgs) -> Result<()> {
    let weights = inputs::weights(&args.weights)?;
    if weights == Weights::Best {
        inputs::say_behind(&args.run, args.output)?;
    }
    let (packed, info) = RunFolder::open(&args.run)?.pack(
        &args.out,
        (&ancestral::Registry::standard(), &ancestral::spec::cpu()),
        weights,
        args.half,
    )?;
    let file = packed.path().join("model.safetensors");
    let bytes = file.metadata().map_err(|e| DataError::io("read", &file, e))?.len();
    if args.output.json {
        return output::json(&json!({
            "run": shown(&args.run), "model": packed.config.model, "step": info.step, "half": args.half,
            "bytes": bytes, "out": shown(&args.out),
        }));
    }
    if !args.output.quiet {
        let kind = if args.half { "16-bit floats" } else { "as they were" };
        say!(
            "weights of {} (step {}), {kind}: {:.2} MB",
            packed.config.model,
            info.step,
            bytes as f64 / 1e6
        )?;
    }
    output::wrote(args.output, &args.out)
}
