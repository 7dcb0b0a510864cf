//! The known data sets: descriptions, files and terms.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use crate::format::{Stream, table};
use crate::layouts::{amat, cifar10, density, expect_file, mnist, omniglot, with_or_without_gz};
use crate::options::OpenOptions;
#[cfg(feature = "fetch")]
use crate::sources::is_fetchable;
use crate::toys::{TOYS, Toy};
use crate::{DataError, Dataset};

/// A known data set, and whether it is present.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize)]
pub struct Known {
    /// The name it is opened by.
    pub name: &'static str,
    /// A description in one line.
    pub about: &'static str,
    /// Its terms, as its source states them.
    pub terms: &'static str,
    /// The folder that was searched; `None` if it needs no files.
    #[serde(serialize_with = "shown")]
    pub looked_in: Option<PathBuf>,
    /// Whether it can be opened.
    pub present: bool,
    /// Whether it can be downloaded by name; never without the feature `fetch`.
    pub fetchable: bool,
    /// Its files as they are published; empty if it needs none.
    #[serde(skip)]
    pub files: String,
    /// Whether it has folds instead of official splits.
    #[serde(skip)]
    pub has_folds: bool,
}

/// A path with replacement characters where it is not UTF-8.
fn shown<S: serde::Serializer>(path: &Option<PathBuf>, serializer: S) -> Result<S::Ok, S::Error> {
    match path {
        Some(path) => serializer.serialize_some(&path.to_string_lossy()),
        None => serializer.serialize_none(),
    }
}

/// How the files of a known set are laid out.
#[derive(Debug, Clone, Copy)]
enum Layout {
    Mnist,
    Amat,
    Omniglot,
    Cifar,
    Density,
    /// One table with a column of folds.
    Folds,
}

/// A known set.
#[derive(Debug)]
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// Its folder in the data folder.
    pub(crate) folder: &'static str,
    about: &'static str,
    terms: &'static str,
    layout: Layout,
    classes: &'static [&'static str],
}

const MNIST_VALID: usize = 10_000;
const CIFAR_VALID: usize = 5_000;

const FASHION: [&str; 10] = [
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
];

const DENSITY_TERMS: &str = "cite their original papers";

const SETS: [Set; 11] = [
    Set {
        name: "mnist",
        folder: "mnist",
        about: "handwritten digits, 28×28, 256 gray levels; 60000 train (the last 10000 for \
                validation), 10000 test",
        terms: "none stated",
        layout: Layout::Mnist,
        classes: &[],
    },
    Set {
        name: "fashion-mnist",
        folder: "fashion-mnist",
        about: "images of clothing, 28×28, 256 gray levels; split as mnist",
        terms: "MIT, Zalando SE 2017",
        layout: Layout::Mnist,
        classes: &FASHION,
    },
    Set {
        name: "binarized-mnist",
        folder: "binarized-mnist",
        about: "mnist, statically binarized (Larochelle and Murray 2011); 50000 / 10000 / 10000",
        terms: "none stated",
        layout: Layout::Amat,
        classes: &[],
    },
    Set {
        name: "omniglot",
        folder: "omniglot",
        about: "handwritten characters of 50 alphabets, reduced to 28×28; 19280 train and \
                validation, 13180 test of other alphabets",
        terms: "MIT",
        layout: Layout::Omniglot,
        classes: &[],
    },
    Set {
        name: "cifar10",
        folder: "cifar10",
        about: "color photographs, 32×32; 50000 train (the last 5000 for validation), 10000 test",
        terms: "none stated",
        layout: Layout::Cifar,
        classes: &[],
    },
    Set {
        name: "adult",
        folder: "density_estimation/adult",
        about: "census answers, 123 binary columns; 5000 / 1414 / 26147",
        terms: DENSITY_TERMS,
        layout: Layout::Density,
        classes: &[],
    },
    Set {
        name: "dna",
        folder: "density_estimation/dna",
        about: "splice junctions, 180 binary columns; 1400 / 600 / 1186",
        terms: DENSITY_TERMS,
        layout: Layout::Density,
        classes: &[],
    },
    Set {
        name: "mushrooms",
        folder: "density_estimation/mushrooms",
        about: "descriptions of mushrooms, 112 binary columns; 2000 / 500 / 5624",
        terms: DENSITY_TERMS,
        layout: Layout::Density,
        classes: &[],
    },
    Set {
        name: "nltcs",
        folder: "density_estimation/nltcs",
        about: "long-term care survey, 16 binary columns; 16181 / 2157 / 3236",
        terms: DENSITY_TERMS,
        layout: Layout::Density,
        classes: &[],
    },
    Set {
        name: "plants",
        folder: "density_estimation/plants",
        about: "where plants grow, 69 binary columns; 17412 / 2321 / 3482",
        terms: DENSITY_TERMS,
        layout: Layout::Density,
        classes: &[],
    },
    Set {
        name: "red-wine",
        folder: "red_wine",
        about: "chemical analyses of red wines, 11 real columns; 1599 in 10 folds",
        terms: "CC BY 4.0, P. Cortez et al., UCI Wine Quality",
        layout: Layout::Folds,
        classes: &[],
    },
];

/// This build has no downloads.
#[cfg(not(feature = "fetch"))]
fn is_fetchable(_: &str) -> bool {
    false
}

pub(crate) fn find(name: &str) -> Option<&'static Set> {
    SETS.iter().find(|set| set.name == name)
}

pub(crate) fn names() -> &'static [&'static str] {
    static NAMES: LazyLock<Vec<&'static str>> = LazyLock::new(|| {
        let toys = TOYS.iter().map(|toy| toy.0);
        std::iter::once("digits").chain(toys).chain(SETS.iter().map(|set| set.name)).collect()
    });
    &NAMES
}

/// Whether a data set is known by this name, as `mnist` or `rings:5`.
pub fn is_known(name: &str) -> bool {
    names().contains(&name) || matches!(Toy::parse(name), Some(Ok(_)))
}

/// The known data sets: the embedded one first, then the synthetic ones; `rings:K` and `grid:N`
/// with the usual number.
pub fn list(data_dir: Option<&Path>) -> Vec<Known> {
    let options = OpenOptions { data_dir: data_dir.map(Path::to_owned), ..OpenOptions::default() };
    let digits = Known {
        name: "digits",
        about: "handwritten digits, 8×8, 17 gray levels, embedded; 1297 / 200 / 300",
        terms: "CC BY 4.0, E. Alpaydin and C. Kaynak, DOI 10.24432/C50P49",
        looked_in: None,
        present: true,
        fetchable: false,
        files: String::new(),
        has_folds: false,
    };
    let others = SETS.iter().map(|set| Known {
        name: set.name,
        about: set.about,
        terms: set.terms,
        looked_in: options.folders_of(set.folder).into_iter().next(),
        present: set.find_folder(&options).is_ok(),
        fetchable: is_fetchable(set.name),
        files: set.files(),
        has_folds: matches!(set.layout, Layout::Folds),
    });
    let toys = TOYS.iter().map(|&(name, about)| Known {
        name,
        about,
        terms: "none",
        looked_in: None,
        present: true,
        fetchable: false,
        files: String::new(),
        has_folds: false,
    });
    std::iter::once(digits).chain(toys).chain(others).collect()
}

impl Set {
    /// Its files as they are published.
    pub(crate) fn files(&self) -> String {
        match self.layout {
            Layout::Mnist => "{train,t10k}-{images-idx3,labels-idx1}-ubyte.gz".to_owned(),
            Layout::Amat => "binarized_mnist_{train,valid,test}.amat".to_owned(),
            Layout::Omniglot => "derived-28x28-{background,evaluation}-images-idx3-ubyte.gz and \
                                 -labels-idx1-short.gz, {background,evaluation}-classes.txt"
                .to_owned(),
            Layout::Cifar => "cifar-10-binary.tar.gz".to_owned(),
            Layout::Density => format!("{}.{{train,valid,test}}.data.gz", self.name),
            Layout::Folds => format!("{}_folds.csv", self.folder),
        }
    }

    /// Whether the folder has the first file of the set.
    fn is_in(&self, folder: &Path) -> bool {
        let file = match self.layout {
            Layout::Mnist => "train-images-idx3-ubyte".to_owned(),
            Layout::Amat => "binarized_mnist_train.amat".to_owned(),
            Layout::Omniglot => "derived-28x28-background-images-idx3-ubyte".to_owned(),
            Layout::Cifar => {
                return with_or_without_gz(folder.join("cifar-10-binary.tar")).is_some()
                    || folder.join("data_batch_1.bin").is_file()
                    || folder.join("cifar-10-batches-bin").join("data_batch_1.bin").is_file();
            }
            Layout::Density => format!("{}.train.data", self.name),
            Layout::Folds => self.files(),
        };
        with_or_without_gz(folder.join(file)).is_some()
    }

    fn find_folder(&self, options: &OpenOptions) -> Result<PathBuf, DataError> {
        let folders = options.folders_of(self.folder);
        let found = folders.iter().find(|folder| self.is_in(folder)).cloned();
        found.ok_or_else(|| DataError::Missing {
            name: self.name.into(),
            looked_in: folders.first().cloned(),
            folder: Some(self.folder),
            nearest: None,
            known: &[],
            can_fetch: is_fetchable(self.name),
        })
    }

    pub(crate) fn open(&self, options: &OpenOptions) -> Result<Dataset, DataError> {
        let folder = self.find_folder(options)?;
        let mut data = match self.layout {
            Layout::Mnist => mnist(self.name, &folder, MNIST_VALID, options),
            Layout::Amat => amat(self.name, &folder, "binarized_mnist", options),
            Layout::Omniglot => omniglot(self.name, &folder, options),
            Layout::Cifar => cifar10(self.name, &folder, CIFAR_VALID, options),
            Layout::Density => density(self.name, &folder, self.name, options),
            Layout::Folds => {
                let file = expect_file(folder.join(self.files()))?;
                table::read(Stream::open(&file)?, options)?.into_dataset(self.name, options)
            }
        }?;
        for name in &mut data.class_names {
            if let Some(official) = name.parse().ok().and_then(|c: usize| self.classes.get(c)) {
                (*official).clone_into(name);
            }
        }
        // Known files have one reading.
        data.notes.clear();
        Ok(data.with_single_fingerprint())
    }
}
