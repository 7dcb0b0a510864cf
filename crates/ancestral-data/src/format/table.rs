//! Tables of text: columns by name and kind, classes, folds.

use std::path::Path;

use super::cells::{Cells, is_blank};
use super::dialect::{self, Cell, Dialect, FOLD_NAME, Header};
use super::lines::{BLANK, Lines};
use super::notation;
use super::npy::{MOST_REAL, beyond};
use super::plain;
use super::roles::{self, Fate, Gaps, Role, Values, Words, gap};
use super::{Loaded, Stream, arff, assemble, reserve};
use crate::{Column, ColumnType, DataError, Dataset, OpenOptions, Sought, SplitName};

/// The most distinct values of a column of words.
const MOST_CATEGORIES: usize = 1000;
/// Rows that are read one by one after a row that does not hold numbers alone, doubled each time.
const FEW_ROWS: usize = 16;
/// Text that is read at once where rows hold numbers alone, in bytes.
const AHEAD: usize = 1 << 20;

/// A parsed table.
pub(crate) struct Table {
    pub(super) loaded: Loaded,
    pub(super) names: Vec<String>,
    pub(super) columns: Vec<Column>,
    /// The fold of each row, if the table has such a column.
    pub(super) folds: Option<Vec<u32>>,
    pub(super) notes: Vec<String>,
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

pub(super) struct Reader<'a> {
    pub(super) lines: Lines<'a>,
    pub(super) dialect: Dialect,
    pub(super) cells: Cells,
    pub(super) roles: Vec<Role>,
    /// The names of all columns of the file; empty without a header.
    pub(super) header: Vec<String>,
    pub(super) header_line: u64,
    pub(super) gaps: Vec<Gaps>,
    pub(super) values: Values,
    pub(super) rows: usize,
    /// About the most entries that are held when a block of rows is read.
    pub(super) most: usize,
    /// The names of columns, until the first row has shown its width.
    pub(super) names: Option<Vec<String>>,
    pub(super) header_next: bool,
    pub(super) started: bool,
    /// What the columns were found to be before, by a first reading.
    pub(super) fates: Vec<Fate>,
    /// Rows to read one by one before a block is tried again, and after the next block that ends early.
    pub(super) one_by_one: [usize; 2],
    /// Cells beyond the last column, which are empty.
    pub(super) trailing: bool,
    pub(super) comments: usize,
    /// Blank lines since the last row, and all between rows of one column.
    pub(super) blanks: [usize; 2],
    /// The columns that are read; all if there are none.
    pub(super) chosen: Vec<String>,
    /// Columns that are entries, whatever their names.
    pub(super) entries: Vec<String>,
    /// Columns that are left out.
    pub(super) left: Vec<String>,
    /// Whether columns of words are left out, and whether some were.
    pub(super) words_left: [bool; 2],
    /// Whether a column of classes is read beside those that are chosen.
    with_classes: bool,
    /// Whether all columns are left out, so that only the cells of each row are of interest.
    cells_alone: bool,
    /// Whether missing cells are NaN and infinities are kept.
    pub(super) open_ended: bool,
    pub(super) notes: Vec<String>,
}

impl<'a> Reader<'a> {
    /// Begins to read; `.txt` and `.data` files have blanks between cells more often than others.
    pub(super) fn open(stream: Stream<'a>, options: &OpenOptions) -> Result<Self, DataError> {
        let name = stream.path.to_string_lossy().to_ascii_lowercase();
        let plain = name.trim_end_matches(".gz").trim_end_matches(".zst");
        let blanks_first = !(plain.ends_with(".csv") || plain.ends_with(".psv"));
        let mut lines = Lines::new(stream, &options.text)?;
        let dialect = dialect::infer(&mut lines, blanks_first, options)?;
        Ok(Self::new(lines, dialect, options))
    }

    fn new(lines: Lines<'a>, dialect: Dialect, options: &OpenOptions) -> Self {
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
            blanks: [0; 2],
            chosen: options.columns.clone(),
            entries: options.expected.columns.clone(),
            left: options.left.clone(),
            words_left: [options.words_left, false],
            with_classes: options.with_classes,
            cells_alone: false,
            open_ended: false,
            notes: Vec::new(),
        }
    }

    /// The name of a column, by which it can be chosen.
    pub(super) fn name(&self, column: usize) -> String {
        self.header.get(column).cloned().unwrap_or_else(|| format!("x{column}"))
    }

    /// Refuses columns that are to be read, or left out, and are not there.
    fn check_chosen(&self, count: usize) -> Result<(), DataError> {
        let names: Vec<String> =
            (0..count).map(|column| self.name(column)).filter(|name| !name.is_empty()).collect();
        match self.chosen.iter().chain(&self.left).find(|name| !names.contains(name)) {
            Some(missing) => Err(no_column(&self.lines.path().to_string_lossy(), missing, &names)),
            None => Ok(()),
        }
    }

    /// The place of a column in messages.
    pub(super) fn place(&self, line: u64, column: usize) -> String {
        match self.header.get(column) {
            Some(name) => format!("line {line}, column {} ('{name:.40}')", column + 1),
            None => format!("line {line}, column {}", column + 1),
        }
    }

    pub(super) fn bad(&self, line: u64, column: usize, problem: impl Into<String>) -> DataError {
        DataError::malformed(self.lines.path(), self.place(line, column), problem)
    }

    pub(super) fn label(&self, column: usize) -> String {
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
            if is_blank(record) || line == self.dialect.first_line {
                self.blanks[0] += usize::from(self.started && self.roles.len() == 1);
                continue;
            }
            self.blanks[1] += std::mem::take(&mut self.blanks[0]);
            if dialect::is_comment(record) && !self.is_row() {
                self.comments += usize::from(!self.is_header_line(line));
                continue;
            }
            let record = self.lines.text();
            self.cells.split(record);
            if self.cells.stray {
                return Err(DataError::malformed(
                    self.lines.path(),
                    format!("line {line}"),
                    "a quoted cell goes on after its end; expected a separator there, and quotes \
                     within a cell twice",
                ));
            }
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
            let record = self.lines.text();
            let first = self.cells.text(record).get(self.cells.places[0].clone());
            let first = first.unwrap_or_default();
            if matches!(self.dialect.cell(first), Cell::Number(value, _) if value.fract() != 0.0) {
                let first = String::from_utf8_lossy(first).into_owned();
                return Err(DataError::malformed(
                    self.lines.path(),
                    format!("line {}", self.lines.line),
                    format!(
                        "{width} cells in this row; expected {} as in the header, as '{first:.30}' is no \
                         name of a row",
                        names.len()
                    ),
                ));
            }
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
        if !named && self.dialect.trailing && count > 1 {
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
            let own = self.name(column);
            let role = match name {
                _ if self.cells_alone || self.left.contains(&own) => Role::Left,
                _ if self.chosen.contains(&own) => Role::Entry(Box::default()),
                Some(name) if self.entries.iter().any(|entry| entry == name) => {
                    Role::Entry(Box::default())
                }
                Some(name) if name.eq_ignore_ascii_case(FOLD_NAME) && !self.chosen.is_empty() => {
                    Role::Folds(Vec::new())
                }
                Some(name) if self.with_classes && dialect::is_label_name(name) => {
                    Role::Labels { words: Words::default(), rows: Vec::new() }
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
        let mut words = Vec::new();
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
                        entry.numbers.zero_first |= plain::has_zero_first(cell);
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
                        if let Some(problem) = notation::almost_number(&word, self.dialect.decimal)
                        {
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
                        if self.words_left[0] {
                            words.push(column);
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
        words.into_iter().for_each(|column| self.leave_out(column));
        Ok(())
    }

    /// Leaves an entry out, with its values in the rows that are held.
    fn leave_out(&mut self, column: usize) {
        let of = |roles: &[Role]| roles.iter().filter(|r| matches!(r, Role::Entry(_))).count();
        let (at, width) = (of(&self.roles[..column]), of(&self.roles));
        let mut place = 0;
        let mut stays = || {
            let stays = place % width != at;
            place += 1;
            stays
        };
        match &mut self.values {
            Values::Bits(bits) => bits.retain(|_| stays()),
            Values::Reals(values) => values.retain(|_| stays()),
        }
        self.roles[column] = Role::Left;
        self.gaps[column] = Gaps::default();
        self.words_left[1] = true;
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
}

/// The cells of a table as text, row after row.
pub struct TextRows {
    reader: Reader<'static>,
    columns: Vec<String>,
    /// Places of the columns that are asked for, once a row has been read.
    places: Option<Vec<usize>>,
}

impl std::fmt::Debug for TextRows {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TextRows").field("columns", &self.columns).finish_non_exhaustive()
    }
}

impl TextRows {
    /// Begins to read columns of a table, by name; the rows are those that [`crate::open`] takes for rows.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn open(path: &Path, columns: &[String], options: &OpenOptions) -> Result<Self, DataError> {
        let plain = OpenOptions { columns: Vec::new(), left: Vec::new(), ..options.clone() };
        let (stream, options) = arff::text_of(path, &plain)?;
        let mut reader = Reader::open(stream, &options)?;
        reader.cells_alone = true;
        Ok(Self { reader, columns: columns.to_vec(), places: None })
    }

    /// The names of all columns of a table in their order, `x0`, `x1`, … where they have none.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn names(path: &Path, options: &OpenOptions) -> Result<Vec<String>, DataError> {
        let mut rows = Self::open(path, &[], options)?;
        rows.reader.next()?;
        Ok((0..rows.reader.roles.len()).map(|column| rows.reader.name(column)).collect())
    }

    /// Adds the cells of the next row, in the order of the columns; false at the end of the table.
    ///
    /// # Errors
    /// If the file cannot be read, a row has other cells than the first, or there is no such column.
    pub fn next_row(&mut self, cells: &mut Vec<String>) -> Result<bool, DataError> {
        if !self.reader.next()? {
            return Ok(false);
        }
        let places = match self.places.take() {
            Some(places) => places,
            None => {
                let count = self.reader.roles.len();
                let names: Vec<String> = (0..count).map(|at| self.reader.name(at)).collect();
                let place = |wanted: &String| {
                    names.iter().position(|name| name == wanted).ok_or_else(|| {
                        no_column(&self.reader.lines.path().to_string_lossy(), wanted, &names)
                    })
                };
                self.columns.iter().map(place).collect::<Result<_, _>>()?
            }
        };
        let text = self.reader.cells.text(self.reader.lines.text());
        for &at in &places {
            let cell = self.reader.cells.places.get(at).cloned().unwrap_or_default();
            cells.push(String::from_utf8_lossy(&text[cell]).into_owned());
        }
        self.places = Some(places);
        Ok(true)
    }
}

/// The first line of a table that holds a cell: in the column of this place among the entries and of
/// this name, or in a column of classes.
pub(crate) fn line_of(
    path: &Path,
    options: &OpenOptions,
    column: Option<(usize, Option<&str>)>,
    sought: &Sought,
) -> Option<u64> {
    let (stream, options) = arff::text_of(path, options).ok()?;
    let mut reader = Reader::open(stream, &options).ok()?;
    let mut names = reader.names.take();
    let mut place = None;
    while reader.lines.record(reader.dialect.separator).ok()? {
        let record = reader.lines.text();
        if is_blank(record) || reader.lines.line == reader.dialect.first_line {
            continue;
        }
        reader.cells.split(record);
        let text = reader.cells.text(record);
        let word = |place: &std::ops::Range<usize>| String::from_utf8_lossy(&text[place.clone()]);
        let places = &reader.cells.places;
        if dialect::is_comment(record) && place.is_none() {
            continue;
        }
        if std::mem::take(&mut reader.header_next) {
            names = Some(places.iter().map(|place| word(place).into_owned()).collect());
            continue;
        }
        let at = *place.get_or_insert_with(|| {
            let names = names.as_deref().unwrap_or_default();
            let is_it = |name: &String| match column {
                Some((_, wanted)) => wanted == Some(name.as_str()),
                None => dialect::is_label_name(name) && !options.expected.columns.contains(name),
            };
            // The names of rows have no name.
            let shift = usize::from(!names.is_empty() && places.len() == names.len() + 1);
            match (names.iter().position(is_it), column) {
                (Some(at), _) => at + shift,
                (None, Some((at, None))) => at,
                _ => usize::MAX,
            }
        });
        let Some(cell) = places.get(at) else { continue };
        let found = match sought {
            Sought::Number { value, .. } => {
                matches!(reader.dialect.cell(&text[cell.clone()]), Cell::Number(n, _) if n == *value)
            }
            Sought::Word { word: wanted, .. } => word(cell) == wanted.as_str(),
            Sought::Label(class) => {
                let label = word(cell);
                let number = roles::whole(&label);
                label == class.as_str() || (number.is_some() && number == roles::whole(class))
            }
        };
        if found {
            return Some(reader.lines.line);
        }
    }
    None
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
