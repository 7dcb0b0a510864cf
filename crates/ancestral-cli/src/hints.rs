//! What to type where the library refused something.

use ancestral::Error;
use ancestral::model::{ColumnKind, KindName};

/// What to do about an error, in the words of the command line.
pub(crate) fn of(error: &Error) -> Option<String> {
    Some(match error {
        Error::RunExists { .. } => {
            "give another --out, or resume that run with --resume".to_owned()
        }
        Error::NoRun { is_folder: false, .. } => {
            "`ancestral runs` lists the runs that do".to_owned()
        }
        Error::RunBusy { .. } => "wait for it, or give another --out".to_owned(),
        Error::NoWeights { .. } => "train it first, or resume it with --resume".to_owned(),
        Error::NoCheckpoint { .. } => {
            "use --weights best, or train anew from its weights with --from".to_owned()
        }
        Error::DataChanged { .. } => {
            "give the data as it was, or evaluate on it with --data".to_owned()
        }
        Error::OtherLearning { model, fitted: true } => format!("use `ancestral fit {model}`"),
        Error::OtherLearning { model, fitted: false } => format!("use `ancestral train {model}`"),
        Error::NoNetwork { labels: true, data } => format!(
            "train one with `ancestral train features --data {data}` and give its run with \
             --features"
        ),
        Error::NoNetwork { labels: false, .. } => {
            "it has no labels to train one on, so give with --features one that was trained on \
             labelled examples of the same shape"
                .to_owned()
        }
        Error::Lacks { problem, .. } if problem.contains("score") => {
            "`evaluate --quality` measures the samples of models that draw".to_owned()
        }
        Error::UnsuitableKind { kind: ColumnKind::Levels(_), taken, .. }
            if taken.contains(&KindName::Binary) =>
        {
            "or binarize it with --binarize threshold, static or dynamic".to_owned()
        }
        Error::NoMask { .. } => {
            "say with --mask which of them, or give rows with just the first entries".to_owned()
        }
        Error::NoImage { .. } => "use a .npy or .csv output".to_owned(),
        _ => return None,
    })
}
