//! Every adversarial network with the same architecture and budget, its samples compared with the
//! test split; the table can be interrupted and resumed.

use std::path::Path;

use ancestral_data::{Binarize, write_atomic};
use serde::{Deserialize, Serialize};

use super::quality::QualitySpec;
use super::recipe::Recipe;
use super::session::Session;
use crate::adversarial::presets;
use crate::evaluate::Quality;
use crate::train::StopReason;
use crate::{Error, Result};

/// Its name among the published results.
pub const GAN_TABLE: &str = "gan-table";

/// Models that are trained with three seeds on MNIST and one on Fashion-MNIST, with the published
/// Inception FID of the best of 100 settings (Lucic et al. 2018, arXiv:1711.10337, table 4).
const REPEATED: [(&str, f64, f64); 6] = [
    ("gan", 9.8, 29.6),
    ("ns-gan", 6.8, 26.5),
    ("lsgan", 7.8, 30.7),
    ("wgan", 6.7, 21.5),
    ("wgan-gp", 20.3, 24.5),
    ("dragan", 7.6, 27.7),
];
/// The same for models that are trained once.
const ONCE: [(&str, f64, f64); 2] = [("began", 13.1, 22.9), ("vae", 23.8, 58.7)];

/// One run.
#[derive(Debug, Clone)]
pub struct GanTableEntry {
    /// The model.
    pub model: &'static str,
    /// The data.
    pub data: &'static str,
    /// The seed.
    pub seed: u64,
}

impl GanTableEntry {
    /// The folder of the run.
    pub fn folder(&self) -> String {
        format!("{}-{}-{}", self.model, self.data, self.seed)
    }

    /// The run.
    pub fn recipe(&self) -> Recipe {
        let seed = Some(self.seed);
        if self.model == "vae" {
            // As many examples as a generator is trained on, with the likelihood as loss.
            return Recipe {
                preset: None,
                binarize: Some(Binarize::Dynamic),
                assign: &["latent_dims=[50]"],
                batch_size: Some(64),
                steps: Some(4000),
                seed,
                ..Recipe::new(self.model, self.data, "")
            };
        }
        Recipe { seed, ..Recipe::new(self.model, self.data, "compare") }
    }

    fn published(&self) -> Option<f64> {
        let (_, mnist, fashion) =
            REPEATED.iter().chain(&ONCE).find(|(model, ..)| *model == self.model)?;
        Some(if self.data == "mnist" { *mnist } else { *fashion })
    }
}

/// All runs, the most informative first.
pub fn gan_table_entries() -> Vec<GanTableEntry> {
    let entry = |model, data, seed| GanTableEntry { model, data, seed };
    let mut entries: Vec<GanTableEntry> =
        presets::entries().iter().map(|of| entry(of.name, "mnist", 0)).collect();
    entries.push(entry("vae", "mnist", 0));
    for (data, seed) in [("fashion-mnist", 0), ("mnist", 1), ("mnist", 2)] {
        entries.extend(REPEATED.map(|(model, ..)| entry(model, data, seed)));
    }
    entries.push(entry("vae", "fashion-mnist", 0));
    entries
}

/// The stored results of a finished run.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct GanTableRow {
    /// The command that trained it.
    pub command: String,
    /// Generator updates.
    pub steps: u64,
    /// Critic updates; `None` for a model without a critic.
    #[serde(default)]
    pub critic_updates: Option<u64>,
    /// Seconds of training.
    pub seconds: f64,
    /// The sample quality of the best weights by validation, and of the last weights where they
    /// differ.
    #[serde(rename = "figures")]
    pub quality: Vec<(String, Quality)>,
}

/// Progress of the table.
#[derive(Debug, Clone, Copy)]
pub enum GanTableProgress<'a> {
    /// A run starts or is resumed.
    Begins {
        /// The command that trains it.
        command: &'a str,
    },
    /// A run was evaluated, now or earlier.
    Measured(&'a GanTableEntry, &'a GanTableRow),
}

impl Session<'_> {
    /// Trains the runs of the table within a folder, or resumes existing ones, and evaluates them;
    /// `table.md` in the folder is rewritten after each, with durations formatted by `duration`.
    ///
    /// # Errors
    /// [`Error::Interrupted`] if the session was stopped; the table can be resumed. Otherwise as
    /// [`Session::train`] and [`Session::quality`].
    pub fn gan_table(
        &mut self,
        out: &Path,
        duration: &dyn Fn(f64) -> String,
        told: &mut dyn FnMut(GanTableProgress<'_>),
    ) -> Result<Vec<GanTableRow>> {
        let mut rows: Vec<(GanTableEntry, GanTableRow)> = Vec::new();
        for entry in gan_table_entries() {
            let path = out.join(entry.folder());
            let kept = path.join("quality.json");
            let row = match std::fs::read(&kept) {
                Ok(bytes) => serde_json::from_slice(&bytes).map_err(|e| {
                    Error::run(&kept, format!("cannot be read ({e}); delete it to measure again"))
                })?,
                Err(_) => {
                    let command = entry.recipe().command(None, &path);
                    told(GanTableProgress::Begins { command: &command });
                    let row = self.gan_table_row(&entry, &path)?;
                    let json = serde_json::to_vec_pretty(&row).unwrap_or_default();
                    write_atomic(&kept, &json)?;
                    row
                }
            };
            told(GanTableProgress::Measured(&entry, &row));
            rows.push((entry, row));
            write_atomic(out.join("table.md"), table(&rows, duration).as_bytes())?;
        }
        Ok(rows.into_iter().map(|(_, row)| row).collect())
    }

    fn gan_table_row(&mut self, entry: &GanTableEntry, path: &Path) -> Result<GanTableRow> {
        let recipe = entry.recipe();
        let trained = self.train_or_resume(&recipe, None, path)?;
        if trained.outcome.reason == StopReason::Interrupted {
            return Err(Error::Interrupted);
        }
        let runs = self.load_weights(path, None)?;
        // The means of a VAE are compared with gray images, like the samples of all others.
        let spec = QualitySpec { mean: entry.model == "vae", ..QualitySpec::default() };
        let samples = self.quality(&runs, &spec)?.samples;
        let steps = trained.outcome.step;
        let times = trained.run.config.settings.get("critic_steps").and_then(|n| n.as_integer());
        let times = times.and_then(|times| u64::try_from(times).ok());
        Ok(GanTableRow {
            command: recipe.words(),
            steps,
            critic_updates: times.map(|times| times * steps),
            seconds: trained.outcome.seconds,
            quality: samples.into_iter().map(|of| (of.weights.to_owned(), of.quality)).collect(),
        })
    }
}

/// The rows so far, as Markdown.
fn table(rows: &[(GanTableEntry, GanTableRow)], duration: &dyn Fn(f64) -> String) -> String {
    let mut text = "| model | data | seed | weights | Fréchet distance | precision | recall | \
                    density | coverage | classes | class or code | generator updates | critic \
                    updates | time | published FID |\n\
                    |---|---|---|---|---|---|---|---|---|---|---|---|---|---|---|\n"
        .to_owned();
    for (entry, row) in rows {
        let published = entry.published().map_or(String::new(), |fid| format!("{fid}"));
        for (weights, q) in &row.quality {
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
                row.steps,
                row.critic_updates.map_or(String::new(), |updates| updates.to_string()),
                duration(row.seconds),
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
    fn every_run_has_a_recipe_and_a_folder_of_its_own() {
        let entries = gan_table_entries();
        assert_eq!(entries.len(), 15 + 1 + 18 + 1);
        for (i, entry) in entries.iter().enumerate() {
            entry.recipe().spec(None, Path::new("nowhere")).unwrap();
            assert!(entries[..i].iter().all(|other| other.folder() != entry.folder()));
            assert!(crate::Registry::standard().find(entry.model).is_ok());
        }
        let vae = &entries[15];
        let words = "ancestral train vae --data mnist --binarize dynamic --batch-size 64 --steps \
                     4000 --set latent_dims=[50] --seed 0";
        assert_eq!(vae.recipe().words(), words);
    }
}
