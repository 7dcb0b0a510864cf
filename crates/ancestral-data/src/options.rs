//! Options for opening data sets, and the folder of known ones.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Options for opening a data set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct OpenOptions {
    /// The folder of known sets; if `None`, `ANCESTRAL_DATA`, else the platform's data folder.
    pub data_dir: Option<PathBuf>,
    /// The seed of random splits, for data without official ones.
    pub seed: u64,
    /// Resizes images of a folder or tar to this height and width, in pixels.
    pub resize: Option<(usize, usize)>,
    /// Reads images of a folder or tar as grayscale.
    pub gray: bool,
    /// The color behind transparent pixels in images of a folder or tar; if `None`, such images are
    /// refused.
    pub background: Option<Background>,
    /// Trains on the whole official training set; validation examples stay part of it.
    pub all_train: bool,
    /// Splits a table by its column `fold`: the rows of this fold are the test split, those of the
    /// next one (after the last comes the first) are for validation, and the rest are for training,
    /// all in file order. The column itself is never an entry of the examples.
    pub fold: Option<u32>,
    /// Keeps a set without official splits whole, as training examples in file order; so is a file
    /// with only a validation or a test split.
    pub whole: bool,
    /// Keeps data with too few examples for splits of their own whole, with a note.
    pub keep_few: bool,
    /// Reads a pipe, or standard input under the name `-`, once, as CSV; else these are refused.
    pub pipe: bool,
    /// Reads the rows of a table as images `[channels, height, width]`; a row holds the channels of a
    /// pixel next to each other, as NumPy has it.
    pub image_shape: Option<[usize; 3]>,
    /// The number of levels, 2 to 256, if the file does not determine it.
    pub levels: Option<u32>,
    /// Treats every value as real, whole numbers too.
    pub real: bool,
    /// Leaves labels out.
    pub no_labels: bool,
    /// Reads these columns of a table alone, by name (`x0`, `x1`, … where they have none), in this
    /// order; all columns if it is empty. A column that is named here is an entry, whatever its name.
    pub columns: Vec<String>,
    /// Leaves these columns of a table out, whatever they hold, by name as in `columns`.
    pub left: Vec<String>,
    /// Leaves the columns of a table out that hold words, whatever words these are; a column of classes
    /// stays one.
    pub words_left: bool,
    /// Reads a column of classes as such, also if columns are chosen and it is not.
    pub with_classes: bool,
    /// How the text of a table is read.
    pub text: TextOptions,
    /// What is known of such data already, as by a run, where the data itself leaves it open.
    pub expected: Expected,
}

/// What is known of data before it is read; where the data says otherwise, the data counts.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Expected {
    /// How the text of other tables of this kind was read.
    pub text: TextOptions,
    /// The names of columns: a first line of them is a header, and a column with one of these names is
    /// an entry, even if it is named label.
    pub columns: Vec<String>,
    /// The names of classes: the only folder of some images is a class if it has one of these names.
    pub classes: Vec<String>,
}

/// How the text of a table is read; what is not given is inferred.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct TextOptions {
    /// Whether the first line holds the names of the columns.
    pub header: Option<bool>,
    /// The character between cells: `,`, `;`, a tab or `|`; a blank stands for any number of blanks.
    pub separator: Option<char>,
    /// The character before decimals, `.` or `,`.
    pub decimal: Option<char>,
    /// Cells that are missing, in addition to the usual ones; numbers are compared by value.
    pub missing: Vec<String>,
    /// The encoding, by a label of the WHATWG such as "utf-8", "utf-16le" or "windows-1252".
    pub encoding: Option<String>,
}

impl TextOptions {
    /// Whether anything is given.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// These options, and those of `other` where these give none.
    #[must_use]
    pub fn or(&self, other: &Self) -> Self {
        Self {
            header: self.header.or(other.header),
            separator: self.separator.or(other.separator),
            decimal: self.decimal.or(other.decimal),
            missing: match self.missing.is_empty() {
                true => other.missing.clone(),
                false => self.missing.clone(),
            },
            encoding: self.encoding.clone().or_else(|| other.encoding.clone()),
        }
    }
}

/// The color behind transparent pixels.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Background {
    /// White.
    White,
    /// Black.
    Black,
}

impl FromStr for Background {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        match text {
            "white" => Ok(Self::White),
            "black" => Ok(Self::Black),
            other => Err(DataError::Unsuitable(format!(
                "unknown background '{other}'; choose white or black"
            ))),
        }
    }
}

impl OpenOptions {
    /// The requested number of levels, else 256, since few or dark byte images need not use all.
    pub(crate) fn or_bytes(&self) -> Option<u32> {
        self.levels.or((!self.real).then_some(256))
    }

    /// For data that has no folds.
    pub(crate) fn refuse_fold(&self, name: &str) -> Result<(), DataError> {
        match self.fold {
            None => Ok(()),
            Some(fold) => Err(DataError::Unsuitable(format!(
                "{name}: fold {fold} was asked for, but this data has no folds; a column of whole \
                 numbers named fold gives a CSV its folds"
            ))),
        }
    }

    /// The folders that are searched for a set.
    pub(crate) fn folders_of(&self, folder: &str) -> Vec<PathBuf> {
        data_dir(self.data_dir.as_deref()).into_iter().map(|dir| dir.join(folder)).collect()
    }
}

/// The data folder of known sets: the given one, else that of `ANCESTRAL_DATA`, else
/// `ancestral` in the platform's data folder.
pub fn data_dir(given: Option<&Path>) -> Option<PathBuf> {
    given
        .map(Path::to_owned)
        .or_else(|| {
            std::env::var_os("ANCESTRAL_DATA").filter(|dir| !dir.is_empty()).map(PathBuf::from)
        })
        .or_else(|| dirs::data_dir().map(|dir| dir.join("ancestral")))
}
