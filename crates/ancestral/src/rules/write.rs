//! Writing sets and rules: CSV with a header, or JSON lines.
//!
//! In CSV the items of a cell are joined by commas; an item that holds a comma, a quote or a line end
//! is quoted inside the cell, as in a line of CSV, and the cell is quoted in turn. Infinity is `inf`, in
//! JSON a string.

use std::fmt::Write as _;
use std::io::Write;
use std::path::Path;

use super::baskets::Names;
use super::error::{Result, RulesError};
use super::rule::Rule;

/// How results are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FileFormat {
    /// Comma-separated values, with a header.
    Csv,
    /// A JSON object a line.
    JsonLines,
}

impl FileFormat {
    /// The format of a file name, by its ending.
    ///
    /// # Errors
    /// If it ends neither in `.csv` nor in `.jsonl`.
    pub fn of(path: &Path) -> Result<Self> {
        let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("");
        match ending.to_ascii_lowercase().as_str() {
            "csv" => Ok(Self::Csv),
            "jsonl" => Ok(Self::JsonLines),
            _ => Err(RulesError::Setting {
                name: "the output file",
                value: path.display().to_string(),
                allowed: "its name must end in .csv or .jsonl",
            }),
        }
    }
}

const SET_HEADER: &str = "items,support,count\n";
const RULE_HEADER: &str =
    "antecedent,consequent,support,confidence,lift,leverage,conviction,p_value\n";

/// Writes sets, each as soon as it is given.
#[derive(Debug)]
pub struct SetWriter<W: Write> {
    lines: Lines<W>,
    baskets: u64,
    /// The last count, and its fields as written: many sets in a row have the same.
    last: (u64, String),
}

impl<W: Write> SetWriter<W> {
    /// Writes the header. `baskets` is the number of all baskets.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(writer: W, format: FileFormat, baskets: u64) -> Result<Self> {
        let lines = Lines::new(writer, format, SET_HEADER)?;
        Ok(Self { lines, baskets, last: (0, String::new()) })
    }

    /// Writes a set.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, names: &Names, items: &[u32], count: u64) -> Result<()> {
        let lines = &mut self.lines;
        lines.items("items", items, names);
        if self.last.0 != count || self.last.1.is_empty() {
            let from = lines.text.len();
            let baskets = self.baskets.max(1);
            lines.number("support", count as f64 / baskets as f64);
            lines.field("count", |text| {
                let _ = write!(text, "{count}");
            });
            self.last = (count, lines.text[from..].to_owned());
        } else {
            lines.text.push_str(&self.last.1);
        }
        lines.end()
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<W> {
        self.lines.finish()
    }
}

/// Writes rules.
#[derive(Debug)]
pub struct RuleWriter<W: Write> {
    lines: Lines<W>,
}

impl<W: Write> RuleWriter<W> {
    /// Writes the header.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn new(writer: W, format: FileFormat) -> Result<Self> {
        Ok(Self { lines: Lines::new(writer, format, RULE_HEADER)? })
    }

    /// Writes a rule, with its corrected p-value.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn write(&mut self, names: &Names, rule: &Rule) -> Result<()> {
        let lines = &mut self.lines;
        lines.items("antecedent", &rule.antecedent, names);
        lines.items("consequent", &rule.consequent, names);
        lines.number("support", rule.support());
        lines.number("confidence", rule.confidence());
        lines.number("lift", rule.lift());
        lines.number("leverage", rule.leverage());
        lines.number("conviction", rule.conviction());
        lines.number("p_value", rule.p_value);
        lines.end()
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn finish(self) -> Result<W> {
        self.lines.finish()
    }
}

/// Bytes that are written at once.
const BUFFER: usize = 1 << 16;

/// Lines of named fields, buffered; what is buffered is written when it is dropped, too.
#[derive(Debug)]
struct Lines<W: Write> {
    /// `None` after the end.
    writer: Option<W>,
    format: FileFormat,
    text: String,
    cell: String,
    first: bool,
}

impl<W: Write> Lines<W> {
    fn field(&mut self, name: &str, value: impl FnOnce(&mut String)) {
        match (self.format, self.first) {
            (FileFormat::Csv, true) => {}
            (FileFormat::Csv, false) => self.text.push(','),
            (FileFormat::JsonLines, first) => {
                self.text.push_str(if first { "{\"" } else { ",\"" });
                self.text.push_str(name);
                self.text.push_str("\":");
            }
        }
        self.first = false;
        value(&mut self.text);
    }

    fn items(&mut self, name: &str, items: &[u32], names: &Names) {
        let mut cell = std::mem::take(&mut self.cell);
        cell.clear();
        let csv = self.format == FileFormat::Csv;
        for (at, &item) in items.iter().enumerate() {
            if at > 0 {
                cell.push(',');
            }
            if csv {
                push_csv(&mut cell, names.name(item), at == 0 && items.len() == 1);
            } else {
                push_json(&mut cell, names.name(item));
            }
        }
        self.field(name, |text| {
            if csv {
                push_csv(text, &cell, false);
            } else {
                let _ = write!(text, "[{cell}]");
            }
        });
        self.cell = cell;
    }

    fn number(&mut self, name: &str, value: f64) {
        let csv = self.format == FileFormat::Csv;
        self.field(name, |text| {
            let size = value.abs();
            let _ = match value {
                _ if value.is_nan() => write!(text, "{}", if csv { "nan" } else { "\"nan\"" }),
                _ if value.is_infinite() && !csv => write!(text, "\"{value}\""),
                _ if value != 0.0 && !(1e-5..1e16).contains(&size) && value.is_finite() => {
                    write!(text, "{value:e}")
                }
                _ => write!(text, "{value}"),
            };
        });
    }
}

impl<W: Write> Lines<W> {
    fn new(writer: W, format: FileFormat, header: &str) -> Result<Self> {
        let mut text = String::with_capacity(BUFFER);
        if format == FileFormat::Csv {
            text.push_str(header);
        }
        Ok(Self { writer: Some(writer), format, text, cell: String::new(), first: true })
    }

    fn end(&mut self) -> Result<()> {
        self.text.push_str(if self.format == FileFormat::Csv { "\n" } else { "}\n" });
        self.first = true;
        if self.text.len() < BUFFER {
            return Ok(());
        }
        self.flush()
    }

    fn flush(&mut self) -> Result<()> {
        if let Some(writer) = &mut self.writer {
            let result = writer.write_all(self.text.as_bytes()).and_then(|()| writer.flush());
            self.text.clear();
            result.map_err(|source| RulesError::Write { source })?;
        }
        Ok(())
    }

    fn finish(mut self) -> Result<W> {
        self.flush()?;
        match self.writer.take() {
            Some(writer) => Ok(writer),
            // Only this function takes it.
            None => Err(RulesError::Stopped),
        }
    }
}

impl<W: Write> Drop for Lines<W> {
    fn drop(&mut self) {
        // The error that ended the search is the one to report.
        let _ = self.flush();
    }
}

/// A field of CSV, quoted where needed; a name that is empty or begins or ends with a blank, too.
fn push_csv(text: &mut String, field: &str, alone: bool) {
    let bytes = field.as_bytes();
    let blank = |end: Option<&u8>| end.is_some_and(u8::is_ascii_whitespace);
    let quote = bytes.iter().any(|byte| matches!(byte, b',' | b'"' | b'\n' | b'\r'))
        || blank(bytes.first())
        || blank(bytes.last())
        || alone && field.is_empty();
    if !quote {
        text.push_str(field);
        return;
    }
    text.push('"');
    for (at, part) in field.split('"').enumerate() {
        if at > 0 {
            text.push_str("\"\"");
        }
        text.push_str(part);
    }
    text.push('"');
}

/// A string of JSON.
fn push_json(text: &mut String, name: &str) {
    text.push('"');
    for letter in name.chars() {
        match letter {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            '\t' => text.push_str("\\t"),
            control if control < ' ' => {
                let _ = write!(text, "\\u{:04x}", control as u32);
            }
            other => text.push(other),
        }
    }
    text.push('"');
}
