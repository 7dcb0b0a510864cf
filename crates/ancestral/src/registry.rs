//! The list of models: the only file that knows all families.

use toml::Table;

use crate::model::{DataSpec, Init, Model, ModelEntry};
use crate::{Error, Result};
use crate::{adversarial, autoencoder, autoregressive, classifier, distributions};

/// Models by name.
#[derive(Clone)]
pub struct Registry {
    entries: Vec<ModelEntry>,
}

impl Registry {
    /// Those of this crate.
    pub fn standard() -> Self {
        let mut entries = vec![
            autoregressive::nade::entry(),
            autoregressive::rnade::entry(),
            autoregressive::deep_nade::entry(),
            autoregressive::made::entry(),
            autoregressive::fvsbn::entry(),
            autoencoder::ae::entry(),
            autoencoder::vae::entry(),
            autoencoder::vae::iwae_entry(),
        ];
        entries.extend(adversarial::presets::entries());
        entries.extend([
            distributions::gaussian::entry(),
            distributions::bernoulli::entry(),
            classifier::features::entry(),
            classifier::logistic::entry(),
        ]);
        Self { entries }
    }

    /// The same with one more model; one of the same name gives way to it.
    #[must_use]
    pub fn with(mut self, entry: ModelEntry) -> Self {
        self.entries.retain(|other| other.name != entry.name);
        self.entries.push(entry);
        self
    }

    /// All of them.
    pub fn entries(&self) -> &[ModelEntry] {
        &self.entries
    }

    /// The models as a table in Markdown: names, task, columns, how they learn and what they
    /// support; models that are alike in all of it share a row.
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

    /// The model of a name.
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

    /// The model of a name with its first weights.
    ///
    /// # Errors
    /// If there is none, the data does not suit it, or a setting is not allowed.
    pub fn build(
        &self,
        name: &str,
        settings: &Table,
        data: &DataSpec,
        init: &Init,
    ) -> Result<Box<dyn Model>> {
        let entry = self.find(name)?;
        data.check_kinds(name, entry.kinds).map_err(|error| self.with_others(error, data))?;
        (entry.build)(settings, data, init)
    }
}

impl Registry {
    /// The error with the models that do take the data.
    fn with_others(&self, mut error: Error, data: &DataSpec) -> Error {
        if let Error::UnsuitableKind { others, .. } = &mut error {
            let takes = |entry: &&ModelEntry| data.check_kinds(entry.name, entry.kinds).is_ok();
            *others = self.entries.iter().filter(takes).map(|entry| entry.name).collect();
        }
        error
    }
}

impl Default for Registry {
    fn default() -> Self {
        Self::standard()
    }
}
