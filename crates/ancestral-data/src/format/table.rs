//! CSV: numeric columns with or without a header; columns of labels and of folds are recognized by
//! name.

use super::{
    Data, LineLimit, Loaded, LongLine, MAX_CLASSES, MOST_IN_LINE, Stream, assemble, reserve,
};
use crate::{DataError, Dataset, OpenOptions, Shape, SplitName};

const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];
const FOLD_NAME: &str = "fold";

/// A parsed table.
pub(crate) struct Table {
    loaded: Loaded,
    columns: Vec<String>,
    classes: Vec<String>,
    /// The fold of each row, if the table has such a column.
    folds: Option<Vec<u32>>,
}

impl Table {
    pub(crate) fn into_dataset(
        self,
        name: &str,
        options: &OpenOptions,
    ) -> Result<Dataset, DataError> {
        let whole = vec![(SplitName::Train, self.loaded)];
        let mut data = match (options.fold, self.folds) {
            (Some(fold), Some(folds)) => {
                let options = OpenOptions { fold: None, ..options.clone() };
                assemble(name, whole, &options)?.with_fold(fold, &folds)?
            }
            _ => assemble(name, whole, options)?,
        };
        data.class_names = self.classes;
        data.column_names = self.columns;
        Ok(data)
    }
}

pub(crate) fn read(mut stream: Stream<'_>) -> Result<Table, DataError> {
    use std::io::{BufRead, BufReader, Read};
    let path = stream.path.clone();
    let bad = |line: u64, column: usize, problem: String| {
        DataError::malformed(&path, format!("line {line}, column {column}"), problem)
    };
    // The first line determines the separator; it is read ahead.
    let mut first = Vec::new();
    {
        let mut reader = BufReader::with_capacity(1, &mut stream);
        let read = reader.by_ref().take(MOST_IN_LINE + 1).read_until(b'\n', &mut first);
        read.map_err(|e| reader.get_ref().failed(e))?;
        if first.len() as u64 > MOST_IN_LINE {
            return Err(bad(1, 1, LongLine::PROBLEM.to_owned()));
        }
    }
    let count = |b: u8| first.iter().filter(|&&x| x == b).count();
    let separator =
        [b',', b';', b'\t'].into_iter().max_by_key(|&b| (count(b), b == b',')).unwrap_or(b',');
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .delimiter(separator)
        .trim(csv::Trim::All)
        .from_reader(LineLimit::new(std::io::Cursor::new(first).chain(&mut stream), true));

    let mut header: Vec<String> = Vec::new();
    let mut label_column = None;
    let mut fold_column = None;
    let mut width = 0;
    let mut values: Vec<f32> = Vec::new();
    let mut words: Vec<String> = Vec::new();
    let mut folds: Vec<u32> = Vec::new();
    let mut record = csv::StringRecord::new();
    let mut started = false;
    loop {
        match reader.read_record(&mut record) {
            Ok(true) => {}
            Ok(false) => break,
            Err(e) => {
                let line = e.position().map_or(0, csv::Position::line);
                return Err(match e.into_kind() {
                    csv::ErrorKind::Io(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
                        bad(line, 1, "the packed data ends too early".into())
                    }
                    csv::ErrorKind::Io(e) if LongLine::caused(&e) => {
                        bad(reader.position().line(), 1, LongLine::PROBLEM.to_owned())
                    }
                    csv::ErrorKind::Io(e) if e.raw_os_error().is_some() => {
                        DataError::io("read", &path, e)
                    }
                    csv::ErrorKind::Io(e) => {
                        bad(line, 1, format!("the packed data is damaged: {e}"))
                    }
                    csv::ErrorKind::Utf8 { .. } => {
                        bad(line, 1, "bytes that are not UTF-8 text; expected numbers".into())
                    }
                    other => bad(line, 1, format!("{other:?}")),
                });
            }
        }
        let line = record.position().map_or(0, csv::Position::line);
        if !started {
            started = true;
            width = record.len();
            if record.iter().any(|cell| cell.parse::<f64>().is_err()) {
                header = record.iter().map(str::to_owned).collect();
                label_column = header
                    .iter()
                    .position(|h| LABEL_NAMES.iter().any(|l| h.eq_ignore_ascii_case(l)));
                fold_column = header.iter().position(|h| h.eq_ignore_ascii_case(FOLD_NAME));
                continue;
            }
        }
        if record.len() != width {
            return Err(bad(
                line,
                record.len().min(width) + 1,
                format!("{} cells in this row; expected {width} as in the first", record.len()),
            ));
        }
        reserve(&mut values, width, &path)?;
        for (i, cell) in record.iter().enumerate() {
            if label_column == Some(i) {
                words.push(cell.to_owned());
                continue;
            }
            if fold_column == Some(i) {
                folds.push(cell.parse().map_err(|_| {
                    bad(
                        line,
                        i + 1,
                        format!(
                            "'{cell:.30}'; expected the whole number of a fold, since the column \
                             is named fold (name it otherwise if it is an entry)"
                        ),
                    )
                })?);
                continue;
            }
            let value = cell.parse::<f32>().ok().filter(|v| v.is_finite());
            values.push(value.ok_or_else(|| {
                bad(
                    line,
                    i + 1,
                    format!(
                        "'{cell:.30}'; expected a finite number (only a column named label, \
                         class or target may hold words)"
                    ),
                )
            })?);
        }
    }
    drop(reader);
    let columns = width - usize::from(label_column.is_some()) - usize::from(fold_column.is_some());
    if values.is_empty() || columns == 0 {
        return Err(bad(1, 1, "no numbers; expected at least one row of them".into()));
    }
    let mut place = 0..;
    header.retain(|_| {
        let place = place.next();
        place != label_column && place != fold_column
    });
    let (labels, classes) = match label_column {
        Some(_) => {
            let (labels, classes) = number(&words);
            (Some(labels), classes)
        }
        None => (None, Vec::new()),
    };
    let loaded = Loaded { path, shape: Shape::columns(columns), data: Data::Reals(values), labels };
    Ok(Table { loaded, columns: header, classes, folds: fold_column.map(|_| folds) })
}

/// Class numbers and names: whole numbers stay what they are, words are numbered in their order.
pub(crate) fn number<S: AsRef<str>>(words: &[S]) -> (Vec<u32>, Vec<String>) {
    let numbers: Option<Vec<u32>> = words
        .iter()
        .map(|w| {
            let value = w.as_ref().parse::<f64>().ok()?;
            let whole = value.fract() == 0.0 && (0.0..1000.0).contains(&value);
            whole.then_some(value as u32)
        })
        .collect();
    if let Some(numbers) = numbers {
        let most = numbers.iter().copied().max().map_or(0, |m| m + 1);
        return (numbers, (0..most).map(|c| c.to_string()).collect());
    }
    let mut classes: Vec<&str> = words.iter().map(AsRef::as_ref).collect();
    classes.sort_unstable();
    classes.dedup();
    let labels = words
        .iter()
        .map(|w| classes.binary_search(&w.as_ref()).map_or(0, |i| i as u32).min(MAX_CLASSES))
        .collect();
    (labels, classes.into_iter().map(str::to_owned).collect())
}
