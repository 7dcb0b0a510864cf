//! `reproduce gan-table`: every adversarial network with the same networks and budget, its samples
//! measured beside the test split; a table that grows, and can be stopped and gone on with.

use std::path::{Path, PathBuf};

use ancestral::adversarial::presets;
use ancestral::evaluate::Quality;
use ancestral::train::{RunFolder, StopReason};
use ancestral_data::write_atomic;
use anyhow::{Context, Result};
use clap::Parser;
use serde::{Deserialize, Serialize};

use crate::args::{Args, Command, EvaluateArgs, ReproduceArgs, TrainArgs};
use crate::output::{self, say, usage};
use crate::{quality, train};

/// The row's name among those of `reproduce`.
pub(crate) const NAME: &str = "gan-table";

/// Models that are run with three seeds on MNIST and one on Fashion-MNIST, with the published
/// Inception FID of the best of 100 settings (Lucic et al. 2018, arXiv:1711.10337, table 4).
const REPEATED: [(&str, f64, f64); 6] = [
    ("gan", 9.8, 29.6),
    ("ns-gan", 6.8, 26.5),
    ("lsgan", 7.8, 30.7),
    ("wgan", 6.7, 21.5),
    ("wgan-gp", 20.3, 24.5),
    ("dragan", 7.6, 27.7),
];
/// The same of models that are run once.
const ONCE: [(&str, f64, f64); 2] = [("began", 13.1, 22.9), ("vae", 23.8, 58.7)];

/// One run.
#[derive(Debug, Clone)]
struct Entry {
    model: &'static str,
    data: &'static str,
    seed: u64,
}

impl Entry {
    fn folder(&self) -> String {
        format!("{}-{}-{}", self.model, self.data, self.seed)
    }

    /// What is behind `ancestral train`.
    fn command(&self) -> String {
        let settings = if self.model == "vae" {
            // As many examples as a generator sees, with the loss of its likelihood.
            "--binarize dynamic --set latent_dims=[50] --batch-size 64 --steps 4000"
        } else {
            "--preset compare"
        };
        format!("{} --data {} {settings} --seed {}", self.model, self.data, self.seed)
    }

    fn published(&self) -> Option<f64> {
        let (_, mnist, fashion) =
            REPEATED.iter().chain(&ONCE).find(|(model, ..)| *model == self.model)?;
        Some(if self.data == "mnist" { *mnist } else { *fashion })
    }
}

/// All runs: what says most comes first.
fn entries() -> Vec<Entry> {
    let mut entries: Vec<Entry> = presets::entries()
        .iter()
        .map(|entry| Entry { model: entry.name, data: "mnist", seed: 0 })
        .collect();
    entries.push(Entry { model: "vae", data: "mnist", seed: 0 });
    for (data, seed) in [("fashion-mnist", 0), ("mnist", 1), ("mnist", 2)] {
        entries.extend(REPEATED.map(|(model, ..)| Entry { model, data, seed }));
    }
    entries.push(Entry { model: "vae", data: "fashion-mnist", seed: 0 });
    entries
}

/// What is kept of a finished run.
#[derive(Debug, Serialize, Deserialize)]
struct Measured {
    command: String,
    steps: u64,
    /// None of a model without a critic.
    #[serde(default)]
    critic_updates: Option<u64>,
    seconds: f64,
    /// Of the best weights by validation and of the last, where they differ.
    figures: Vec<(String, Quality)>,
}

pub(crate) fn run(args: &ReproduceArgs, data_dir: Option<&Path>) -> Result<()> {
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs/reproduce-gan-table"));
    let talk = !args.output.quiet && !args.output.json;
    let mut rows: Vec<(Entry, Measured)> = Vec::new();
    for entry in entries() {
        let path = out.join(entry.folder());
        let kept = path.join("quality.json");
        let measured: Measured = match std::fs::read(&kept) {
            Ok(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{}: delete it to measure anew", kept.display()))?,
            Err(_) => {
                let command = format!("ancestral train {}", entry.command());
                if talk {
                    say!("{command} --out {}", path.display())?;
                }
                let mut typed = train_args(&entry, &path)?;
                typed.output = args.output;
                let (training, _, outcome) = train::session(&typed, data_dir)?;
                drop(training);
                if outcome.reason == StopReason::Interrupted {
                    if talk {
                        say!(
                            "stopped; go on with: ancestral reproduce {NAME} --out {}",
                            out.display()
                        )?;
                    }
                    return Err(output::Interrupted.into());
                }
                let figures = quality::figures(&evaluate_args(&entry, &path)?, &path, data_dir)?;
                let (steps, seconds) = (outcome.step, outcome.seconds);
                let critic_updates = critic_steps(&path)?.map(|times| times * steps);
                let measured = Measured { command, steps, critic_updates, seconds, figures };
                write_atomic(&kept, &serde_json::to_vec_pretty(&measured)?)?;
                measured
            }
        };
        rows.push((entry, measured));
        write_atomic(out.join("table.md"), table(&rows).as_bytes())?;
        if talk && let Some((entry, measured)) = rows.last() {
            for (weights, q) in &measured.figures {
                say!("{} ({weights}): {:.2}", entry.folder(), q.frechet_distance)?;
            }
        }
    }
    if args.output.json {
        let measured: Vec<&Measured> = rows.iter().map(|(_, measured)| measured).collect();
        return output::json(&measured);
    }
    say!("{}", out.join("table.md").display())
}

/// Updates of the critic for each of the generator in a run; none of a model without a critic.
fn critic_steps(path: &Path) -> Result<Option<u64>> {
    let run = RunFolder::open(path)?;
    let times = run.config.settings.get("critic_steps").and_then(|times| times.as_integer());
    Ok(times.and_then(|times| u64::try_from(times).ok()))
}

/// The row's command, or the one that goes on with its run.
fn train_args(entry: &Entry, path: &Path) -> Result<TrainArgs> {
    let path_word = path.display().to_string();
    let mut words = vec!["ancestral".to_owned(), "train".to_owned()];
    if path.exists() {
        words.extend(["--resume".to_owned(), path_word]);
    } else {
        words.extend(entry.command().split_whitespace().map(str::to_owned));
        words.extend(["--out".to_owned(), path_word]);
    }
    match Args::try_parse_from(words).context("a row's command is broken")?.command {
        Command::Train(args) => Ok(*args),
        _ => Err(usage("a row's command does not train")),
    }
}

fn evaluate_args(entry: &Entry, path: &Path) -> Result<EvaluateArgs> {
    let path = path.display().to_string();
    let mut words = vec!["ancestral", "evaluate", &path, "--quality", "--quiet"];
    if entry.model == "vae" {
        // Beside grey pictures, as all others.
        words.push("--mean");
    }
    match Args::try_parse_from(words).context("the measuring command is broken")?.command {
        Command::Evaluate(args) => Ok(args),
        _ => Err(usage("the measuring command does not evaluate")),
    }
}

/// The rows so far, as Markdown.
fn table(rows: &[(Entry, Measured)]) -> String {
    let mut text = "| model | data | seed | weights | Fréchet distance | precision | recall | \
                    density | coverage | classes | class or code | generator updates | critic \
                    updates | time | published FID |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (entry, measured) in rows {
        let published = entry.published().map_or(String::new(), |fid| format!("{fid}"));
        for (weights, q) in &measured.figures {
            let agreement = q.class_agreement.or(q.code_agreement);
            let c = &q.coverage;
            text += &format!(
                "| `{}` | {} | {} | {weights} | {:.2} | {:.3} | {:.3} | {:.3} | {:.3} | {} | {} | {} \
                 | {} | {} | {published} |\n",
                entry.model,
                entry.data,
                entry.seed,
                q.frechet_distance,
                c.precision,
                c.recall,
                c.density,
                c.coverage,
                q.classes_found,
                agreement.map_or(String::new(), |share| format!("{share:.3}")),
                measured.steps,
                measured.critic_updates.map_or(String::new(), |updates| updates.to_string()),
                train::duration(measured.seconds),
            );
        }
    }
    text
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;

    #[test]
    fn every_run_has_a_command_and_a_folder_of_its_own() {
        let entries = entries();
        assert_eq!(entries.len(), 15 + 1 + 18 + 1);
        for (i, entry) in entries.iter().enumerate() {
            train_args(entry, Path::new("nowhere")).unwrap();
            evaluate_args(entry, Path::new("nowhere")).unwrap();
            assert!(entries[..i].iter().all(|other| other.folder() != entry.folder()));
            assert!(ancestral::Registry::standard().find(entry.model).is_ok());
        }
    }
}
