//! The registry of models: the only file that imports all families.

use burn::tensor::DType;
use toml::Table;

use crate::model::{DataSpec, Init, Learning, Lowered, Model, ModelEntry, Size, setting_to_lower};
use crate::optim::Rule;
use crate::{Error, Result, memory};
use crate::{
    adversarial, autoencoder, autoregressive, classifier, clustering, distributions, regression,
};

/// Models by name.
#[derive(Clone)]
pub struct Registry {
    entries: Vec<ModelEntry>,
    /// The memory limit of a model in bytes; by default the available memory.
    memory_limit: Option<u64>,
}

/// The default batch size of training.
const USUAL_BATCH: f64 = 100.0;

/// The settings of training that its memory depends on.
#[derive(Debug, Clone, Copy)]
pub struct StepPlan {
    /// Examples per batch.
    pub batch_size: usize,
    /// The update rule.
    pub rule: Rule,
    /// Whether an average of the weights is kept.
    pub averaged: bool,
}

impl Registry {
    /// The models of this crate.
    pub fn standard() -> Self {
        let mut entries = vec![
            autoregressive::nade::entry(),
            autoregressive::rnade::entry(),
            autoregressive::deep_nade::entry(),
            autoregressive::made::entry(),
            autoregressive::fvsbn::entry(),
            autoregressive::pixel_cnn::entry(),
            autoregressive::gated_pixel_cnn::entry(),
            autoregressive::row_lstm::entry(),
            autoregressive::diagonal_bilstm::entry(),
            autoencoder::ae::entry(),
            autoencoder::vae::entry(),
            autoencoder::vae::iwae_entry(),
        ];
        entries.extend(adversarial::presets::entries());
        entries.extend([
            distributions::gaussian::entry(),
            distributions::bernoulli::entry(),
            distributions::categorical::entry(),
            distributions::multinomial::entry(),
            distributions::dirichlet::entry(),
            distributions::gmm::entry(),
            distributions::bernoulli_mixture::entry(),
            distributions::kde::entry(),
            classifier::features::entry(),
            classifier::logistic::entry(),
            classifier::qda::entry(),
            classifier::lda::entry(),
            classifier::naive_bayes::entry(),
            regression::linear::entry(),
        ]);
        entries.extend(distributions::fitted::entries());
        entries.extend(clustering::entries());
        Self { entries, memory_limit: None }
    }

    /// The registry with one more model, which replaces a model of the same name.
    #[must_use]
    pub fn with(mut self, entry: ModelEntry) -> Self {
        self.entries.retain(|other| other.name != entry.name);
        self.entries.push(entry);
        self
    }

    /// The registry with a memory limit for models in bytes, instead of the available memory.
    #[must_use]
    pub fn with_memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }

    /// All entries.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries
    }

    /// The models as a table in Markdown: names, tasks, columns, training and capabilities; models
    /// that agree in all of these share a row.
    pub fn markdown(&self) -> String {
        let mut rows: Vec<(String, String)> = Vec::new();
        for entry in &self.entries {
            let tasks: Vec<&str> = entry.tasks.iter().map(|task| task.as_str()).collect();
            let kinds: Vec<&str> = entry.kinds.iter().map(|kind| kind.as_str()).collect();
            let can: Vec<String> = entry.capabilities.iter().map(|can| can.describe()).collect();
            let rest = format!(
                "{} | {} | {} | {}",
                tasks.join(", "),
                kinds.join(", "),
                entry.learning.as_str(),
                can.join(", ")
            );
            let name = format!("`{}`", entry.name);
            match rows.iter_mut().find(|(_, other)| *other == rest) {
                Some((names, _)) => *names += &format!(", {name}"),
                None => rows.push((name, rest)),
            }
        }
        let head = "| model | task | columns | trained with | supports |\n|---|---|---|---|---|\n";
        let row = |(names, rest): &(String, String)| format!("| {names} | {rest} |\n");
        head.to_owned() + &rows.iter().map(row).collect::<String>()
    }

    /// The entry of a model.
    ///
    /// # Errors
    /// If there is none, with the nearest name.
    pub fn find(&self, name: &str) -> Result<&ModelEntry> {
        let names: Vec<&'static str> = self.entries.iter().map(|entry| entry.name).collect();
        self.entries.iter().find(|entry| entry.name == name).ok_or_else(|| Error::Unknown {
            what: "model",
            name: name.to_owned(),
            hint: match crate::settings::nearest(name, &names) {
                Some(near) => format!("did you mean '{near}'?"),
                None => format!("the models are {}", names.join(", ")),
            },
        })
    }

    /// The size of a model with these settings.
    ///
    /// # Errors
    /// If there is none, the data does not suit it, or a setting is not allowed.
    pub fn size(&self, name: &str, settings: &Table, data: &DataSpec) -> Result<Size> {
        (self.suited(name, data)?.size)(settings, data)
    }

    /// Builds a model with its initial weights.
    ///
    /// # Errors
    /// If there is none, the data does not suit it, a setting is not allowed, or memory does not
    /// suffice.
    pub fn build(
        &self,
        name: &str,
        settings: &Table,
        data: &DataSpec,
        init: &Init,
    ) -> Result<Box<dyn Model>> {
        let entry = self.suited(name, data)?;
        // Some initial weights are copied once.
        let copies = if init.dtype == DType::F64 { 4 } else { 2 };
        let cost = |size: &Size| size.bytes().saturating_mul(copies);
        self.check(entry, (settings, data), entry.name, &cost, &[])?;
        (entry.build)(settings, data, init)
    }

    /// Refuses training that needs more memory than available; does nothing for models that are
    /// fitted in one call.
    ///
    /// # Errors
    /// As [`Registry::size`], and if memory does not suffice, naming the setting to lower.
    pub fn check_training(
        &self,
        name: &str,
        settings: &Table,
        data: &DataSpec,
        plan: StepPlan,
    ) -> Result<()> {
        let entry = self.suited(name, data)?;
        if entry.learning == Learning::Fit {
            return Ok(());
        }
        let StepPlan { batch_size, rule, averaged } = plan;
        let bytes = |size: &Size, batch| size.training_bytes(batch, rule, averaged);
        let cost = bytes(&(entry.size)(settings, data)?, (batch_size / 2).max(1));
        let above = batch_size as f64 / USUAL_BATCH;
        let half = Lowered { name: "batch_size", cost, above };
        let what = format!("training {} with batches of {batch_size}", entry.name);
        let cost = |size: &Size| bytes(size, batch_size);
        self.check(entry, (settings, data), &what, &cost, &[half])
    }

    /// Refuses a fit that needs more memory than available; does nothing for models that are trained by
    /// gradient steps.
    ///
    /// # Errors
    /// As [`Registry::check_training`].
    pub fn check_fit(
        &self,
        name: &str,
        settings: &Table,
        data: &DataSpec,
        examples: usize,
    ) -> Result<()> {
        let entry = self.suited(name, data)?;
        if entry.learning == Learning::GradientSteps {
            return Ok(());
        }
        let what = format!("fitting {}", entry.name);
        let cost = |size: &Size| size.fit_bytes(examples);
        self.check(entry, (settings, data), &what, &cost, &[])
    }
}

impl Registry {
    /// The entry of a model, if the data suits it.
    fn suited(&self, name: &str, data: &DataSpec) -> Result<&ModelEntry> {
        let entry = self.find(name)?;
        data.check_kinds(name, entry.kinds)
            .map_err(|error| self.with_others(error, entry, data))?;
        Ok(entry)
    }

    /// Refuses a cost in bytes above the limit; `others` are settings that could be lowered in addition
    /// to those of the model.
    fn check(
        &self,
        entry: &ModelEntry,
        (settings, data): (&Table, &DataSpec),
        what: &str,
        cost: &dyn Fn(&Size) -> u64,
        others: &[Lowered],
    ) -> Result<()> {
        let needed = cost(&(entry.size)(settings, data)?);
        let limit = self.memory_limit.or_else(|| memory::limit_for(needed));
        if limit.is_none_or(|limit| needed <= limit) {
            return Ok(());
        }
        let lower = setting_to_lower(entry, settings, data, cost, others);
        memory::check(what, needed, limit, &lower)
    }

    /// Adds to the error the models of the same task that take the data.
    fn with_others(&self, mut error: Error, entry: &ModelEntry, data: &DataSpec) -> Error {
        if let Error::UnsuitableKind { others, .. } = &mut error {
            let takes = |other: &&ModelEntry| {
                other.tasks.first() == entry.tasks.first()
                    && data.check_kinds(other.name, other.kinds).is_ok()
            };
            *others = self.entries.iter().filter(takes).map(|other| other.name).collect();
        }
        error
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}
