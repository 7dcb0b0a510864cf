//! The options of a demonstration and its result.

use std::fmt::Display;
use std::path::PathBuf;

use ancestral_data::DataError;
use serde_json::Value;

use super::topic::Topic;
use crate::{Error, Result};

/// The options of a demonstration.
#[derive(Debug, Clone, PartialEq)]
pub struct ExplainSpec {
    /// The topic.
    pub topic: Topic,
    /// The images to train the models on, by name or path; the embedded digits if not given.
    pub data: Option<String>,
    /// Training epochs of the models; the topic's own if not given.
    pub epochs: Option<u64>,
    /// The seed of all random numbers; 0 if not given.
    pub seed: Option<u64>,
    /// The folder for images and runs. Topics that train models need a new one.
    pub out: PathBuf,
}

/// The result of a demonstration.
#[derive(Debug, Clone, PartialEq)]
pub struct Explanation {
    /// Its topic.
    pub topic: Topic,
    /// The results as text.
    pub lines: Vec<String>,
    /// The numbers.
    pub metrics: Value,
    /// The images that were written.
    pub images: Vec<PathBuf>,
}

impl ExplainSpec {
    /// A topic with default options.
    pub fn new(topic: Topic, out: impl Into<PathBuf>) -> Self {
        Self { topic, data: None, epochs: None, seed: None, out: out.into() }
    }

    /// Refuses options that the topic does not use, and an existing folder for runs.
    pub(super) fn check(&self) -> Result<()> {
        let topic = self.topic;
        let refused = |field: &str, value: Option<&dyn Display>| match value {
            Some(value) if !topic.options().contains(&field) => {
                Err(Error::setting(field, value, format!("{topic} does not use it; leave it out")))
            }
            _ => Ok(()),
        };
        refused("data", self.data.as_ref().map(|data| data as _))?;
        refused("epochs", self.epochs.as_ref().map(|epochs| epochs as _))?;
        refused("seed", self.seed.as_ref().map(|seed| seed as _))?;
        if self.epochs == Some(0) {
            return Err(Error::setting("epochs", 0, "its models are trained for 1 or more"));
        }
        if topic.keeps_runs() && self.out.exists() {
            return Err(Error::RunExists { path: self.out.clone() });
        }
        Ok(())
    }

    pub(super) fn data(&self) -> &str {
        self.data.as_deref().unwrap_or("digits")
    }

    pub(super) fn epochs(&self) -> u64 {
        self.epochs.unwrap_or_else(|| self.topic.epochs())
    }

    pub(super) fn seed(&self) -> u64 {
        self.seed.unwrap_or(0)
    }

    /// Creates the folder if it does not exist.
    pub(super) fn make_folder(&self) -> Result<()> {
        std::fs::create_dir_all(&self.out).map_err(|e| DataError::io("make", &self.out, e).into())
    }

    /// The result, with images by their names in the folder.
    pub(super) fn found(&self, lines: Vec<String>, metrics: Value, images: &[&str]) -> Explanation {
        let images = images.iter().map(|image| self.out.join(image)).collect();
        Explanation { topic: self.topic, lines, metrics, images }
    }
}
