//! The format of a file of baskets, told by its first lines, and the cells of a line.

use std::collections::HashSet;
use std::fmt;
use std::str::FromStr;

use super::error::{Result, RulesError};

/// The kind of a file, as a user gives it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Layout {
    /// A basket a line, no header.
    Baskets,
    /// A header of two names, if there is one; then a basket and one of its items a line.
    Long,
    /// A header of the items; then a basket a line, with 0/1 or true/false for each item.
    Table,
}

impl Layout {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Baskets => "baskets",
            Self::Long => "long",
            Self::Table => "table",
        }
    }
}

impl FromStr for Layout {
    type Err = RulesError;

    fn from_str(name: &str) -> Result<Self> {
        let all = [Self::Baskets, Self::Long, Self::Table];
        all.into_iter().find(|layout| layout.as_str() == name).ok_or_else(|| RulesError::Setting {
            name: "the format",
            value: format!("'{name}'"),
            allowed: "it is baskets, long or table",
        })
    }
}

/// What is between the cells of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Separator {
    /// Blanks and tabs.
    Blank,
    /// Commas, with quotes as in CSV.
    Comma,
    /// Semicolons, with quotes as in CSV.
    Semicolon,
    /// Tabs, with quotes as in CSV.
    Tab,
}

impl Separator {
    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Blank => "blank",
            Self::Comma => "comma",
            Self::Semicolon => "semicolon",
            Self::Tab => "tab",
        }
    }

    /// The character; `None` for any number of blanks.
    fn char(self) -> Option<char> {
        match self {
            Self::Blank => None,
            Self::Comma => Some(','),
            Self::Semicolon => Some(';'),
            Self::Tab => Some('\t'),
        }
    }

    /// The one that most lines have. Tabs in lines that have blanks, too, are one only if a name
    /// has letters on both sides of a blank.
    fn of(lines: &[&str]) -> Self {
        // Every other part between quotes is outside of them.
        let has = |line: &&&str, separator: char| {
            line.split('"').step_by(2).any(|part| part.contains(separator))
        };
        let lines_with = |separator| lines.iter().filter(|line| has(line, separator)).count();
        let (tabs, others) = (lines_with('\t'), [lines_with(';'), lines_with(',')]);
        let has_letter = |text: &str| text.chars().any(char::is_alphabetic);
        let is_name = |cell: &str| {
            let cell = cell.trim_matches(' ');
            cell.split_once(' ').is_none_or(|(left, right)| has_letter(left) || has_letter(right))
        };
        let names = || lines.iter().all(|line| line.split('\t').all(is_name));
        match others {
            [semicolons, commas] if tabs > semicolons.max(commas) && 2 * tabs >= lines.len() => {
                if names() {
                    Self::Tab
                } else {
                    Self::Blank
                }
            }
            [0, 0] => Self::Blank,
            [semicolons, commas] if semicolons > commas => Self::Semicolon,
            _ => Self::Comma,
        }
    }
}

/// The kind of a file, as it is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Format {
    /// The layout.
    pub layout: Layout,
    /// What is between cells.
    pub separator: Separator,
    /// Whether the first line has names of columns.
    pub header: bool,
    /// Whether the first column of a table names its rows and is no item.
    pub row_names: bool,
    /// Whether lines of baskets may be rows of a long table, which only a user can tell.
    pub may_be_long: bool,
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let layout = match (self.layout, self.header) {
            (Layout::Baskets, _) => "a basket a line, items",
            (Layout::Long, true) => "a long table, a basket and an item a line,",
            (Layout::Long, false) => "a long table without a header, a basket and an item a line,",
            (Layout::Table, _) => "a 0/1 table, an item a column,",
        };
        write!(f, "{layout} separated by {}s", self.separator.as_str())?;
        if self.row_names {
            f.write_str("; its first column names the rows and is no item")?;
        }
        if self.may_be_long {
            f.write_str("; if each line is a basket and one of its items, it is a long table")?;
        }
        Ok(())
    }
}

impl Format {
    /// Tells the format by the first lines of a text, unless its layout is given. `cut` if the last
    /// one may not be whole.
    pub(super) fn of(sample: &[u8], cut: bool, layout: Option<Layout>) -> Self {
        let text = String::from_utf8_lossy(sample);
        let mut lines: Vec<&str> = text.lines().map(str::trim_ascii).collect();
        if cut && lines.len() > 1 {
            lines.pop();
        }
        lines.retain(|line| !line.is_empty());
        let separator = Separator::of(&lines);
        let mut format = Self {
            layout: Layout::Baskets,
            separator,
            header: false,
            row_names: false,
            may_be_long: false,
        };
        let mut rows = Vec::new();
        for line in &lines {
            let mut cells = Cells::default();
            if cells.split(line, separator).is_err() {
                break;
            }
            rows.push(cells);
        }
        let known = rows.len() == lines.len();
        let Some((first, rest)) = rows.split_first() else {
            format.layout = layout.unwrap_or(Layout::Baskets);
            format.header = format.layout == Layout::Table;
            return format;
        };
        match layout {
            Some(layout) => format.layout = layout,
            None if !known => {}
            None if is_table(first, rest, 0) || is_table(first, rest, 1) => {
                format.layout = Layout::Table;
            }
            None if separator == Separator::Blank => {}
            None if is_long(first, rest) || is_long_without_header(&rows) => {
                format.layout = Layout::Long;
            }
            None => format.may_be_long = pairs(&rows) && number(first.cell(0)),
        }
        match format.layout {
            Layout::Baskets => {}
            Layout::Long => {
                // The first of several rows of a basket is no header.
                let again = rest.iter().any(|row| row.cell(0) == first.cell(0));
                format.header = !again && !number(first.cell(0));
            }
            Layout::Table => {
                format.header = true;
                let values = rest.iter().all(|row| truth(row.cell(0)).is_some());
                format.row_names = first.cell(0).is_empty() || !values;
            }
        }
        format
    }
}

/// The meaning of a table's cell; empty cells are no items.
pub(super) fn truth(cell: &str) -> Option<bool> {
    match cell {
        "1" | "1.0" => Some(true),
        "0" | "0.0" | "" => Some(false),
        _ if cell.eq_ignore_ascii_case("true") => Some(true),
        _ if cell.eq_ignore_ascii_case("false") => Some(false),
        _ => None,
    }
}

fn number(cell: &str) -> bool {
    cell.parse::<f64>().is_ok()
}

/// Different names over 0/1 or true/false, after `first` columns that name the rows: these differ
/// then, and there are two items at least.
fn is_table(header: &Cells, rows: &[Cells], first: usize) -> bool {
    let from = first.max(usize::from(header.cell(0).is_empty()));
    let names: HashSet<&str> = header.iter().skip(from).collect();
    let is_header = names.len() + from == header.len()
        && !names.contains("")
        && !names.iter().all(|cell| truth(cell).is_some())
        && (names.len() > 1 || !names.iter().all(|cell| number(cell)));
    let fits = |row: &Cells| {
        row.len() == header.len() && row.iter().skip(from).all(|cell| truth(cell).is_some())
    };
    let named = || {
        let of_rows: HashSet<&str> = rows.iter().map(|row| row.cell(0)).collect();
        names.len() > 1 && of_rows.len() == rows.len() && !number(header.cell(0))
    };
    is_header && !rows.is_empty() && rows.iter().all(fits) && (first == 0 || named())
}

/// Rows of two cells, of which some first cells repeat.
fn pairs(rows: &[Cells]) -> bool {
    let firsts: HashSet<&str> = rows.iter().map(|row| row.cell(0)).collect();
    rows.iter().all(|row| row.len() == 2) && firsts.len() < rows.len()
}

/// Two names over pairs.
fn is_long(header: &Cells, rows: &[Cells]) -> bool {
    let name = |cell: &str| !cell.is_empty() && !number(cell);
    let (basket, item) = (header.cell(0), header.cell(1));
    let fits = |row: &Cells| row.cell(0) != basket && row.cell(1) != item;
    header.len() == 2
        && name(basket)
        && name(item)
        && basket != item
        && rows.iter().all(fits)
        && pairs(rows)
}

/// Pairs of a number and a name.
fn is_long_without_header(rows: &[Cells]) -> bool {
    let fits = |row: &Cells| number(row.cell(0)) && !number(row.cell(1)) && !row.cell(1).is_empty();
    pairs(rows) && rows.iter().all(fits)
}

/// The cells of a line.
#[derive(Debug, Default)]
pub(super) struct Cells {
    text: String,
    ranges: Vec<(u32, u32)>,
}

impl Cells {
    pub(super) fn len(&self) -> usize {
        self.ranges.len()
    }

    pub(super) fn cell(&self, number: usize) -> &str {
        let range = self.ranges.get(number);
        range.and_then(|r| self.text.get(r.0 as usize..r.1 as usize)).unwrap_or("")
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &str> {
        (0..self.len()).map(|number| self.cell(number))
    }

    pub(super) fn drop_empty(&mut self) {
        self.ranges.retain(|range| range.0 < range.1);
    }

    fn push(&mut self, cell: &str) {
        let start = self.text.len() as u32;
        self.text.push_str(cell);
        self.ranges.push((start, self.text.len() as u32));
    }

    /// Splits a line; an error says what is wrong.
    pub(super) fn split(
        &mut self,
        line: &str,
        separator: Separator,
    ) -> std::result::Result<(), String> {
        self.text.clear();
        self.ranges.clear();
        if line.len() > u32::MAX as usize / 2 {
            return Err("the line is longer than 2 GiB".to_owned());
        }
        match separator.char() {
            None => line.split_ascii_whitespace().for_each(|cell| self.push(cell)),
            Some(separator) if !line.contains('"') => {
                line.split(separator).for_each(|cell| self.push(cell.trim_ascii()));
            }
            Some(separator) => self.split_quoted(line, separator)?,
        }
        Ok(())
    }

    fn split_quoted(&mut self, line: &str, separator: char) -> std::result::Result<(), String> {
        let mut rest = line;
        loop {
            rest = rest.trim_start_matches(' ');
            let Some(mut quoted) = rest.strip_prefix('"') else {
                let (cell, after) =
                    rest.split_once(separator).map_or((rest, None), |(c, a)| (c, Some(a)));
                self.push(cell.trim_ascii());
                match after {
                    Some(after) => rest = after,
                    None => return Ok(()),
                }
                continue;
            };
            let start = self.text.len() as u32;
            loop {
                let Some((part, after)) = quoted.split_once('"') else {
                    return Err("a quote is not closed".to_owned());
                };
                self.text.push_str(part);
                quoted = after;
                match quoted.strip_prefix('"') {
                    Some(after) => {
                        self.text.push('"');
                        quoted = after;
                    }
                    None => break,
                }
            }
            self.ranges.push((start, self.text.len() as u32));
            quoted = quoted.trim_start_matches(' ');
            match quoted.strip_prefix(separator) {
                Some(after) => rest = after,
                None if quoted.is_empty() => return Ok(()),
                None => return Err("text follows a closed quote; quotes inside double".to_owned()),
            }
        }
    }
}
