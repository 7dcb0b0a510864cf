//! `data`: lists, summarizes and downloads data sets.

use std::path::{Path, PathBuf};

use ancestral::run::Reading;
use ancestral_data::{Dataset, OpenOptions, SplitName, Summary, describe, fetch, list};
use ancestral_plot::contact_sheet;
use anyhow::Result;
use serde_json::json;

use crate::args::{DataArgs, DataCommand};
use crate::inputs;
use crate::output::{self, say, shown, usage};

/// The number of examples on a contact sheet.
const SHEET: usize = 100;

pub(crate) fn run(args: &DataArgs, data_dir: Option<&Path>) -> Result<()> {
    match &args.command {
        DataCommand::List(output) => {
            let known = list(data_dir);
            if output.json {
                return output::json(&known);
            }
            for set in known {
                let place = match (&set.looked_in, set.present) {
                    (None, _) if set.name == "digits" => "embedded".to_owned(),
                    (None, _) => "needs no files".to_owned(),
                    (Some(path), true) => path.display().to_string(),
                    (Some(path), false) if set.fetchable => {
                        format!("not in {}; `ancestral data fetch {}`", path.display(), set.name)
                    }
                    (Some(path), false) => format!("not in {}", path.display()),
                };
                let folds = if set.has_folds { " (--fold)" } else { "" };
                say!("{:<16} {}{folds}", set.name, set.about)?;
                if !output.quiet {
                    say!("{:<16} terms: {}; {place}", "", set.terms)?;
                }
            }
            Ok(())
        }
        DataCommand::Show { data, out, resize, gray, background, tables, shape, output } => {
            let (image, levels) = inputs::shape(shape)?;
            let Reading { text, no_labels } = inputs::reading(tables)?;
            let options = OpenOptions {
                data_dir: data_dir.map(Path::to_path_buf),
                resize: resize.as_deref().map(inputs::size).transpose()?,
                gray: *gray,
                pipe: true,
                background: background.as_deref().map(inputs::background).transpose()?,
                text,
                no_labels,
                image_shape: image.map(|[h, w, c]| [c, h, w]),
                levels,
                keep_few: true,
                ..OpenOptions::default()
            };
            if let Some(out) = out {
                output::extension(out, &["png"])?;
                output::check_target("--out", out, &[Some(Path::new(data))])?;
            }
            let set = ancestral_data::open(data, &options)?;
            if !output.quiet && !output.json {
                set.notes
                    .iter()
                    .for_each(|note| output::print_error_line(&format!("note: {note}")));
            }
            let summary = describe(&set);
            let sheet = match (out, set.shape.as_image()) {
                (Some(out), _) => Some(out.clone()),
                (None, Some(_)) => {
                    let stem = Path::new(data).file_name().unwrap_or_default();
                    let stem = stem.to_string_lossy();
                    let stem = stem.split('.').next().unwrap_or_default().replace(':', "-");
                    Some(PathBuf::from(stem))
                }
                (None, None) => None,
            };
            let sheet = match (sheet, out) {
                (None, _) => None,
                (Some(path), Some(_)) => {
                    contact_sheet(&set, SplitName::Train, SHEET)?.save_png(&path)?;
                    Some(path)
                }
                (Some(stem), None) => Some(save_sheet(&set, &stem)?),
            };
            if output.json {
                return output::json(
                    &json!({ "summary": summary, "out": sheet.as_deref().map(shown) }),
                );
            }
            if !output.quiet {
                print_summary(&summary)?;
            }
            if let Some(path) = sheet {
                output::wrote(*output, &path)?;
            }
            Ok(())
        }
        DataCommand::Fetch { name, output } => {
            let bar = crate::progress::bar(*output, name);
            let folder = ancestral_data::data_dir(data_dir)
                .ok_or_else(|| usage("this system has no default data folder; give --data-dir"))?;
            let folder = fetch(name, &folder, &[], &mut |p| {
                bar.set_length(p.total);
                bar.set_position(p.done);
                bar.set_message(p.file.clone());
            })?;
            bar.finish_and_clear();
            if output.json {
                return output::json(&json!({ "name": name, "folder": shown(&folder) }));
            }
            output::wrote(*output, &folder)?;
            Ok(())
        }
    }
}

/// Writes a contact sheet over no other file, which may be the image that is shown, and gives its path.
fn save_sheet(set: &Dataset, stem: &Path) -> Result<PathBuf> {
    let image = contact_sheet(set, SplitName::Train, SHEET)?;
    let png = image.to_png()?;
    let names = ["".to_owned(), "-sheet".to_owned()].into_iter();
    for end in names.chain((2..).map(|n| format!("-sheet-{n}"))) {
        let path = PathBuf::from(format!("{}{end}.png", stem.display()));
        // The same sheet stays.
        let same = std::fs::read(&path).is_ok_and(|bytes| bytes == png);
        if same || !path.exists() {
            image.save_png(&path)?;
            return Ok(path);
        }
    }
    Err(usage("give a name with --out"))
}

fn print_summary(summary: &Summary) -> Result<()> {
    let shape: Vec<String> = summary.shape.iter().map(ToString::to_string).collect();
    say!("{}: examples of {}, {}", summary.name, shape.join("×"), summary.domain)?;
    let kinds: Vec<String> = summary
        .kinds
        .iter()
        .take(30)
        .map(|column| match column.categories {
            0 => format!("{} {}", column.column, column.kind),
            n => format!("{} {} ({n})", column.column, column.kind),
        })
        .collect();
    if !kinds.is_empty() {
        let more = summary.kinds.len() - kinds.len();
        let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
        say!("columns: {}{rest}", kinds.join(", "))?;
    }
    for split in &summary.splits {
        say!(
            "{:<6} {:>16}, values {} to {}, mean {}, standard deviation {}",
            split.split,
            output::count(split.examples, "example"),
            output::exact(split.minimum),
            output::exact(split.maximum),
            output::significant(split.mean),
            output::significant(split.deviation)
        )?;
        if !split.balance.is_empty() {
            let classes: Vec<String> = split
                .balance
                .iter()
                .take(20)
                .map(|c| format!("{} {}", c.class, c.examples))
                .collect();
            let more = split.balance.len().saturating_sub(20);
            let rest = if more > 0 { format!(", and {more} more") } else { String::new() };
            say!("       classes: {}{rest}", classes.join(", "))?;
        }
    }
    for shared in &summary.shared {
        say!(
            "{} of the {} split {} also in the {} split",
            output::count(shared.examples, "example"),
            shared.of,
            if shared.examples == 1 { "is" } else { "are" },
            shared.also_in
        )?;
    }
    say!("fingerprint {}", summary.fingerprint)
}
