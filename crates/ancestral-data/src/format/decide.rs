//! What only all rows of a table tell: kinds of columns, classes, missing cells.

use std::collections::BTreeSet;

use super::dialect::Cell;
use super::notation::begins_like_number;
use super::npy::MOST_REAL;
use super::roles::{Decided, Entry, Fate, Role, Values, different, renumber_words, whole};
use super::table::Reader;
use super::{Data, Facts, Labels, Loaded, MAX_CLASSES};
use crate::{ColumnType, DataError, OpenOptions, Shape};

/// The most words of a column of possible classes that are looked at while rows are not held.
const MOST_WORDS: usize = 1 << 16;
/// Whole numbers with more distinct values than this, and than half of the rows, are no classes.
const FEW_CLASSES: usize = 20;

impl Reader<'_> {
    /// Decides on what only the whole column tells.
    pub(super) fn decide(&mut self, options: &OpenOptions) -> Result<Decided, DataError> {
        let none = |reader: &Self| {
            let has_left = reader.words_left[1] || !reader.left.is_empty();
            let problem = match has_left && reader.rows > 0 {
                true => {
                    "no column holds numbers, of those that are not left out; expected at least one"
                }
                false => "no numbers; expected at least one row of them",
            };
            DataError::malformed(reader.lines.path(), "line 1, column 1", problem)
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
        if self.blanks[1] > 0 {
            self.notes.push(format!(
                "blank lines between rows were passed over ({}; write ? where a value is missing)",
                self.blanks[1]
            ));
        }
        self.note_numbers();
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
                    // Without a header, places among all columns are not those among the entries.
                    let has_left = self.words_left[1] || !self.left.is_empty();
                    if has_left || !self.header.is_empty() {
                        decided.names.push(self.name(column));
                    }
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

    /// Notes what of cells that look like numbers is lost.
    fn note_numbers(&mut self) {
        let (mut zeros, mut words) = (Vec::new(), Vec::new());
        for (column, role) in self.roles.iter().enumerate() {
            let Role::Entry(entry) = role else { continue };
            match &entry.first {
                Some((_, None)) if entry.numbers.zero_first && !entry.numbers.fractions => {
                    zeros.push(self.label(column));
                }
                Some((_, Some(word))) => {
                    let like = |word: &&String| begins_like_number(word);
                    let names = &entry.words.names;
                    if names.iter().filter(like).count() * 2 >= names.len() {
                        let word = names.iter().find(like).unwrap_or(word);
                        words.push(format!("{}, as '{word:.30}'", self.label(column)));
                    }
                }
                _ => {}
            }
        }
        let listed = |columns: &[String], separator: &str| {
            let some = columns.iter().take(20).map(String::as_str).collect::<Vec<_>>();
            let more = if columns.len() > some.len() { ", …" } else { "" };
            let s = if columns.len() == 1 { "" } else { "s" };
            format!("column{s} {}{more}", some.join(separator))
        };
        if !zeros.is_empty() {
            self.notes.push(format!(
                "{}: zeros before the digits were passed over, as in 007 (write a letter before them to \
                 make them words)",
                listed(&zeros, ", ")
            ));
        }
        if !words.is_empty() {
            self.notes.push(format!(
                "{}: cells that begin like numbers were taken for words (write plain numbers if they \
                 are meant)",
                listed(&words, "; ")
            ));
        }
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
    pub(super) fn refuse_gaps(&self) -> Result<(), DataError> {
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
    pub(super) fn check_index(&mut self) -> Result<(), DataError> {
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
    pub(super) fn choose_labels(&mut self, options: &OpenOptions) -> Result<(), DataError> {
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
            self.notes.push(format!(
                "column {} may hold classes and was left out, as classes are here (rename it to make it \
                 an entry)",
                self.label(column)
            ));
            self.roles[column] = Role::Left;
            return Ok(());
        }
        let Role::Labels { words, .. } = &self.roles[column] else { return Ok(()) };
        let count = words.names.len();
        if count > MAX_CLASSES {
            return Err(self.too_many_labels(column));
        }
        let whole: Option<BTreeSet<i64>> = words.names.iter().map(|word| whole(word)).collect();
        let merged = whole.is_some_and(|whole| whole.len() < count);
        let numbers = words.names.iter().all(|word| self.dialect.number(word).is_some());
        let few = if !numbers && count > FEW_CLASSES && count * 2 > self.rows {
            format!(" in {} rows, which may be no classes", self.rows)
        } else {
            String::new()
        };
        self.notes.push(format!(
            "column {} holds the classes ({count}{few}) and is no entry (rename it to make it one; \
             --no-labels leaves it out)",
            self.label(column)
        ));
        if merged {
            self.notes.push(format!(
                "labels of column {} that are one number, as 1, 01 and 1.0, are one class",
                self.label(column)
            ));
        }
        Ok(())
    }

    pub(super) fn too_many_labels(&self, column: usize) -> DataError {
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
    pub(super) fn take_for_entry(&mut self, column: usize) -> Result<bool, DataError> {
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
    pub(super) fn make_entry(&mut self, column: usize, numbers: &[f64]) -> Result<(), DataError> {
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
