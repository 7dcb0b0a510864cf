//! The dialect of a table of text: separators, decimals, missing cells and header, inferred from its
//! first lines.

use memchr::{memchr, memchr2};

use super::cells::{Cells, is_blank};
use super::lines::{BLANK, Lines, Quotes};
use super::notation::{decimals, has_comma, is_group, is_number, is_rounded, plain};
use crate::{DataError, Expected, OpenOptions, TextOptions};

const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

/// The name of a column that holds the folds of the rows.
pub(super) const FOLD_NAME: &str = "fold";

/// Whether a column of this name holds classes.
pub fn is_label_name(name: &str) -> bool {
    LABEL_NAMES.iter().any(|label| name.eq_ignore_ascii_case(label))
}

/// The text that a dialect is inferred from, in bytes.
const SAMPLE: usize = 1 << 16;
/// The most records of the sample that are looked at.
const RECORDS: usize = 500;

/// How text becomes cells.
#[derive(Debug, Clone)]
pub(super) struct Dialect {
    pub(super) separator: u8,
    pub(super) decimal: u8,
    /// Cells that are missing in addition to the usual ones.
    pub(super) missing: Vec<String>,
    pub(super) missing_values: Vec<f64>,
    pub(super) header: Header,
    /// The lines before the first record that are no data, by number: `sep=`.
    pub(super) first_line: u64,
    /// Whether rows without a header end in a separator.
    pub(super) trailing: bool,
    /// Sentences on what was guessed.
    pub(super) notes: Vec<String>,
}

/// The names of the columns.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Header {
    /// There are none.
    None,
    /// The first record holds them.
    First,
    /// A comment before the first record holds them: its line and the names.
    Comment(u64, Vec<String>),
}

/// What a cell holds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Cell {
    /// A finite number and its decimals, 255 for more than are meant.
    Number(f64, u8),
    /// Nothing, or a word for it.
    Missing,
    /// An infinity, or a number beyond double precision.
    Infinite,
    /// A whole number with more digits than double precision holds.
    Inexact,
    /// Other text.
    Text,
}

/// Words for a missing number.
const MISSING: [&str; 14] =
    ["", "na", "n/a", "#n/a", "nan", "-nan", "null", "none", "nil", "?", "-", "--", ".", "<na>"];
/// Words for a missing label or category, which has more names of its own.
const MISSING_NAMES: [&str; 7] = ["", "na", "n/a", "#n/a", "nan", "null", "<na>"];

impl Dialect {
    /// What a cell holds.
    pub(super) fn cell(&self, cell: &[u8]) -> Cell {
        if let Some((value, decimals, end)) = plain(cell, 0, self.decimal)
            && end == cell.len()
        {
            return match self.missing_values.contains(&value) {
                true => Cell::Missing,
                false => Cell::Number(value, decimals),
            };
        }
        self.unusual(cell)
    }

    #[cold]
    fn unusual(&self, cell: &[u8]) -> Cell {
        let Ok(text) = std::str::from_utf8(cell) else { return Cell::Text };
        if self.missing.iter().any(|missing| missing == text) {
            return Cell::Missing;
        }
        if let Some(value) = self.number(text) {
            if value.is_nan() {
                return Cell::Missing;
            }
            if self.missing_values.contains(&value) {
                return Cell::Missing;
            }
            return match value.is_finite() {
                true if is_rounded(text, value, self.decimal as char) => Cell::Inexact,
                true => Cell::Number(value, decimals(text, self.decimal as char)),
                false => Cell::Infinite,
            };
        }
        match MISSING.contains(&text.to_ascii_lowercase().as_str()) {
            true => Cell::Missing,
            false => Cell::Text,
        }
    }

    /// Whether a label or a category is missing.
    pub(super) fn is_missing_name(&self, text: &str) -> bool {
        MISSING_NAMES.contains(&text.to_ascii_lowercase().as_str())
            || self.missing.iter().any(|missing| missing == text)
            || (!self.missing_values.is_empty()
                && self.number(text).is_some_and(|v| self.missing_values.contains(&v)))
    }

    /// A number, with the decimal sign of the dialect.
    pub(super) fn number(&self, text: &str) -> Option<f64> {
        match self.decimal {
            b'.' => text.parse().ok(),
            _ if text.contains('.') => None,
            sign => text.replace(sign as char, ".").parse().ok(),
        }
    }
}

/// Infers the dialect from the first text, or takes what is given.
pub(super) fn infer(
    lines: &mut Lines<'_>,
    blanks_first: bool,
    options: &OpenOptions,
) -> Result<Dialect, DataError> {
    lines.read_ahead(SAMPLE)?;
    let (text, ended) = lines.ahead();
    let mut notes = Vec::new();
    let asked = &options.text;
    let (sample, whole) = match (ended && text.len() <= SAMPLE, text.len().min(SAMPLE)) {
        (true, _) => (text, true),
        (false, most) => {
            let end = text[..most].iter().rposition(|&b| b == b'\n' || b == b'\r');
            (&text[..end.map_or(most, |end| end + 1)], false)
        }
    };
    // Lines before the table.
    let mut comments: Vec<(u64, String)> = Vec::new();
    let mut separator = asked.separator.map(|c| c as u8);
    let (mut at, mut line, mut first_line) = (0, 1, 0);
    while at < sample.len() {
        let end = memchr2(b'\n', b'\r', &sample[at..]).map_or(sample.len(), |found| at + found);
        let this = String::from_utf8_lossy(&sample[at..end]);
        let this = this.trim();
        let two = sample.get(end..end + 2) == Some(b"\r\n");
        let next = (end + 1 + usize::from(two)).min(sample.len());
        let quiet = this.trim_matches('"');
        let is_sep = quiet.len() == 5
            && quiet.is_char_boundary(4)
            && quiet[..4].eq_ignore_ascii_case("sep=")
            && first_line == 0;
        // "sep=\t" ends in a blank, which trimming takes.
        let sep_tab = sample[at..end].eq_ignore_ascii_case(b"sep=\t");
        if is_sep || sep_tab {
            separator = separator.or(Some(if sep_tab { b'\t' } else { quiet.as_bytes()[4] }));
            first_line = line;
        } else if let Some(comment) = this.strip_prefix('#') {
            comments.push((line, comment.trim().to_owned()));
        } else if !this.is_empty() {
            break;
        }
        at = next;
        line += 1;
    }
    let body = &sample[at..];
    let expected = &options.expected;
    let first = &body[..memchr2(b'\n', b'\r', body).unwrap_or(body.len())];
    let occurs = |separator: &u8| match *separator {
        BLANK => memchr2(b' ', b'\t', first).is_some(),
        separator => memchr(separator, first).is_some(),
    };
    let separator = separator.or(expected.text.separator.map(|c| c as u8).filter(occurs));
    if let Some(bad) = separator.filter(|b| !b.is_ascii() || b.is_ascii_alphanumeric()) {
        return Err(DataError::Unsuitable(format!(
            "'{}' cannot separate cells; give , ; | a tab or a blank",
            bad as char
        )));
    }
    let candidates: &[u8] = match blanks_first {
        true => b"\t, ;|",
        false => b",;\t| ",
    };
    let candidates = match &separator {
        Some(one) => std::slice::from_ref(one),
        None => candidates,
    };
    let mut best: Option<(f64, u8, Vec<Vec<String>>)> = None;
    for &separator in candidates {
        let records = records(body, separator, whole);
        // Commas that are decimal signs separate nothing, unless the cells are quoted.
        let is_chosen = asked.separator.is_some() || first_line > 0;
        let commas = separator == b',' && asked.decimal == Some(',') && !is_chosen;
        if commas && !records.iter().flatten().any(|cell| has_comma(cell)) {
            continue;
        }
        let score = score(&records, separator, asked);
        if best.as_ref().is_none_or(|(most, ..)| score > *most) {
            best = Some((score, separator, records));
        }
    }
    let (mut separator, mut records) = match best {
        Some((_, separator, records)) => (separator, records),
        None => (b';', self::records(body, b';', whole)),
    };
    let quoted = memchr(b'"', body).is_some();
    let inferred = asked.decimal.is_none()
        && asked.separator.is_none()
        && asked.header != Some(true)
        && expected.columns.is_empty()
        && first_line == 0;
    let pairs = if inferred && separator == b',' && !quoted { pairs(&records) } else { Pairs::No };
    if pairs == Pairs::OneColumn {
        separator = b';';
        records = self::records(body, separator, whole);
    }
    let decimal = match asked.decimal {
        Some(sign) => sign as u8,
        None => decimal_sign(&records, separator, expected.text.decimal),
    };
    if decimal == b',' && asked.decimal.is_none() {
        let grouped = records.iter().flatten().any(|cell| has_comma(cell) && is_group(cell, ','));
        let all = !records.iter().flatten().any(|cell| has_comma(cell) && !is_group(cell, ','));
        let thousands = if grouped && all { ", before three digits everywhere" } else { "" };
        notes.push(format!(
            "commas were read as decimal signs{thousands} (--decimal . reads points, --separator , \
             splits at commas)"
        ));
    }
    if pairs == Pairs::Maybe {
        notes.push(
            "commas between whole numbers were read as separators (--decimal , reads decimal commas)"
                .to_owned(),
        );
    }
    if decimal == b'.' && asked.decimal.is_none() && matches!(separator, b';' | b'\t') {
        notes.extend(thousands(&records));
    }
    let missing_values = asked.missing.iter().filter_map(|text| text.parse().ok()).collect();
    let mut dialect = Dialect {
        separator,
        decimal,
        missing: asked.missing.clone(),
        missing_values,
        header: Header::None,
        first_line,
        trailing: false,
        notes,
    };
    let (header, note) = header(&dialect, asked.header, expected, &comments, &records);
    dialect.trailing = header == Header::None
        && records.first().is_some_and(|row| row.len() > 1)
        && records.iter().all(|row| row.len() == records[0].len())
        && records.iter().all(|row| row.last().is_some_and(String::is_empty));
    dialect.header = header;
    dialect.notes.extend(note);
    Ok(dialect)
}

/// Whether commas between whole numbers are decimal signs.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Pairs {
    /// They separate cells, or there are none.
    No,
    /// They may be.
    Maybe,
    /// They are those of one column.
    OneColumn,
}

fn pairs(records: &[Vec<String>]) -> Pairs {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let signed = |text: &str| digits(text.strip_prefix(['-', '+']).unwrap_or(text));
    let Some(first) = records.first() else { return Pairs::No };
    let named = !first.iter().any(|cell| signed(cell));
    let rows = if named { &records[1..] } else { records };
    let numbers = |row: &Vec<String>| {
        row.iter()
            .enumerate()
            .all(|(at, cell)| if at % 2 == 0 { signed(cell) } else { digits(cell) })
    };
    if rows.is_empty() || !rows.iter().all(numbers) {
        return Pairs::No;
    }
    let widest = rows.iter().map(Vec::len).max().unwrap_or(0);
    let ragged = rows.iter().any(|row| row.len() < widest);
    // As the names of rows are numbered.
    let counted =
        |from: usize| rows.iter().enumerate().all(|(at, row)| row[0] == (at + from).to_string());
    let zero_first = |at: usize| {
        let cells = rows.iter().flat_map(|row| row.iter().skip(at).step_by(2));
        cells.into_iter().any(|cell| cell.len() > 1 && cell.starts_with('0'))
    };
    if widest == 2 && named && first.len() == 1 {
        return if counted(0) || counted(1) { Pairs::No } else { Pairs::OneColumn };
    }
    let doubtful = widest == 2 || (zero_first(1) && !zero_first(0));
    if !named && !ragged && widest % 2 == 0 && doubtful { Pairs::Maybe } else { Pairs::No }
}

/// A note on columns with a point before three digits in every cell.
fn thousands(records: &[Vec<String>]) -> Option<String> {
    let width = usual_width(records)?;
    let grouped = |column: usize| {
        let cells = records.iter().filter_map(|row| row.get(column)).filter(|cell| is_number(cell));
        let (mut all, mut grouped) = (0, 0);
        for cell in cells {
            all += 1;
            grouped += usize::from(is_group(cell, '.'));
        }
        all > 1 && all == grouped
    };
    let column = (0..width).find(|&column| grouped(column))?;
    Some(format!(
        "points before three digits, as everywhere in column {}, were read as decimal signs (take them \
         out if they separate thousands)",
        column + 1
    ))
}

/// The first records of a text.
fn records(text: &[u8], separator: u8, whole: bool) -> Vec<Vec<String>> {
    let mut cells = Cells::new(separator);
    let mut records = Vec::new();
    let (mut start, mut at) = (0, 0);
    let mut quotes = Quotes::new(separator);
    while at < text.len() && records.len() < RECORDS {
        let end = memchr2(b'\n', b'\r', &text[at..]).map_or(text.len(), |found| at + found);
        let line = &text[at..end];
        let two = text.get(end..end + 2) == Some(b"\r\n");
        quotes.scan(line);
        at = (end + 1 + usize::from(two)).min(text.len());
        if quotes.open && at < text.len() {
            continue;
        }
        let record = &text[start..end];
        if !is_blank(record) && !is_comment(record) && (!quotes.open || whole) {
            records.push(cells.words(record));
        }
        quotes.open = false;
        start = at;
    }
    records
}

/// Whether a record is a comment.
pub(super) fn is_comment(record: &[u8]) -> bool {
    record.iter().find(|&&b| b != b' ' && b != b'\t') == Some(&b'#')
}

fn is_missing(text: &str) -> bool {
    MISSING.contains(&text.to_ascii_lowercase().as_str())
}

/// How well a separator fits: equal numbers of cells, and numbers in them.
fn score(records: &[Vec<String>], separator: u8, asked: &TextOptions) -> f64 {
    let Some(width) = usual_width(records) else { return 0.0 };
    let equal = records.iter().filter(|cells| cells.len() == width).count();
    let equal = equal as f64 / records.len() as f64;
    let cells = || records.iter().skip(usize::from(records.len() > 1)).flatten();
    let commas = asked.decimal != Some('.');
    let numeric =
        |text: &&String| is_number(text) || is_missing(text) || (commas && has_comma(text));
    let all = cells().count().max(1) as f64;
    let numbers = cells().filter(numeric).count() as f64 / all;
    if width < 2 || (separator == BLANK && numbers == 0.0) {
        return 0.01 * numbers;
    }
    equal * equal * (0.1 + numbers)
}

fn usual_width(records: &[Vec<String>]) -> Option<usize> {
    let mut widths: Vec<usize> = records.iter().map(Vec::len).collect();
    widths.sort_unstable();
    let runs = widths.chunk_by(|a, b| a == b);
    runs.max_by_key(|run| run.len()).map(|run| run[0])
}

fn decimal_sign(records: &[Vec<String>], separator: u8, known: Option<char>) -> u8 {
    let cells = || records.iter().flatten();
    let commas = cells().filter(|text| has_comma(text)).count();
    let points = cells().filter(|text| text.contains('.') && is_number(text)).count();
    match known {
        Some(',') if commas > 0 || points == 0 => return b',',
        Some('.') if points > 0 || commas == 0 => return b'.',
        _ => {}
    }
    // Between commas, only quoted cells hold commas, which may separate thousands.
    let thousands = || cells().filter(|cell| has_comma(cell)).all(|cell| is_group(cell, ','));
    let between = separator != b',' || (commas * 2 > cells().count() && !thousands());
    if commas > points && between { b',' } else { b'.' }
}

/// Whether names of columns come first.
fn header(
    dialect: &Dialect,
    asked: Option<bool>,
    expected: &Expected,
    comments: &[(u64, String)],
    records: &[Vec<String>],
) -> (Header, Option<String>) {
    let Some(first) = records.first() else { return (Header::None, None) };
    let rest = &records[1..];
    let text = |cell: &String| matches!(dialect.cell(cell.as_bytes()), Cell::Text | Cell::Infinite);
    let number = |cell: &String| matches!(dialect.cell(cell.as_bytes()), Cell::Number(..));
    if asked == Some(false) {
        return (Header::None, None);
    }
    let is_known = |cell: &String| {
        expected.columns.contains(cell)
            || cell.is_empty()
            || is_label_name(cell)
            || cell == FOLD_NAME
    };
    if first.iter().any(|cell| expected.columns.contains(cell)) && first.iter().all(is_known) {
        return (Header::First, None);
    }
    // What is said of other tables, unless this one says otherwise.
    let below = |column: usize, is: &dyn Fn(&String) -> bool| {
        rest.iter().filter_map(|row| row.get(column)).filter(|cell| is(cell)).count()
    };
    let is_named = (0..first.len()).any(|at| text(&first[at]) && below(at, &number) > 0);
    let asked = asked.or(expected.text.header.filter(|&header| header || !is_named));
    if asked == Some(false) {
        return (Header::None, None);
    }
    let (texts, numbers) =
        (first.iter().filter(|c| text(c)).count(), first.iter().filter(|c| number(c)).count());
    // NumPy writes names as a comment.
    if let Some((line, comment)) = comments.last() {
        let names = Cells::new(dialect.separator).words(comment.as_bytes());
        let fits = names.len() == first.len() && !names.iter().all(number);
        if fits && (numbers > 0 || asked == Some(true)) && texts < first.len() {
            let note = format!(
                "line {line}, a comment, was taken for the names of the columns (--header no if it \
                 is none)"
            );
            return (Header::Comment(*line, names), Some(note));
        }
    }
    if asked == Some(true) {
        return (Header::First, None);
    }
    let counted = |from: usize| {
        let cells = first.iter().skip(usize::from(first[0].is_empty()));
        first.len() > 1 && cells.enumerate().all(|(i, cell)| *cell == (i + from).to_string())
    };
    let guessed =
        "the first line was taken for the names of the columns (--header no if it is data)";
    let data =
        "the first line was taken for data (--header yes if it holds the names of the columns)";
    if texts == 0 {
        let reals = |column: usize| {
            let cells = rest.iter().filter_map(|row| row.get(column));
            cells.clone().count() > 0 && cells.into_iter().all(|cell| cell.contains(['.', ',']))
        };
        let columns = || (0..first.len()).filter(|&column| !first[column].is_empty());
        let from_0 = first[0].is_empty() || first.len() > 2 || columns().any(reals);
        let all_reals = first.len() > 1 && columns().all(reals);
        let whole: Option<Vec<i64>> = first.iter().map(|cell| cell.parse().ok()).collect();
        // As years over columns of reals.
        let steps = whole.as_ref().is_some_and(|w| w.windows(2).all(|w| w[1] == w[0] + 1));
        let is_header = (counted(0) && from_0) || ((counted(1) || steps) && all_reals);
        let doubtful = counted(0) || counted(1) || (whole.is_some() && all_reals);
        return match doubtful && !rest.is_empty() {
            true if is_header => (Header::First, Some(guessed.to_owned())),
            true => (Header::None, Some(data.to_owned())),
            false => (Header::None, None),
        };
    }
    if numbers == 0 {
        let only_words = !rest.is_empty() && !rest.iter().flatten().any(number);
        return (Header::First, only_words.then(|| guessed.to_owned()));
    }
    // Words and numbers: a row of data has them where the rows below have them.
    let like_data = (0..first.len()).all(|column| match text(&first[column]) {
        true => below(column, &number) == 0,
        false => below(column, &text) == 0,
    });
    let numbered: Vec<&String> = first.iter().filter(|cell| number(cell)).collect();
    let in_order = [0, 1]
        .iter()
        .any(|from| numbered.iter().enumerate().all(|(i, cell)| **cell == (i + from).to_string()));
    let named = first.iter().any(|cell| is_label_name(cell));
    if !like_data || ((in_order || named) && !rest.is_empty()) {
        return (Header::First, Some(guessed.to_owned()));
    }
    (Header::None, Some(data.to_owned()))
}
