//! Names from the list of models, for shell completion.

use std::collections::BTreeSet;
use std::ffi::OsStr;

use ancestral::Registry;
use ancestral::model::{Learning, ModelEntry, Task};
use ancestral::settings::Settings;
use ancestral::train::TrainConfig;
use clap::builder::{PossibleValue, StringValueParser, TypedValueParser};
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

use crate::harmless::harmless;

/// Accepts any text and offers names for completion; the library reports unknown names with a
/// suggestion. A name in other letters, as in VAE or pixel_cnn, is taken for the one that it means.
#[derive(Clone)]
pub(crate) struct Names(pub(crate) fn() -> Vec<String>);

impl TypedValueParser for Names {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        let given = StringValueParser::new().parse_ref(command, arg, value)?;
        let plain = given.to_lowercase().replace('_', "-");
        let known =
            if plain == given { None } else { (self.0)().into_iter().find(|n| *n == plain) };
        Ok(known.unwrap_or(given))
    }

    fn possible_values(&self) -> Option<Box<dyn Iterator<Item = PossibleValue> + '_>> {
        Some(Box::new((self.0)().into_iter().map(PossibleValue::new)))
    }
}

/// The name or path of data: text, since the settings of a run hold it.
#[derive(Clone)]
pub(crate) struct Place;

impl TypedValueParser for Place {
    type Value = String;

    fn parse_ref(
        &self,
        command: &Command,
        arg: Option<&Arg>,
        value: &OsStr,
    ) -> Result<String, Error> {
        if let Some(text) = value.to_str() {
            return Ok(text.to_owned());
        }
        let flag = arg.map_or(String::new(), |arg| format!("{arg}: "));
        let value = value.to_string_lossy();
        let text = format!(
            "{flag}'{value}' is not UTF-8, and the settings of a run, which are text, could not \
             name it; rename it, or give a link to it\n"
        );
        Err(Error::raw(ErrorKind::InvalidUtf8, harmless(&text)).with_cmd(command))
    }
}

fn of_models<T: Ord>(names: impl Fn(&ModelEntry) -> Vec<T>) -> Vec<T> {
    let found: BTreeSet<T> = Registry::standard().entries().iter().flat_map(names).collect();
    found.into_iter().collect()
}

fn learning(how: Learning) -> Vec<String> {
    of_models(|m| if m.learning == how { vec![m.name.to_owned()] } else { Vec::new() })
}

/// All models.
pub(crate) fn models() -> Vec<String> {
    of_models(|m| vec![m.name.to_owned()])
}

/// Models that are trained by gradient steps.
pub(crate) fn trained() -> Vec<String> {
    learning(Learning::GradientSteps)
}

/// Models that are fitted in closed form or by a solver, and the choice among families.
pub(crate) fn fitted() -> Vec<String> {
    let of_fit = |m: &ModelEntry| m.learning == Learning::Fit && m.tasks != [Task::Clustering];
    let mut names = of_models(|m| if of_fit(m) { vec![m.name.to_owned()] } else { Vec::new() });
    names.insert(0, "auto".to_owned());
    names
}

/// The presets of all models.
pub(crate) fn presets() -> Vec<String> {
    of_models(|m| m.presets.iter().map(|preset| preset.name.to_owned()).collect())
}

/// The settings of all models and of training, each as `name=`.
pub(crate) fn settings() -> Vec<String> {
    let mut names = of_models(|m| (m.fields)().iter().map(|f| format!("{}=", f.name)).collect());
    names.extend(TrainConfig::fields().iter().map(|field| format!("{}=", field.name)));
    names.sort();
    names.dedup();
    names
}
