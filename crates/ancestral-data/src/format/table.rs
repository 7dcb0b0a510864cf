//! Tables of text: columns by name and kind, classes, folds.

use std::collections::HashMap;

use super::dialect::{self, Cell, Cells, Dialect, Header};
use super::lines::{BLANK, Lines};
use super::npy::{MOST_REAL, beyond};
use super::plain::{self, Numbers};
use super::{Data, Facts, Labels, Loaded, MAX_CLASSES, Stream, assemble, reserve};
use crate::{Column, ColumnType, DataError, Dataset, OpenOptions, Shape, SplitName};

const FOLD_NAME: &str = "fold";
/// The most distinct values of a column of words.
const MOST_CATEGORIES: usize = 1000;
/// The most decimals that are kept in samples.
const MOST_DECIMALS: u8 = 15;
/// The most words of a column of possible classes that are looked at while rows are not held.
const MOST_WORDS: usize = 1 << 16;
/// Whole numbers with more distinct values than this, and than half of the rows, are no classes.
const FEW_CLASSES: usize = 20;
/// Rows that are read one by one after a row that does not hold numbers alone, doubled each time.
const FEW_ROWS: usize = 16;
/// Text that is read at once where rows hold numbers alone, in bytes.
const AHEAD: usize = 1 << 20;

/// A parsed table.
pub(crate) struct Table {
    loaded: Loaded,
    names: Vec<String>,
    columns: Vec<Column>,
    /// The fold of each row, if the table has such a column.
    folds: Option<Vec<u32>>,
    notes: Vec<String>,
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
        if data.shape.as_image().is_none() {
            data.column_names = self.names;
            data.columns = self.columns;
        }
        data.notes = self.notes;
        Ok(data)
    }
}

/// Words and their numbers, in the order of their first occurrence.
#[derive(Default)]
struct Words {
    numbers: HashMap<String, u32>,
    names: Vec<String>,
}

impl Words {
    fn number(&mut self, word: &str) -> u32 {
        if let Some(&number) = self.numbers.get(word) {
            return number;
        }
        let number = self.names.len() as u32;
        self.numbers.insert(word.to_owned(), number);
        self.names.push(word.to_owned());
        number
    }
}

/// What a column of the file is.
enum Role {
    /// An entry of the examples: its state.
    Entry(Box<Entry>),
    /// Possibly classes: a word per row.
    Labels {
        words: Words,
        rows: Vec<u32>,
    },
    Folds(Vec<u32>),
    /// Possibly the numbers of rows: those that are held, and how many whole ones went before.
    Index(Vec<f64>, usize),
    /// Names of rows, or nothing.
    Left,
}

#[derive(Default)]
struct Entry {
    /// The first cell with a value: its line, its text if it is no number.
    first: Option<(u64, Option<String>)>,
    words: Words,
    numbers: Numbers,
}

/// Missing cells of a column: their number and the first.
#[derive(Clone, Default)]
struct Gaps {
    count: usize,
    line: u64,
    cell: String,
}

/// Values of the entries, row after row.
enum Values {
    /// While all are 0 or 1.
    Bits(Vec<u8>),
    Reals(Vec<f64>),
}

impl Values {
    fn into_reals(self) -> Vec<f64> {
        match self {
            Self::Bits(bits) => bits.into_iter().map(f64::from).collect(),
            Self::Reals(values) => values,
        }
    }

    /// The first of them, or all if they are fewer; the rest stays.
    fn split_off(&mut self, first: usize) -> Self {
        match self {
            Self::Bits(bits) => {
                let rest = bits.split_off(first.min(bits.len()));
                Self::Bits(std::mem::replace(bits, rest))
            }
            Self::Reals(values) => {
                let rest = values.split_off(first.min(values.len()));
                Self::Reals(std::mem::replace(values, rest))
            }
        }
    }

    fn push(&mut self, value: f64) {
        match self {
            Self::Reals(values) => values.push(value),
            Self::Bits(bits) if value == 0.0 || value == 1.0 => bits.push(value as u8),
            Self::Bits(bits) => {
                let mut values: Vec<f64> = bits.iter().map(|&b| f64::from(b)).collect();
                values.push(value);
                *self = Self::Reals(values);
            }
        }
    }
}

/// Reads a table to its end.
pub(crate) fn read(stream: Stream<'_>, options: &OpenOptions) -> Result<Table, DataError> {
    let mut reader = Reader::open(stream, options)?;
    while reader.next()? {}
    reader.into_table(options)
}

/// Reads the columns of `options` to their end, in the order of the file; a missing cell is NaN, and
/// infinities are kept.
pub(crate) fn read_open_ended(
    stream: Stream<'_>,
    options: &OpenOptions,
) -> Result<Vec<(String, Vec<f64>)>, DataError> {
    let mut reader = Reader::open(stream, options)?;
    reader.open_ended = true;
    while reader.next()? {}
    let Table { loaded, names, columns, .. } = reader.into_table(options)?;
    let size = loaded.shape.size();
    let values = loaded.data.into_reals();
    let name = |at: usize| names.get(at).cloned().unwrap_or_else(|| format!("x{at}"));
    // Without a header, the names are the places in the file.
    let asked = |at: usize| match names.is_empty() {
        true => options.columns.get(at).cloned().unwrap_or_else(|| name(at)),
        false => name(at),
    };
    if let Some(at) = columns.iter().position(|column| column.kind == ColumnType::Category) {
        return Err(DataError::Unsuitable(format!("column '{}' holds words", asked(at))));
    }
    let column = |at: usize| values.iter().skip(at).step_by(size).copied().collect();
    Ok((0..size).map(|at| (asked(at), column(at))).collect())
}

/// What only all rows tell.
pub(super) struct Decided {
    names: Vec<String>,
    columns: Vec<Column>,
    /// The new numbers of the words of each entry.
    renumber: Vec<Option<Vec<f64>>>,
    /// The class of each word, if a column holds labels, and the names of the classes.
    pub(super) labels: Option<Labels>,
    notes: Vec<String>,
    /// What each column is.
    fates: Vec<Fate>,
}

impl Decided {
    /// The number of entries of a row.
    pub(super) fn entries(&self) -> usize {
        self.columns.len()
    }

    /// Whether there are columns of words.
    pub(super) fn has_words(&self) -> bool {
        self.renumber.iter().any(Option::is_some)
    }

    /// Gives a data set, which holds rows of the table, its columns.
    pub(super) fn describe(&self, data: &mut Dataset) {
        if data.shape.as_image().is_none() {
            data.column_names.clone_from(&self.names);
            data.columns.clone_from(&self.columns);
        }
        data.notes.clone_from(&self.notes);
    }
}

/// What a column is in the end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fate {
    Entry,
    Labels,
    Left,
}

pub(super) struct Reader<'a> {
    lines: Lines<'a>,
    dialect: Dialect,
    cells: Cells,
    roles: Vec<Role>,
    /// The names of all columns of the file; empty without a header.
    header: Vec<String>,
    header_line: u64,
    gaps: Vec<Gaps>,
    values: Values,
    pub(super) rows: usize,
    /// About the most entries that are held when a block of rows is read.
    pub(super) most: usize,
    /// The names of columns, until the first row has shown its width.
    names: Option<Vec<String>>,
    header_next: bool,
    started: bool,
    /// What the columns were found to be before, by a first reading.
    fates: Vec<Fate>,
    /// Rows to read one by one before a block is tried again, and after the next block that ends early.
    one_by_one: [usize; 2],
    /// Cells beyond the last column, which are empty.
    trailing: bool,
    comments: usize,
    /// The columns that are read; all if there are none.
    chosen: Vec<String>,
    /// Whether missing cells are NaN and infinities are kept.
    open_ended: bool,
    notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Begins to read; `.txt` and `.data` files have blanks between cells more often than others.
    pub(super) fn open(stream: Stream<'a>, options: &OpenOptions) -> Result<Self, DataError> {
        let name = stream.path.to_string_lossy().to_ascii_lowercase();
        let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
        let blanks_first = !(plain.ends_with(".csv") || plain.ends_with(".psv"));
        let mut lines = Lines::new(stream, &options.text)?;
        let dialect = dialect::infer(&mut lines, blanks_first, options)?;
        Ok(Self::new(lines, dialect, options.columns.clone()))
    }

    fn new(lines: Lines<'a>, dialect: Dialect, chosen: Vec<String>) -> Self {
        let cells = Cells::new(dialect.separator);
        let (names, header_line) = match &dialect.header {
            Header::Comment(line, names) => (Some(names.clone()), *line),
            _ => (None, 1),
        };
        Self {
            lines,
            header_next: dialect.header == Header::First,
            dialect,
            cells,
            roles: Vec::new(),
            header: Vec::new(),
            header_line,
            gaps: Vec::new(),
            values: Values::Bits(Vec::new()),
            rows: 0,
            most: usize::MAX,
            names,
            started: false,
            fates: Vec::new(),
            one_by_one: [0, FEW_ROWS],
            trailing: false,
            comments: 0,
            chosen,
            open_ended: false,
            notes: Vec::new(),
        }
    }

    /// Whether a column is read, of those that can be chosen.
    fn is_chosen(&self, column: usize) -> bool {
        match self.header.get(column) {
            Some(name) => self.chosen.contains(name),
            None => self.chosen.contains(&format!("x{column}")),
        }
    }

    /// Refuses columns that are to be read and are not there.
    fn check_chosen(&self, count: usize) -> Result<(), DataError> {
        let name = |column: usize| {
            self.header.get(column).cloned().unwrap_or_else(|| format!("x{column}"))
        };
        let names: Vec<String> = (0..count).map(name).filter(|name| !name.is_empty()).collect();
        match self.chosen.iter().find(|name| !names.contains(name)) {
            Some(missing) => Err(no_column(&self.lines.path().to_string_lossy(), missing, &names)),
            None => Ok(()),
        }
    }

    /// The place of a column in messages.
    fn place(&self, line: u64, column: usize) -> String {
        match self.header.get(column) {
            Some(name) => format!("line {line}, column {} ('{name:.40}')", column + 1),
            None => format!("line {line}, column {}", column + 1),
        }
    }

    fn bad(&self, line: u64, column: usize, problem: impl Into<String>) -> DataError {
        DataError::malformed(self.lines.path(), self.place(line, column), problem)
    }

    fn label(&self, column: usize) -> String {
        match self.header.get(column) {
            Some(name) => format!("'{name}'"),
            None => (column + 1).to_string(),
        }
    }

    /// Takes in the next row, and perhaps more; false at the end of the file.
    pub(super) fn next(&mut self) -> Result<bool, DataError> {
        while self.lines.record(self.dialect.separator)? {
            let line = self.lines.line;
            let record = self.lines.text();
            if dialect::is_blank(record) || line == self.dialect.first_line {
                continue;
            }
            if dialect::is_comment(record) && !self.is_row() {
                self.comments += usize::from(!self.is_header_line(line));
                continue;
            }
            let record = self.lines.text();
            self.cells.split(record);
            if self.header_next {
                self.header_next = false;
                self.header_line = line;
                let text = self.cells.text(record);
                let words = self.cells.places.iter();
                let words = words.map(|p| String::from_utf8_lossy(&text[p.clone()]).into_owned());
                self.names = Some(words.collect());
                continue;
            }
            if !self.started {
                self.started = true;
                let width = self.cells.places.len();
                let names = self.names.take();
                self.begin(names, width)?;
            }
            self.row(line)?;
            self.numbers()?;
            return Ok(true);
        }
        if let Some(names) = self.names.take() {
            self.begin(Some(names), 0)?;
        }
        Ok(false)
    }

    /// Whether a line that begins like a comment has as many cells as the rows before it: a cell may
    /// begin like one, as #N/A does.
    fn is_row(&mut self) -> bool {
        self.started && self.roles.len() > 1 && self.dialect.separator != BLANK && {
            self.cells.split(self.lines.text());
            self.cells.places.len() == self.roles.len()
        }
    }

    fn is_header_line(&self, line: u64) -> bool {
        matches!(&self.dialect.header, Header::Comment(at, _) if *at == line)
    }

    /// Gives each column its role, from the header and the width of the first row.
    fn begin(&mut self, names: Option<Vec<String>>, width: usize) -> Result<(), DataError> {
        let mut names: Vec<String> = names.unwrap_or_default();
        let named = !names.is_empty();
        let mut count = if named { names.len() } else { width };
        let last_is_empty = |reader: &Self| {
            let record = reader.lines.text();
            let text = reader.cells.text(record);
            reader.cells.places.last().is_some_and(|place| text[place.clone()].is_empty())
        };
        let mut row_names = false;
        if named && width == names.len() + 1 && !last_is_empty(self) {
            // As R writes it: the names of rows have no name.
            names.insert(0, String::new());
            count += 1;
            row_names = true;
        }
        // A separator after the last cell.
        if named && names.len() > 1 && names.last().is_some_and(String::is_empty) {
            if width == count && !last_is_empty(self) {
                self.header.clone_from(&names);
                return Err(self.bad(
                    self.header_line,
                    count - 1,
                    "the column has no name; expected one (--header no if the line is data)",
                ));
            }
            names.pop();
            count -= 1;
            self.trailing = true;
        }
        self.header = names;
        if let Some(at) =
            (1..self.header.len()).find(|&at| self.header[..at].contains(&self.header[at]))
        {
            let name = self.header[at].clone();
            let first = self.header.iter().position(|other| *other == name).unwrap_or(0);
            if !name.is_empty() {
                return Err(self.bad(
                    self.header_line,
                    at,
                    format!(
                        "column {} has this name, too; expected a name of its own for each column",
                        first + 1
                    ),
                ));
            }
        }
        self.gaps = vec![Gaps::default(); count];
        self.check_chosen(count)?;
        for column in 0..count {
            let name = self.header.get(column).map(String::as_str);
            let role = match name {
                _ if self.is_chosen(column) => Role::Entry(Box::default()),
                Some(name) if name.eq_ignore_ascii_case(FOLD_NAME) && !self.chosen.is_empty() => {
                    Role::Folds(Vec::new())
                }
                _ if !self.chosen.is_empty() => Role::Left,
                Some("") if row_names && column == 0 => Role::Left,
                Some(name) if column == 0 && (name.is_empty() || name == "Unnamed: 0") => {
                    Role::Index(Vec::new(), 0)
                }
                Some("") => {
                    return Err(self.bad(
                        self.header_line,
                        column,
                        "the column has no name; expected one for each column",
                    ));
                }
                Some(name) if dialect::is_label_name(name) => {
                    Role::Labels { words: Words::default(), rows: Vec::new() }
                }
                Some(name) if name.eq_ignore_ascii_case(FOLD_NAME) => Role::Folds(Vec::new()),
                _ => Role::Entry(Box::default()),
            };
            // A first reading has found out what else it is.
            self.roles.push(match self.fates.get(column) {
                Some(Fate::Left) => Role::Left,
                Some(Fate::Entry) => Role::Entry(Box::default()),
                _ => role,
            });
        }
        if row_names {
            self.notes.push(
                "the first column has no name and was left out, as the names of rows (name it to keep \
                 it)"
                    .to_owned(),
            );
        }
        Ok(())
    }

    /// Takes in a row, whose cells are split.
    fn row(&mut self, line: u64) -> Result<(), DataError> {
        let width = self.roles.len();
        match &mut self.values {
            Values::Bits(bits) => reserve(bits, width, self.lines.path())?,
            Values::Reals(values) => reserve(values, width, self.lines.path())?,
        }
        let mut found = self.cells.places.len();
        let record = self.lines.text();
        let text = self.cells.text(record);
        if found == width + 1 && text[self.cells.places[width].clone()].is_empty() {
            self.trailing = true;
            found = width;
        }
        if found != width {
            let of = if self.header.is_empty() { "as in the first" } else { "as in the header" };
            let advice = match self.dialect.decimal {
                b'.' if self.dialect.separator == b',' && found > width => {
                    " (decimal commas are read with --decimal , and another separator)"
                }
                _ => " (--separator gives another)",
            };
            return Err(self.bad(
                line,
                found.min(width),
                format!(
                    "{} in this row; expected {width} {of}, separated by {}{advice}",
                    match found {
                        1 => "1 cell".to_owned(),
                        n => format!("{n} cells"),
                    },
                    separator_name(self.dialect.separator),
                ),
            ));
        }
        for column in 0..width {
            let cell = &text[self.cells.places[column].clone()];
            let value = match &mut self.roles[column] {
                Role::Left => continue,
                Role::Entry(entry) => match self.dialect.cell(cell) {
                    Cell::Number(value, decimals) => {
                        match &entry.first {
                            None => entry.first = Some((line, None)),
                            Some((first, Some(word))) => {
                                let (first, word) = (*first, word.clone());
                                let number = String::from_utf8_lossy(cell).into_owned();
                                return Err(self.bad(
                                    first,
                                    column,
                                    format!(
                                        "'{word:.30}'; expected a number, as {number:.30} on line \
                                         {line} (a column of words holds no numbers)"
                                    ),
                                ));
                            }
                            Some(_) => {}
                        }
                        if value.abs() > MOST_REAL {
                            let problem = beyond(&String::from_utf8_lossy(cell));
                            return Err(self.bad(line, column, problem));
                        }
                        entry.numbers.add(value, decimals);
                        value
                    }
                    Cell::Missing if self.open_ended => f64::NAN,
                    Cell::Infinite if self.open_ended => {
                        let negative = cell.first() == Some(&b'-');
                        if negative { f64::NEG_INFINITY } else { f64::INFINITY }
                    }
                    Cell::Missing => {
                        let cell = String::from_utf8_lossy(cell).into_owned();
                        gap(&mut self.gaps[column], line, cell);
                        0.0
                    }
                    Cell::Infinite => {
                        let cell = String::from_utf8_lossy(cell).into_owned();
                        return Err(self.bad(
                            line,
                            column,
                            format!("'{cell:.30}'; expected a finite number"),
                        ));
                    }
                    Cell::Inexact => {
                        let cell = String::from_utf8_lossy(cell).into_owned();
                        return Err(self.bad(
                            line,
                            column,
                            format!(
                                "{cell:.40} has more digits than double precision holds; leave the \
                                 column out, or write it as words"
                            ),
                        ));
                    }
                    Cell::Text => {
                        let word = String::from_utf8_lossy(cell).into_owned();
                        if let Some(problem) = self.dialect.almost_number(&word) {
                            return Err(self.bad(
                                line,
                                column,
                                format!("'{word:.30}'; expected a finite number: it has {problem}"),
                            ));
                        }
                        match &entry.first {
                            None => entry.first = Some((line, Some(word.clone()))),
                            Some((first, None)) => {
                                let first = *first;
                                return Err(self.bad(
                                    line,
                                    column,
                                    format!(
                                        "'{word:.30}'; expected a finite number, as on line {first} \
                                         (--missing {word:.30} if it stands for a missing one)"
                                    ),
                                ));
                            }
                            Some(_) => {}
                        }
                        let number = entry.words.number(&word);
                        if number as usize >= MOST_CATEGORIES {
                            return Err(self.bad(
                                line,
                                column,
                                format!(
                                    "more than {MOST_CATEGORIES} different words; expected numbers, or \
                                     fewer categories (leave out columns of names and notes)"
                                ),
                            ));
                        }
                        f64::from(number)
                    }
                },
                Role::Labels { words, rows } => {
                    let word = String::from_utf8_lossy(cell);
                    if self.dialect.is_missing_name(&word) {
                        gap(&mut self.gaps[column], line, word.into_owned());
                        rows.push(0);
                    } else {
                        rows.push(words.number(&word));
                    }
                    continue;
                }
                Role::Folds(folds) => {
                    let word = String::from_utf8_lossy(cell);
                    match word.parse() {
                        Ok(fold) => folds.push(fold),
                        Err(_) => {
                            let word = word.into_owned();
                            return Err(self.bad(
                                line,
                                column,
                                format!(
                                    "'{word:.30}'; expected the whole number of a fold, since the \
                                     column is named fold (name it otherwise if it is an entry)"
                                ),
                            ));
                        }
                    }
                    continue;
                }
                Role::Index(numbers, _) => {
                    if let Cell::Number(value, _) = self.dialect.cell(cell)
                        && value.fract() == 0.0
                    {
                        numbers.push(value);
                    }
                    continue;
                }
            };
            self.values.push(value);
        }
        self.rows += 1;
        Ok(())
    }

    /// The table, whose rows are all held.
    pub(super) fn into_table(mut self, options: &OpenOptions) -> Result<Table, DataError> {
        let mut decided = self.decide(options)?;
        let folds = self.roles.iter_mut().find_map(|role| match role {
            Role::Folds(folds) => Some(std::mem::take(folds)),
            _ => None,
        });
        let loaded = self.part(&decided, usize::MAX)?;
        let (names, columns) = (decided.names, decided.columns);
        let notes = std::mem::take(&mut decided.notes);
        Ok(Table { loaded, names, columns, folds, notes })
    }

    /// Takes in the rows ahead that hold numbers alone, once all columns are known to, until enough
    /// entries are held.
    fn numbers(&mut self) -> Result<(), DataError> {
        if self.one_by_one[0] > 0 {
            self.one_by_one[0] -= 1;
            return Ok(());
        }
        let numbers = |role: &Role| match role {
            Role::Entry(entry) => matches!(entry.first, Some((_, None))),
            _ => false,
        };
        let Values::Reals(values) = &mut self.values else { return Ok(()) };
        if !self.dialect.missing_values.is_empty() || !self.roles.iter().all(numbers) {
            return Ok(());
        }
        let width = self.roles.len();
        loop {
            let text = self.lines.whole_lines(AHEAD)?;
            let all = text.len();
            let blocks = plain::parse(text, width, &self.dialect);
            let (mut bytes, mut lines) = (0, 0);
            for block in blocks {
                reserve(values, block.values.len(), self.lines.path())?;
                values.extend_from_slice(&block.values);
                for (role, numbers) in self.roles.iter_mut().zip(block.columns) {
                    if let Role::Entry(entry) = role {
                        entry.numbers.merge(numbers);
                    }
                }
                bytes += block.bytes;
                lines += block.rows;
            }
            self.rows += lines as usize;
            self.lines.pass(bytes, lines);
            if bytes < all || all == 0 {
                // The more seldom, the less it helps.
                let [_, next] = self.one_by_one;
                let next = if lines > 1000 { FEW_ROWS } else { next };
                self.one_by_one = [next, next.saturating_mul(2)];
                return Ok(());
            }
            if values.len() > self.most {
                return Ok(());
            }
        }
    }

    /// Decides on what only the whole column tells.
    pub(super) fn decide(&mut self, options: &OpenOptions) -> Result<Decided, DataError> {
        let none = |reader: &Self| {
            DataError::malformed(
                reader.lines.path(),
                "line 1, column 1",
                "no numbers; expected at least one row of them",
            )
        };
        if self.rows == 0 {
            return Err(none(self));
        }
        self.refuse_gaps()?;
        self.check_index()?;
        self.choose_labels(options)?;
        if !self.roles.iter().any(|role| matches!(role, Role::Entry(_))) {
            return Err(none(self));
        }
        if self.trailing {
            self.notes.push("separators after the last cell of a row were passed over".to_owned());
        }
        if self.comments > 0 {
            self.notes.push(match self.comments {
                1 => "1 comment line (#) was passed over".to_owned(),
                n => format!("{n} comment lines (#) were passed over"),
            });
        }
        let mut notes = std::mem::take(&mut self.lines.notes);
        notes.append(&mut self.dialect.notes);
        notes.append(&mut self.notes);
        let mut decided = Decided {
            names: Vec::new(),
            columns: Vec::new(),
            renumber: Vec::new(),
            labels: None,
            notes,
            fates: Vec::new(),
        };
        for (column, role) in self.roles.iter().enumerate() {
            decided.fates.push(match role {
                Role::Entry(entry) => {
                    let (found, order) = entry.finish();
                    if options.image_shape.is_some() && found.kind == ColumnType::Category {
                        let line = entry.first.as_ref().map_or(0, |(line, _)| *line);
                        let problem = "words; expected the numbers of a pixel (--image)";
                        return Err(self.bad(line, column, problem));
                    }
                    decided.names.extend(self.header.get(column).cloned());
                    let column = found;
                    decided.columns.push(column);
                    decided.renumber.push(order);
                    Fate::Entry
                }
                Role::Labels { words, .. } => {
                    let whole: Option<Vec<i64>> = words.names.iter().map(|w| whole(w)).collect();
                    decided.labels = Some(match whole {
                        // 3 and 3.0 are one class.
                        Some(whole) => Labels::of_numbers(&whole),
                        None => Labels {
                            numbers: (0..words.names.len() as u32).collect(),
                            names: words.names.clone(),
                            official: false,
                        },
                    });
                    Fate::Labels
                }
                Role::Folds(_) => {
                    decided.notes.push(format!(
                        "column {} holds the folds of the rows and is no entry (rename it to make it \
                         one)",
                        self.label(column)
                    ));
                    Fate::Left
                }
                Role::Index(..) | Role::Left => Fate::Left,
            });
        }
        Ok(decided)
    }

    /// Takes some of the rows that are held, as numbers, or all of them.
    pub(super) fn part(&mut self, decided: &Decided, rows: usize) -> Result<Loaded, DataError> {
        let taken = rows.saturating_mul(decided.entries());
        let changed = || {
            let path = self.lines.path();
            DataError::malformed(path, "the text", "it changed while it was read")
        };
        let words = decided.has_words();
        let data = match self.values.split_off(taken) {
            Values::Bits(bits) if !words => Data::Bits(bits),
            Values::Reals(values) if !words => Data::Reals(values),
            values => {
                let mut values = values.into_reals();
                renumber_words(&mut values, &decided.renumber).ok_or_else(changed)?;
                Data::Reals(values)
            }
        };
        let mut labels = None;
        for role in &mut self.roles {
            if let (Role::Labels { rows: held, .. }, Some(classes)) = (role, &decided.labels) {
                let class = |word: u32| classes.numbers.get(word as usize).copied();
                let numbers: Option<Vec<u32>> =
                    held.drain(..rows.min(held.len())).map(class).collect();
                labels = Some(Labels {
                    numbers: numbers.ok_or_else(changed)?,
                    names: classes.names.clone(),
                    official: false,
                });
            }
        }
        let path = self.lines.path().to_owned();
        Ok(Loaded { path, shape: Shape::columns(decided.entries()), data, labels })
    }

    /// The number of entries that are held.
    pub(super) fn held(&self) -> usize {
        match &self.values {
            Values::Bits(bits) => bits.len(),
            Values::Reals(values) => values.len(),
        }
    }

    /// Forgets the rows that are held, and gives what has to be known of their values.
    pub(super) fn forget(&mut self) -> Result<Facts, DataError> {
        let held = |values: &mut Values| match std::mem::replace(values, Values::Bits(Vec::new())) {
            Values::Bits(bits) => Facts::of(&Data::Bits(bits)),
            Values::Reals(values) => Facts::of(&Data::Reals(values)),
        };
        let mut facts = held(&mut self.values);
        for column in 0..self.roles.len() {
            match &mut self.roles[column] {
                Role::Labels { words, rows } => {
                    rows.clear();
                    if words.names.len() <= MOST_WORDS {
                        continue;
                    }
                    let numbers =
                        words.names.iter().map(|word| self.dialect.number(word)).collect();
                    let numbers: Option<Vec<f64>> = numbers;
                    let many = words.names.len() > MAX_CLASSES;
                    if self.take_for_entry(column)? {
                        let numbers = Facts::of(&Data::Reals(numbers.unwrap_or_default()));
                        facts = facts.and(numbers).and(held(&mut self.values));
                    } else if many {
                        return Err(self.too_many_labels(column));
                    }
                }
                Role::Index(numbers, before) => {
                    // Those that are held tell numbers of rows from other whole numbers.
                    *before += if *before == 0 { different(numbers) } else { numbers.len() };
                    numbers.clear();
                }
                Role::Folds(folds) => folds.clear(),
                Role::Entry(_) | Role::Left => {}
            }
        }
        Ok(facts)
    }

    /// Decides, after the rows were forgotten; the values of labels that are entries are added to the
    /// facts.
    pub(super) fn decide_without_rows(
        &mut self,
        options: &OpenOptions,
        facts: Facts,
    ) -> Result<(Decided, Facts), DataError> {
        let mut facts = facts.and(self.forget()?);
        let mut words = Vec::new();
        for role in &self.roles {
            words.push(match role {
                Role::Labels { words, .. } => words.names.clone(),
                _ => Vec::new(),
            });
        }
        let decided = self.decide(options)?;
        for (fate, words) in decided.fates.iter().zip(words) {
            if *fate == Fate::Entry && !words.is_empty() {
                let numbers = words.iter().filter_map(|word| self.dialect.number(word)).collect();
                facts = facts.and(Facts::of(&Data::Reals(numbers)));
            }
        }
        if decided.has_words() {
            facts = facts.and(Facts::of(&Data::Reals(Vec::new())));
        }
        Ok((decided, facts))
    }

    /// Tells what a first reading found out.
    pub(super) fn knowing(mut self, decided: &Decided) -> Self {
        self.fates.clone_from(&decided.fates);
        self
    }

    /// Refuses missing cells, counted by column.
    fn refuse_gaps(&self) -> Result<(), DataError> {
        let with = || self.gaps.iter().enumerate().filter(|(_, gaps)| gaps.count > 0);
        let Some((column, first)) = with().min_by_key(|(column, gaps)| (gaps.line, *column)) else {
            return Ok(());
        };
        let all: usize = with().map(|(_, gaps)| gaps.count).sum();
        let counts: Vec<String> = with()
            .take(20)
            .map(|(column, gaps)| format!("{} in column {}", gaps.count, self.label(column)))
            .collect();
        let more = if with().count() > counts.len() { ", …" } else { "" };
        let (what, expected) = match self.roles[column] {
            Role::Labels { .. } => ("no label", "a class"),
            _ => ("no value", "a finite number"),
        };
        let cell = match first.cell.as_str() {
            "" => String::new(),
            cell => format!(" ('{cell:.20}')"),
        };
        Err(self.bad(
            first.line,
            column,
            format!(
                "{what}{cell}; expected {expected} in each row ({all} missing: {}{more}); fill them in \
                 or leave their rows out",
                counts.join(", ")
            ),
        ))
    }

    /// A first column without a name is the index of the rows, or an error.
    fn check_index(&mut self) -> Result<(), DataError> {
        let Some(Role::Index(numbers, before)) = self.roles.first() else { return Ok(()) };
        if before + different(numbers) != self.rows {
            return Err(self.bad(
                self.header_line,
                0,
                "the column has no name and does not number the rows; expected a name for each column",
            ));
        }
        self.notes.push(
            "the first column has no name and numbers the rows; it was left out (name it to keep it)"
                .to_owned(),
        );
        Ok(())
    }

    /// Which of the columns named label, class or target holds the classes.
    fn choose_labels(&mut self, options: &OpenOptions) -> Result<(), DataError> {
        let columns: Vec<usize> = (0..self.roles.len())
            .filter(|&column| matches!(self.roles[column], Role::Labels { .. }))
            .collect();
        let mut classes = Vec::new();
        for column in columns {
            if !self.take_for_entry(column)? {
                classes.push(column);
            }
        }
        if let [first, second, ..] = classes[..] {
            return Err(self.bad(
                self.header_line,
                second,
                format!(
                    "it may hold the classes, and so may column {}; rename the one that does not",
                    self.label(first)
                ),
            ));
        }
        let Some(&column) = classes.first() else { return Ok(()) };
        if options.no_labels {
            self.notes.push(format!("column {} was left out (--no-labels)", self.label(column)));
            self.roles[column] = Role::Left;
            return Ok(());
        }
        let Role::Labels { words, .. } = &self.roles[column] else { return Ok(()) };
        let count = words.names.len();
        if count > MAX_CLASSES {
            return Err(self.too_many_labels(column));
        }
        self.notes.push(format!(
            "column {} holds the classes ({count}) and is no entry (rename it to make it one; \
             --no-labels leaves it out)",
            self.label(column)
        ));
        Ok(())
    }

    fn too_many_labels(&self, column: usize) -> DataError {
        let count = match &self.roles[column] {
            Role::Labels { words, .. } => words.names.len(),
            _ => 0,
        };
        self.bad(
            self.header_line,
            column,
            format!("{count} different labels; expected {MAX_CLASSES} classes at most"),
        )
    }

    /// Makes a column of labels an entry, if it holds no classes.
    fn take_for_entry(&mut self, column: usize) -> Result<bool, DataError> {
        let Role::Labels { words, .. } = &self.roles[column] else { return Ok(false) };
        let numbers: Option<Vec<f64>> =
            words.names.iter().map(|word| self.dialect.number(word)).collect();
        let many = words.names.len() > FEW_CLASSES && words.names.len() * 2 > self.rows;
        let (why, numbers) = match numbers {
            Some(numbers) if numbers.iter().any(|v| v.fract() != 0.0) => ("real values", numbers),
            Some(numbers) if many => ("nearly one value a row", numbers),
            _ => return Ok(false),
        };
        self.notes.push(format!(
            "column {} holds {why}, which are no classes; it is an entry",
            self.label(column)
        ));
        self.make_entry(column, &numbers)?;
        Ok(true)
    }

    /// Makes a column of labels an entry.
    fn make_entry(&mut self, column: usize, numbers: &[f64]) -> Result<(), DataError> {
        let Role::Labels { words, rows } =
            std::mem::replace(&mut self.roles[column], Role::Entry(Box::default()))
        else {
            return Ok(());
        };
        let mut entry = Entry { first: Some((self.lines.line, None)), ..Entry::default() };
        for (word, &value) in words.names.iter().zip(numbers) {
            let known = match self.dialect.cell(word.as_bytes()) {
                Cell::Number(_, decimals) if value.abs() <= MOST_REAL => decimals,
                _ => {
                    return Err(self.bad(
                        self.header_line,
                        column,
                        format!("'{word:.30}'; expected finite numbers"),
                    ));
                }
            };
            entry.numbers.add(value, known);
        }
        let of = |roles: &[Role]| roles.iter().filter(|r| matches!(r, Role::Entry(_))).count();
        let (at, width) = (of(&self.roles[..column]), of(&self.roles) - 1);
        self.roles[column] = Role::Entry(Box::new(entry));
        let old = std::mem::replace(&mut self.values, Values::Bits(Vec::new())).into_reals();
        let mut values = Vec::with_capacity(old.len() + rows.len());
        for (row, &word) in rows.iter().enumerate() {
            let old = &old[row * width..(row + 1) * width];
            values.extend_from_slice(&old[..at]);
            values.push(numbers[word as usize]);
            values.extend_from_slice(&old[at..]);
        }
        self.values = Values::Reals(values);
        Ok(())
    }
}

impl Entry {
    /// The column, and the new numbers of its words in alphabetical order.
    fn finish(&self) -> (Column, Option<Vec<f64>>) {
        if matches!(self.first, Some((_, Some(_)))) {
            let mut categories = self.words.names.clone();
            categories.sort_unstable();
            let place = |name: &String| categories.binary_search(name).unwrap_or(0) as f64;
            let order = self.words.names.iter().map(place).collect();
            let column = Column { kind: ColumnType::Category, decimals: Some(0), categories };
            return (column, Some(order));
        }
        let Numbers { decimals, fractions, negative, beyond_bits } = self.numbers;
        let kind = match (fractions, negative, beyond_bits) {
            (false, false, false) => ColumnType::Binary,
            (false, false, true) => ColumnType::Count,
            _ => ColumnType::Real,
        };
        let decimals = if fractions { decimals } else { 0 };
        let decimals = Some(decimals).filter(|&d| d <= MOST_DECIMALS);
        (Column { kind, decimals, categories: Vec::new() }, None)
    }
}

fn gap(gaps: &mut Gaps, line: u64, cell: String) {
    if gaps.count == 0 {
        (gaps.line, gaps.cell) = (line, cell);
    }
    gaps.count += 1;
}

/// How many different numbers there are.
fn different(numbers: &[f64]) -> usize {
    let mut known = numbers.to_vec();
    known.sort_unstable_by(f64::total_cmp);
    known.dedup();
    known.len()
}

/// Numbers words by their new order; `None` if one has no new number.
fn renumber_words(values: &mut [f64], order: &[Option<Vec<f64>>]) -> Option<()> {
    for row in values.chunks_exact_mut(order.len().max(1)) {
        for (value, order) in row.iter_mut().zip(order) {
            if let Some(order) = order {
                *value = *order.get(*value as usize)?;
            }
        }
    }
    Some(())
}

/// A label that is a whole number.
fn whole(word: &str) -> Option<i64> {
    let value = word.parse::<f64>().ok()?;
    (value.fract() == 0.0 && value.abs() < 1e15).then_some(value as i64)
}

/// The error for a column that is not there.
pub(crate) fn no_column(data: &str, name: &str, names: &[String]) -> DataError {
    let some: Vec<&str> = names.iter().take(20).map(String::as_str).collect();
    let more = if names.len() > some.len() { ", …" } else { "" };
    let near = crate::nearest(name, &some);
    let hint = near.map_or(String::new(), |near| format!("did you mean '{near}'? "));
    DataError::Unsuitable(format!(
        "{data}: there is no column '{name}'; {hint}the columns are {}{more}",
        some.join(", ")
    ))
}

/// A separator in words.
fn separator_name(separator: u8) -> String {
    match separator {
        b'\t' => "tabs".to_owned(),
        b' ' => "blanks".to_owned(),
        other => format!("'{}'", other as char),
    }
}
