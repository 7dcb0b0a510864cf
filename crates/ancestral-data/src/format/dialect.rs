//! The dialect of a table of text: separators, decimals, missing cells and header, inferred from its
//! first lines.

use std::ops::Range;

use memchr::{memchr, memchr2};

use super::lines::{BLANK, Lines, Quotes};
use crate::{DataError, OpenOptions, TextOptions};

const LABEL_NAMES: [&str; 3] = ["label", "class", "target"];

/// Whether a column of this name holds classes.
pub(super) fn is_label_name(name: &str) -> bool {
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

/// The cells of records, by their places in a text.
pub(super) struct Cells {
    separator: u8,
    reader: csv_core::Reader,
    unquoted: Vec<u8>,
    ends: Vec<usize>,
    /// Whether the places are in `unquoted`.
    quoted: bool,
    pub(super) places: Vec<Range<usize>>,
}

impl Cells {
    pub(super) fn new(separator: u8) -> Self {
        let reader = csv_core::ReaderBuilder::new().delimiter(separator).build();
        Self {
            separator,
            reader,
            unquoted: Vec::new(),
            ends: vec![0; 64],
            quoted: false,
            places: Vec::new(),
        }
    }

    /// Splits a record.
    pub(super) fn split(&mut self, record: &[u8]) {
        self.places.clear();
        let has_quotes = memchr(b'"', record).is_some();
        self.quoted = has_quotes && self.separator != BLANK;
        if self.separator == BLANK {
            self.split_blanks(record);
        } else if self.quoted {
            self.split_quoted(record);
        } else {
            let mut from = 0;
            for at in memchr::memchr_iter(self.separator, record) {
                self.places.push(trimmed(record, from..at));
                from = at + 1;
            }
            self.places.push(trimmed(record, from..record.len()));
        }
    }

    fn split_blanks(&mut self, record: &[u8]) {
        let blank = |b: u8| b == b' ' || b == b'\t';
        let mut at = 0;
        loop {
            while at < record.len() && blank(record[at]) {
                at += 1;
            }
            if at == record.len() {
                return;
            }
            let from = at;
            if record[at] == b'"'
                && let Some(length) = memchr(b'"', &record[at + 1..])
            {
                self.places.push(at + 1..at + 1 + length);
                at += length + 2;
                continue;
            }
            while at < record.len() && !blank(record[at]) {
                at += 1;
            }
            self.places.push(from..at);
        }
    }

    fn split_quoted(&mut self, record: &[u8]) {
        self.reader.reset();
        self.unquoted.resize(record.len() + 1, 0);
        let (mut input, mut written, mut count) = (record, 0, 0);
        loop {
            let (result, read, out, ended) = self.reader.read_record(
                input,
                &mut self.unquoted[written..],
                &mut self.ends[count..],
            );
            input = &input[read..];
            written += out;
            count += ended;
            match result {
                csv_core::ReadRecordResult::InputEmpty => input = &[],
                csv_core::ReadRecordResult::OutputFull => {
                    self.unquoted.resize(self.unquoted.len() * 2 + 16, 0);
                }
                csv_core::ReadRecordResult::OutputEndsFull => {
                    self.ends.resize(self.ends.len() * 2, 0);
                }
                csv_core::ReadRecordResult::Record | csv_core::ReadRecordResult::End => break,
            }
        }
        let mut from = 0;
        for &end in &self.ends[..count] {
            let mut place = trimmed(&self.unquoted, from..end);
            // Quotes that blanks precede.
            let cell = &self.unquoted[place.clone()];
            let after_blank = place.start > from;
            if after_blank && cell.len() > 1 && cell.starts_with(b"\"") && cell.ends_with(b"\"") {
                place = place.start + 1..place.end - 1;
            }
            self.places.push(place);
            from = end;
        }
    }

    /// The text that the places are in.
    pub(super) fn text<'t>(&'t self, record: &'t [u8]) -> &'t [u8] {
        if self.quoted { &self.unquoted } else { record }
    }

    /// The cells as text, for the few records that are looked at closely.
    fn words(&mut self, record: &[u8]) -> Vec<String> {
        self.split(record);
        let text = self.text(record);
        let cells = self.places.iter();
        cells.map(|place| String::from_utf8_lossy(&text[place.clone()]).into_owned()).collect()
    }
}

/// A place without the blanks around its text.
fn trimmed(text: &[u8], place: Range<usize>) -> Range<usize> {
    let blank = |b: u8| b == b' ' || b == b'\t';
    let (mut from, mut till) = (place.start, place.end);
    while from < till && blank(text[from]) {
        from += 1;
    }
    while from < till && blank(text[till - 1]) {
        till -= 1;
    }
    from..till
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

const POWERS: [f64; 16] =
    [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15];

/// A plain decimal of at most 15 digits, which one division rounds correctly, its decimals and its end.
#[inline]
pub(super) fn plain(text: &[u8], from: usize, decimal: u8) -> Option<(f64, u8, usize)> {
    let negative = *text.get(from)? == b'-';
    let start = from + usize::from(negative);
    let (mut whole, mut at) = (0u64, start);
    let mut digits = |at: &mut usize| {
        while let Some(digit) = text.get(*at).map(|byte| byte.wrapping_sub(b'0'))
            && digit < 10
        {
            whole = whole.wrapping_mul(10).wrapping_add(u64::from(digit));
            *at += 1;
        }
    };
    digits(&mut at);
    let mut count = at - start;
    let mut decimals = 0;
    if text.get(at) == Some(&decimal) {
        at += 1;
        let first = at;
        digits(&mut at);
        decimals = at - first;
        count += decimals;
    }
    if count == 0 || count > 15 {
        return None;
    }
    let value = whole as f64 / POWERS[decimals];
    Some((if negative { -value } else { value }, decimals as u8, at))
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
                true if is_rounded(text, value) => Cell::Inexact,
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

    /// What is wrong with text where a number belongs, if it resembles one.
    pub(super) fn almost_number(&self, text: &str) -> Option<String> {
        let digits = text.chars().filter(char::is_ascii_digit).count();
        let first = text.chars().next()?;
        let plain = |text: &str| text.parse::<f64>().is_ok();
        if digits == 0 {
            return None;
        }
        // Characters that look like nothing, or like a minus sign.
        let odd = |c: char| "\u{a0}\u{202f}\u{200b}\u{feff}\u{2212}\u{2013}".contains(c);
        if let Some(character) = text.chars().find(|&c| odd(c)) {
            let sign = |c: char| if "\u{2212}\u{2013}".contains(c) { Some('-') } else { None };
            let usual: String =
                text.chars().filter_map(|c| if odd(c) { sign(c) } else { Some(c) }).collect();
            if plain(&usual.replace(',', ".")) {
                return Some(format!(
                    "the character U+{:04X}; write plain digits, points and minus signs",
                    character as u32
                ));
            }
        }
        if !(first.is_ascii_digit() || "+-.,$€£¥".contains(first)) {
            return None;
        }
        if text.strip_suffix('-').is_some_and(plain) {
            return Some("a minus sign at its end; write it before the number".to_owned());
        }
        if let Some(number) = text.strip_suffix('%').map(str::trim)
            && plain(&number.replace(',', "."))
        {
            return Some("a percent sign; write the number alone".to_owned());
        }
        let bare = text.trim_matches(|c| "$€£¥ ".contains(c));
        if bare != text && plain(&bare.replace(',', "")) {
            return Some("a currency sign; write the number alone".to_owned());
        }
        let is_point = self.decimal == b'.';
        let (sign, other) = if is_point { ('.', ',') } else { (',', '.') };
        let groups = |mark: char| {
            let (whole, rest) = text.split_once(sign).unwrap_or((text, ""));
            let whole = whole.trim_start_matches(['+', '-']);
            let parts: Vec<&str> = whole.split(mark).collect();
            let digits = |part: &&str| !part.is_empty() && part.bytes().all(|b| b.is_ascii_digit());
            parts.len() > 1
                && parts.iter().all(digits)
                && digits(&if rest.is_empty() { "0" } else { rest })
                && parts[0].len() <= 3
                && parts[1..].iter().all(|part| part.len() == 3)
        };
        if groups(other) || groups(' ') || groups('\'') || groups('_') || groups('\u{a0}') {
            return Some("thousands separators; write the digits alone".to_owned());
        }
        if is_point && plain(&text.replacen(',', ".", 1)) {
            return Some("a decimal comma; read decimal commas with --decimal ,".to_owned());
        }
        if !is_point && plain(text) {
            return Some(
                "a decimal point among decimal commas; give --decimal . or write commas".to_owned(),
            );
        }
        None
    }
}

/// Whether a whole number, written without an exponent, is another one in double precision.
fn is_rounded(text: &str, value: f64) -> bool {
    let digits = text.trim_start_matches(['+', '-']);
    if digits.len() < 16 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return false;
    }
    text.trim_start_matches('+').parse::<i128>() != Ok(value as i128)
}

/// The decimals of a number that is no plain decimal, as 1.5e-3.
fn decimals(text: &str, sign: char) -> u8 {
    let (digits, exponent) = match text.split_once(['e', 'E']) {
        Some((digits, exponent)) => (digits, exponent.parse::<i32>().unwrap_or(0)),
        None => (text, 0),
    };
    let after = digits.split_once(sign).map_or(0, |(_, after)| after.len() as i32);
    u8::try_from(after.saturating_sub(exponent).max(0)).unwrap_or(u8::MAX)
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
        let score = score(&records, separator, asked);
        if best.as_ref().is_none_or(|(most, ..)| score > *most) {
            best = Some((score, separator, records));
        }
    }
    let (_, separator, records) = best.unwrap_or((0.0, b',', Vec::new()));
    let decimal = match asked.decimal {
        Some(sign) => sign as u8,
        None => decimal_sign(&records, separator),
    };
    if decimal == b',' && asked.decimal.is_none() {
        notes.push(
            "commas were read as decimal signs (--decimal . reads points, --separator , splits at \
             commas)"
                .to_owned(),
        );
    }
    let missing_values = asked.missing.iter().filter_map(|text| text.parse().ok()).collect();
    let mut dialect = Dialect {
        separator,
        decimal,
        missing: asked.missing.clone(),
        missing_values,
        header: Header::None,
        first_line,
        notes,
    };
    let (header, note) = header(&dialect, asked.header, &comments, &records);
    dialect.header = header;
    dialect.notes.extend(note);
    Ok(dialect)
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

/// Whether a record has blanks only.
pub(super) fn is_blank(record: &[u8]) -> bool {
    record.iter().all(|&b| b == b' ' || b == b'\t')
}

/// Whether a record is a comment.
pub(super) fn is_comment(record: &[u8]) -> bool {
    record.iter().find(|&&b| b != b' ' && b != b'\t') == Some(&b'#')
}

fn is_number(text: &str) -> bool {
    text.parse::<f64>().is_ok_and(|value| !value.is_nan())
}

/// Whether text is a number with a decimal comma.
fn has_comma(text: &str) -> bool {
    text.contains(',') && !text.contains('.') && is_number(&text.replacen(',', ".", 1))
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

fn decimal_sign(records: &[Vec<String>], separator: u8) -> u8 {
    let cells = || records.iter().flatten();
    let commas = cells().filter(|text| has_comma(text)).count();
    let points = cells().filter(|text| text.contains('.') && is_number(text)).count();
    // Between commas, only quoted cells hold commas.
    if commas > points && (separator != b',' || commas * 2 > cells().count()) { b',' } else { b'.' }
}

/// Whether names of columns come first.
fn header(
    dialect: &Dialect,
    asked: Option<bool>,
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
        if !counted(0) || rest.is_empty() {
            let note = counted(1) && !rest.is_empty();
            return (Header::None, note.then(|| data.to_owned()));
        }
        let whole = |column: usize| {
            rest.iter().all(|row| row.get(column).is_none_or(|cell| !cell.contains(['.', ','])))
        };
        let reals = (0..first.len()).filter(|&c| !first[c].is_empty()).all(|c| !whole(c));
        if first[0].is_empty() || first.len() > 3 || reals {
            return (Header::First, Some(guessed.to_owned()));
        }
        return (Header::None, Some(data.to_owned()));
    }
    if numbers == 0 {
        let only_words = !rest.is_empty() && !rest.iter().flatten().any(number);
        return (Header::First, only_words.then(|| guessed.to_owned()));
    }
    // Words and numbers: a row of data has them where the rows below have them.
    let below = |column: usize, is: &dyn Fn(&String) -> bool| {
        rest.iter().filter_map(|row| row.get(column)).filter(|cell| is(cell)).count()
    };
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
