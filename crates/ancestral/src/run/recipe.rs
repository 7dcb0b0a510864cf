//! Training recipes: runs that the library can repeat, with the commands that train them.

use std::path::Path;

use ancestral_data::Binarize;

use super::session::{Session, Trained};
use super::spec::RunSpec;
use crate::Result;
use crate::train::Budget;

/// A training recipe: a run that the library can repeat.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Recipe {
    /// The model.
    pub model: &'static str,
    /// The data.
    pub data: &'static str,
    /// Settings of a paper.
    pub preset: Option<&'static str>,
    /// Binarization, if other than the preset's.
    pub binarize: Option<Binarize>,
    /// Whether to train on the validation examples too.
    pub all_train: bool,
    /// Whether to skip the evaluation on the test split at the end of training.
    pub skip_test: bool,
    /// Settings, as `name=value`.
    pub assign: &'static [&'static str],
    /// Examples per batch, if other than the model's default.
    pub batch_size: Option<u32>,
    /// The budget in epochs.
    pub epochs: Option<u64>,
    /// The budget in steps.
    pub steps: Option<u64>,
    /// The seed, if other than 0.
    pub seed: Option<u64>,
}

impl Recipe {
    /// A model with a preset.
    pub const fn new(model: &'static str, data: &'static str, preset: &'static str) -> Self {
        Self {
            model,
            data,
            preset: Some(preset),
            binarize: None,
            all_train: false,
            skip_test: false,
            assign: &[],
            batch_size: None,
            epochs: None,
            steps: None,
            seed: None,
        }
    }

    /// The command that trains it.
    pub fn command(&self, fold: Option<u32>, out: &Path) -> String {
        let out = out.display();
        format!(
            "{}{} --out {out}",
            self.words(),
            fold.map_or(String::new(), |k| format!(" --fold {k}"))
        )
    }

    /// The command without `--fold` and `--out`.
    pub fn words(&self) -> String {
        let mut text = format!("ancestral train {} --data {}", self.model, self.data);
        let mut add = |flag: &str, value: Option<String>| {
            if let Some(value) = value {
                text += &format!(" --{flag} {value}");
            }
        };
        add("preset", self.preset.map(str::to_owned));
        add("binarize", self.binarize.map(|how| how.to_string()));
        add("batch-size", self.batch_size.map(|n| n.to_string()));
        add("epochs", self.epochs.map(|n| n.to_string()));
        add("steps", self.steps.map(|n| n.to_string()));
        for assignment in self.assign {
            add("set", Some((*assignment).to_owned()));
        }
        add("seed", self.seed.map(|n| n.to_string()));
        for (given, flag) in [(self.all_train, " --all-train"), (self.skip_test, " --skip-test")] {
            text += if given { flag } else { "" };
        }
        text
    }

    /// The run.
    ///
    /// # Errors
    /// If an assignment has no `=`.
    pub fn spec(&self, fold: Option<u32>, out: &Path) -> Result<RunSpec> {
        let mut spec = RunSpec::named(self.model, self.data).out(out);
        spec.preset = self.preset.map(str::to_owned);
        spec.binarize = self.binarize;
        spec.seed = self.seed;
        spec.data.fold = fold;
        spec.data.all_train = self.all_train;
        spec.skip_test = self.skip_test;
        spec.command = self.command(fold, out);
        for assignment in self.assign {
            spec.assign(assignment)?;
        }
        if let Some(n) = self.batch_size {
            spec.train.insert("batch_size".to_owned(), i64::from(n).into());
        }
        if self.epochs.is_some() || self.steps.is_some() {
            let (epochs, steps) = (self.epochs.unwrap_or(0), self.steps.unwrap_or(0));
            spec = spec.budget(Budget { epochs, steps, seconds: 0.0 });
        }
        Ok(spec)
    }
}

impl Session<'_> {
    /// Trains a run in a folder, or resumes an existing one.
    pub(super) fn train_or_resume(
        &mut self,
        recipe: &Recipe,
        fold: Option<u32>,
        path: &Path,
    ) -> Result<Trained> {
        if path.exists() {
            return self.resume(path, None, recipe.skip_test);
        }
        self.train(&recipe.spec(fold, path)?)
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may be as short as it likes")]
mod tests {
    use super::*;

    #[test]
    fn a_command_says_all_of_it() {
        let recipe = Recipe {
            binarize: Some(Binarize::Dynamic),
            assign: &["latent_dims=[50]"],
            steps: Some(4000),
            seed: Some(2),
            all_train: true,
            ..Recipe::new("vae", "mnist", "burda-1l")
        };
        let command = recipe.command(Some(3), Path::new("a/b"));
        let expected = "ancestral train vae --data mnist --preset burda-1l --binarize dynamic \
                        --steps 4000 --set latent_dims=[50] --seed 2 --all-train --fold 3 --out a/b";
        assert_eq!(command, expected);
        let spec = recipe.spec(Some(3), Path::new("a/b")).unwrap();
        assert_eq!((spec.seed, spec.data.fold), (Some(2), Some(3)));
        assert!(spec.data.all_train && !spec.skip_test);
        assert_eq!(spec.train["steps"], toml::Value::Integer(4000));
    }
}
