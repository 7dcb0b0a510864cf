//! Data sets, reproducible random streams, and atomic files.
//!
//! The crate depends on no model and on no tensor library.
//! A [`Dataset`] is read from a name or a path by [`open`], [`Examples`] turns one of its splits into numbers
//! (binarized if requested), and [`Streams`] gives every example and every sample its own random
//! stream.
//!
//! With the feature `fetch`, known sets are downloaded from public mirrors by `fetch`; with `tls`, over
//! HTTPS.

mod binarize;
mod column_file;
mod dataset;
mod describe;
mod digits;
mod discs;
#[cfg(not(any(test, feature = "faults")))]
mod disk;
#[cfg(any(test, feature = "faults"))]
pub mod disk;
mod domain;
mod error;
#[cfg(feature = "fetch")]
mod fetch;
mod format;
mod known;
mod layouts;
mod memory;
mod names;
mod open;
mod options;
#[cfg(feature = "fetch")]
mod sources;
mod special;
mod stream;
mod toys;
mod write;

pub use binarize::{Batch, Binarize, Examples};
pub use column_file::ColumnFile;
pub use dataset::{
    Column, ColumnType, Dataset, Fingerprint, Sought, Split, SplitName, Values, sha256,
};
pub use describe::{ClassCount, ColumnSummary, Shared, SplitSummary, Summary, describe, shared};
pub use digits::digits;
pub use disk::{
    Appender, AtomicFile, Lock, create_folder, free_space, remove_if_there, remove_unfinished,
    write_atomic, write_atomic_in, write_new,
};
pub use domain::{Domain, Shape};
pub use error::DataError;
#[cfg(feature = "fetch")]
pub use fetch::{Progress, fetch};
pub use format::dialect::is_label_name;
pub use format::parts::{Held, TableParts};
pub use format::table::TextRows;
pub use format::{Format, parse};
pub use known::{Known, is_known, list};
pub use memory::available as available_memory;
pub use names::{are_alike, nearest};
pub use open::{Opened, is_table, open, open_in_parts, read_columns};
pub use options::{Background, Expected, OpenOptions, TextOptions, data_dir};
pub use special::{check_plain, is_pipe, open_plain, read_plain};
pub use stream::{Streams, fill_normal, fill_uniform};
pub use toys::{Modes, modes};
pub use write::{CsvWriter, NpyWriter, csv_cell, write_csv, write_npy};

/// The example of the README is compiled and run.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
