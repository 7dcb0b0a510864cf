//! `train`: trains a run or resumes one.

use std::path::{Path, PathBuf};

use ancestral::evaluate::{LEAST_VALIDATION, Likelihoods};
use ancestral::run::{
    DataRequest, DataSource, Prepared, Reading, RunFolder, RunSpec, SettingsFile, Storage, Trained,
};
use ancestral::train::{Budget, StopReason};
use ancestral_data::SplitName;
use anyhow::Result;
use serde::Serialize;

use crate::args::{OutputArgs, TrainArgs};
use crate::output::{self, say, usage};
use crate::progress::{self, ProgressReporter, duration};
use crate::{evaluate, inputs};

pub(crate) fn run(args: &TrainArgs, data_dir: Option<&Path>) -> Result<()> {
    if args.device != "cpu" {
        return Err(usage(format!("--device {}: only cpu is supported", args.device)));
    }
    if args.reset_optimizer && args.resume.is_none() {
        return Err(usage("--reset-optimizer requires --resume"));
    }
    let output = args.output;
    let talk = !output.quiet && !output.json;
    let stop = progress::stop_on_interrupt(talk)?;
    let mut watch = ProgressReporter::training(output);
    let mut session = progress::session(data_dir, &mut watch)
        .with_stop_flag(stop)
        .with_fresh_optimizer(args.reset_optimizer);
    let command = output::typed();
    if let Some(from) = &args.from {
        inputs::say_behind(from, output)?;
    }
    let prepared = match &args.resume {
        Some(path) => {
            let budget = budget(args)?.map(|budget| (budget, command.as_str()));
            let prepared = session.prepare_resume(path, budget, args.skip_test)?;
            inputs::say_damaged(path, RunFolder::open(path)?.damaged_events()?, output);
            prepared
        }
        None => session.prepare(&spec(args)?)?,
    };
    if talk {
        announce(&prepared)?;
    }
    let path = prepared.path().map(Path::to_owned).unwrap_or_default();
    let trained = session.train_prepared(prepared).map_err(|error| match error {
        ancestral::Error::RunGone { .. } => anyhow::Error::new(error),
        error => anyhow::Error::new(error)
            .context(format!("training stopped; the last checkpoint is in {}", path.display())),
    })?;
    watch.finish();
    report(output, &path, &trained)
}

/// The run that the options describe.
fn spec(args: &TrainArgs) -> Result<RunSpec> {
    let (image, levels) = inputs::shape(&args.shape)?;
    let Reading { text, no_labels } = inputs::reading(&args.tables)?;
    let mut spec = RunSpec {
        model: args.model.clone(),
        preset: args.preset.clone(),
        file: args.config.as_deref().map(SettingsFile::read).transpose()?,
        from: args.from.clone(),
        data: DataRequest {
            source: args.data.clone().map_or(DataSource::Default, DataSource::Named),
            all_train: args.all_train,
            fold: args.fold,
            resize: args.resize.as_deref().map(inputs::size).transpose()?,
            gray: args.gray,
            background: args.background.as_deref().map(inputs::background).transpose()?,
            text,
            image,
            levels,
            no_labels,
            class: args.class.clone(),
            ..DataRequest::default()
        },
        binarize: args.binarize.as_deref().map(inputs::binarize).transpose()?,
        seed: args.seed,
        storage: match &args.out {
            Some(path) => Storage::Folder(path.clone()),
            None => Storage::Within("runs".into()),
        },
        skip_test: args.skip_test,
        command: output::typed(),
        ..RunSpec::default()
    };
    for text in &args.sets {
        spec.assign(text)?;
    }
    if let Some(n) = args.batch_size {
        let n = i64::try_from(n)
            .map_err(|_| usage(format!("--batch-size {n}: give at most {}", i64::MAX)))?;
        spec.train.insert("batch_size".to_owned(), n.into());
    }
    Ok(match budget(args)? {
        Some(budget) => spec.budget(budget),
        None => spec,
    })
}

/// The budget that the options give, if any.
fn budget(args: &TrainArgs) -> Result<Option<Budget>> {
    if args.epochs.is_none() && args.steps.is_none() && args.time.is_none() {
        return Ok(None);
    }
    for (flag, given) in [("epochs", args.epochs), ("steps", args.steps)] {
        if let Some(n) = given.filter(|&n| n > Budget::MOST) {
            return Err(usage(format!("--{flag} {n}: give at most {}", Budget::MOST)));
        }
    }
    Ok(Some(Budget {
        epochs: args.epochs.unwrap_or(0),
        steps: args.steps.unwrap_or(0),
        seconds: args.time.as_deref().map_or(Ok(0.0), inputs::seconds)?,
    }))
}

fn announce(prepared: &Prepared) -> Result<()> {
    let (config, data, state) = (&prepared.config, &prepared.data, prepared.state());
    say!(
        "{} on {} ({}, {}, {}; binarization {}): {} train, {} valid, {} test",
        config.model,
        config.data.name,
        data.shape,
        data.domain,
        match data.classes() {
            0 => "no labels".to_owned(),
            1 => "1 class".to_owned(),
            n => format!("{n} classes"),
        },
        config.data.binarize,
        data.len(SplitName::Train),
        data.len(SplitName::Valid),
        data.len(SplitName::Test),
    )?;
    if state.step > 0 {
        say!("resuming at step {} (epoch {:.2})", state.step, state.epoch)?;
    }
    match (state.finished, prepared.path()) {
        (true, Some(path)) => say!("{} has already used up its budget", path.display()),
        _ => Ok(()),
    }
}

#[derive(Serialize)]
struct Report<'a> {
    run: String,
    model: &'a str,
    data: &'a str,
    binarize: &'a str,
    finished: bool,
    step: u64,
    epoch: f64,
    seconds: f64,
    /// The name of the validation metric.
    validation: Option<&'a str>,
    best_validation: Option<f64>,
    test: Option<&'a Likelihoods>,
    /// What is wrong with the run, in sentences.
    health: &'a [String],
    samples: Option<String>,
}

/// Prints the results at the end of a run and where they are stored.
fn report(output: OutputArgs, path: &Path, trained: &Trained) -> Result<()> {
    let Trained { run, outcome, validation, test, images, health, .. } = trained;
    let (config, interrupted) = (&run.config, outcome.reason == StopReason::Interrupted);
    let still = |path: &&PathBuf| path.extension().is_some_and(|e| e == "png");
    let samples = images.iter().find(still);
    if output.json {
        output::json(&Report {
            run: output::shown(path),
            model: &config.model,
            data: &config.data.name,
            binarize: &config.data.binarize,
            finished: !interrupted,
            step: outcome.step,
            epoch: outcome.epoch,
            seconds: outcome.seconds,
            validation: validation.as_deref(),
            best_validation: outcome.best.map(|b| b.value),
            test: test.as_ref(),
            health,
            samples: samples.map(|path| output::shown(path)),
        })?;
        return if interrupted { Err(output::Interrupted.into()) } else { Ok(()) };
    }
    if interrupted {
        say!(
            "stopped at step {} (epoch {:.2}); resume with: ancestral train --resume {}",
            outcome.step,
            outcome.epoch,
            path.display()
        )?;
        return Err(output::Interrupted.into());
    }
    if output.quiet {
        return match samples {
            Some(samples) => say!("{}", samples.display()),
            None => say!("{}", path.display()),
        };
    }
    say!("trained {:.1} epochs in {}", outcome.epoch, duration(outcome.seconds))?;
    if outcome.reason == StopReason::EarlyStop {
        say!("stopped early, since validation did not improve")?;
    }
    match (outcome.best, validation) {
        (Some(best), Some(metric)) => say!(
            "best validation {metric} {:.3} at epoch {:.1} (binarization {})",
            best.value,
            best.epoch,
            config.data.binarize
        )?,
        _ => without_validation(trained)?,
    }
    if let Some(found) = test {
        say!("{}", evaluate::sentence(found, "test", &config.data.binarize))?;
    }
    for sentence in health {
        say!("warning: {sentence}")?;
    }
    say!("run      {}", path.display())?;
    for image in images.iter().filter(|image| !still(image)) {
        say!("training {}", image.display())?;
    }
    samples.map_or(Ok(()), |samples| say!("images   {}", samples.display()))
}

/// Prints why the weights of a sampler were not chosen by validation.
fn without_validation(trained: &Trained) -> Result<()> {
    let (run, n) = (&trained.run, trained.validation_examples);
    if run.model().sampler().is_none() || run.model().density().is_some() {
        return Ok(());
    }
    let why = match n {
        0 => "there are no validation examples".to_owned(),
        n if n < LEAST_VALIDATION => {
            format!("evaluating samples takes at least {LEAST_VALIDATION} validation examples")
        }
        _ if run.config.train.validate_every == 0 => "validate_every is 0".to_owned(),
        _ => "the run was begun by an earlier version".to_owned(),
    };
    say!("no validation, so the last weights are used as the best: {why}")
}
