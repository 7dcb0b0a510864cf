//! `models`: the list of models, and the settings of one.

use ancestral::Registry;
use ancestral::model::{Capability, KindName, Learning, ModelEntry, Task};
use ancestral::run::training_fields;
use ancestral::settings::{Field, schema};
use anyhow::Result;
use serde_json::{Value, json};

use crate::args::{ModelsArgs, OutputArgs};
use crate::output::{self, say};

pub(crate) fn models(args: &ModelsArgs) -> Result<()> {
    let registry = Registry::standard();
    match &args.name {
        None => list(&registry, args.output),
        Some(name) => one(registry.find(name)?, args.output),
    }
}

fn list(registry: &Registry, output: OutputArgs) -> Result<()> {
    if output.json {
        let list: Vec<_> = registry.entries().iter().map(summary).collect();
        return output::json(&list);
    }
    for m in registry.entries() {
        say!("{:<11} {}", m.name, m.about)?;
        say!("{:<11} {}: {}; {}", "", words(m.tasks, Task::as_str), can(m).join(", "), m.paper)?;
    }
    if !output.quiet {
        say!("\nShow the settings of one: ancestral models NAME")?;
    }
    Ok(())
}

/// A model as `--json` lists it.
fn summary(m: &ModelEntry) -> Value {
    let presets: Vec<&str> = m.presets.iter().map(|p| p.name).collect();
    let tasks: Vec<&str> = m.tasks.iter().map(|task| task.as_str()).collect();
    let columns: Vec<&str> = m.kinds.iter().map(|kind| kind.as_str()).collect();
    json!({
        "name": m.name, "about": m.about, "paper": m.paper, "tasks": tasks, "can": can(m),
        "learning": m.learning.as_str(), "columns": columns, "validation": m.validation,
        "presets": presets,
    })
}

fn one(entry: &ModelEntry, output: OutputArgs) -> Result<()> {
    let fields = (entry.fields)();
    if output.json {
        let list = |fields: &[Field]| -> Vec<_> {
            let field = |f: &Field| json!({ "name": f.name, "default": f.default.to_string(), "about": f.doc });
            fields.iter().map(field).collect()
        };
        let mut all = summary(entry);
        let training = training_fields(entry);
        all["settings"] = list(&fields).into();
        all["training"] = list(&training).into();
        all["schema"] = schema(entry.name, &fields);
        all["training_schema"] = schema("training", &training);
        return output::json(&all);
    }
    say!("{}: {}", entry.name, entry.about)?;
    say!("{}; {}", entry.paper, words(entry.tasks, Task::as_str))?;
    say!("supports {}", can(entry).join(", "))?;
    say!("takes columns of kind {}", words(entry.kinds, KindName::as_str))?;
    if !entry.presets.is_empty() {
        say!("\nPresets (--preset NAME):")?;
        for preset in entry.presets {
            say!("  {:<22} {}", preset.name, preset.about)?;
        }
    }
    say!("\nSettings (--set KEY=VALUE):")?;
    print_fields(&fields)?;
    match entry.learning {
        Learning::Fit if entry.tasks == [Task::Clustering] => {
            say!("\nCluster with: ancestral cluster {} --data …", entry.name)?;
        }
        Learning::Fit => {
            say!("\nFit it with: ancestral fit {} --data …", entry.name)?;
        }
        Learning::GradientSteps => {
            say!("\nSettings of training (--set KEY=VALUE):")?;
            print_fields(&training_fields(entry))?;
        }
    }
    Ok(())
}

/// Words separated by commas.
fn words<T: Copy>(all: &[T], word: fn(T) -> &'static str) -> String {
    all.iter().map(|&one| word(one)).collect::<Vec<_>>().join(", ")
}

/// The capabilities of a model as they are listed.
fn can(entry: &ModelEntry) -> Vec<String> {
    entry.capabilities.iter().map(|&can| Capability::describe(can)).collect()
}

fn print_fields(fields: &[Field]) -> Result<()> {
    for field in fields {
        let doc = field.doc.trim_end_matches('.');
        let notes = [field.kind.summary(), field.unit.unwrap_or_default().to_owned()];
        let notes: Vec<&str> = notes.iter().map(String::as_str).filter(|n| !n.is_empty()).collect();
        let notes =
            if notes.is_empty() { String::new() } else { format!(" ({})", notes.join("; ")) };
        say!("  {:<28} {doc}{notes}", format!("{} = {}", field.name, field.default))?;
    }
    Ok(())
}
