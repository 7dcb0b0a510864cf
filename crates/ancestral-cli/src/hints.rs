//! Hints after errors of the libraries, in terms of the command line.

use ancestral::Error;
use ancestral::model::{ColumnKind, KindName};
use ancestral::rules::RulesError;
use ancestral_data::DataError;
use ancestral_plot::PlotError;
use clap::CommandFactory;

use crate::args::Args;

/// The hint of the first error of a chain that has one, unless it names flags that the command of the
/// command line has not.
pub(crate) fn of_chain(error: &anyhow::Error) -> Option<String> {
    of_causes(error).filter(|hint| {
        // What is quoted is another command.
        let outside = hint.split('`').step_by(2);
        let words = outside.flat_map(|part| part.split([' ', ',', ';']));
        words.filter_map(|word| word.strip_prefix("--")).all(has_flag)
    })
}

/// Whether the command of the command line has a flag.
fn has_flag(name: &str) -> bool {
    let mut command = Args::command();
    for word in std::env::args_os().skip(1) {
        let Some(inner) = command.find_subcommand(&word) else { continue };
        command = inner.clone();
    }
    let general = Args::command();
    let all = || command.get_arguments().chain(general.get_arguments());
    let at_all = !command.has_subcommands();
    !at_all || all().any(|arg| arg.get_long() == Some(name))
}

fn of_causes(error: &anyhow::Error) -> Option<String> {
    error.chain().find_map(|cause| {
        if let Some(error) = cause.downcast_ref() {
            return of(error);
        }
        match cause.downcast_ref() {
            Some(PlotError::Data(error)) => of_data(error),
            _ => cause.downcast_ref().and_then(of_data),
        }
    })
}

/// The hint for an error.
fn of(error: &Error) -> Option<String> {
    Some(match error {
        Error::Data(error) | Error::Plot(PlotError::Data(error)) => return of_data(error),
        Error::RunExists { .. } => {
            "give another --out, or resume a training with `train --resume`".to_owned()
        }
        Error::NoRun { exists: false, .. } => "`ancestral runs` lists the existing runs".to_owned(),
        Error::RunBusy { .. } => "wait for it, or give another --out".to_owned(),
        Error::NoSpace { .. } => "lower -n".to_owned(),
        Error::OutputExists { .. } => "give a new folder".to_owned(),
        Error::NoWeights { .. } => "train it first, or resume it with --resume".to_owned(),
        Error::NoCheckpoint { .. } => {
            "use --weights best, or start a new run from its weights with --from".to_owned()
        }
        Error::Moments { .. } => {
            "train --resume with --reset-optimizer goes on without that state".to_owned()
        }
        Error::DataChanged { .. } => {
            "restore the data, or evaluate on the new data with --data".to_owned()
        }
        Error::Unsupported { model, problem } if problem.starts_with("finds clusters") => {
            format!("use `ancestral cluster {model}`")
        }
        Error::OtherLearning { model, fitted: true } => format!("use `ancestral fit {model}`"),
        Error::OtherLearning { model, fitted: false } => format!("use `ancestral train {model}`"),
        Error::NoNetwork { labels: true, data } => format!(
            "train one with `ancestral train features --data {data}` and give its run with \
             --features"
        ),
        Error::NoNetwork { labels: false, .. } => {
            "it has no labels to train one on; give --features with a network that was trained \
             on labeled examples of the same shape"
                .to_owned()
        }
        Error::Lacks { problem, .. } if problem.contains("score") => {
            "`evaluate --quality` evaluates samples instead".to_owned()
        }
        Error::UnsuitableKind { kind: ColumnKind::Levels(_), taken, .. }
            if taken.contains(&KindName::Binary) =>
        {
            "or binarize it with --binarize threshold, static or dynamic".to_owned()
        }
        Error::NoMask { .. } => {
            "mark them with --mask or --keep-rows, or give rows with the first entries only"
                .to_owned()
        }
        Error::NoImage { .. } => "use a .npy or .csv output".to_owned(),
        Error::NetworkSize { nearest: [height, width], .. } => {
            format!("--resize {height}x{width} resizes them")
        }
        Error::NoFeatures { .. } => {
            "train a feature network with `ancestral train features`".to_owned()
        }
        Error::OtherFeatures { .. } => {
            "train a network on data of the same kind with `ancestral train features`".to_owned()
        }
        Error::Rules(error) => return of_rules(error).map(str::to_owned),
        Error::HalfRange { .. } => "pack it without --half".to_owned(),
        _ => return None,
    })
}

/// The hint for an error of association rules.
fn of_rules(error: &RulesError) -> Option<&'static str> {
    Some(match error {
        RulesError::Support { .. } => "set it with --min-support",
        RulesError::Line { .. } => "--format says how the lines are read",
        RulesError::Memory { .. } => "--max-memory sets the limit, --max-len the size of sets",
        RulesError::Setting { name: "the minimum confidence", .. } => {
            "set it with --min-confidence"
        }
        RulesError::Setting { name: "the share of held-out baskets", .. } => {
            "set it with --holdout"
        }
        RulesError::Setting { name: "the maximum length of a consequent", .. } => {
            "set it with --max-rhs"
        }
        RulesError::Setting { name: "the number of most frequent sets", .. } => {
            "leave out --top or --maximal"
        }
        _ => return None,
    })
}

/// The hint for an error of data.
fn of_data(error: &DataError) -> Option<String> {
    Some(match error {
        DataError::Missing { name, folder: Some(folder), can_fetch, .. } => {
            let fetch = match can_fetch {
                true => format!("download it with `ancestral data fetch {name}`, or "),
                false => String::new(),
            };
            let known = ancestral_data::list(None).into_iter().find(|known| known.name == name);
            let files = known.map_or(String::new(), |known| format!("; it holds {}", known.files));
            format!(
                "{fetch}set the folder that contains '{folder}' with --data-dir or \
                 ANCESTRAL_DATA{files}"
            )
        }
        DataError::Transparent { .. } if !has_flag("background") => {
            "store the images without transparency".to_owned()
        }
        DataError::Transparent { .. } => {
            "set the color behind transparent pixels with --background white or black, or store \
             the images without transparency"
                .to_owned()
        }
        DataError::ImageSize { .. } if !has_flag("resize") => {
            "resize them to one size first".to_owned()
        }
        DataError::ImageSize { .. } => "resize all images with --resize HxW".to_owned(),
        DataError::NoLevels { .. } => "use --binarize none".to_owned(),
        DataError::Fetch { needs_tls: true, file, .. } => format!(
            "build the program with --features tls, or put the file there yourself: {}",
            file.display()
        ),
        _ => return None,
    })
}
