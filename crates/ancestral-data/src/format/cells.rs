//! The cells of a record: their places, with or without quotes.

use std::ops::Range;

use memchr::memchr;

use super::lines::BLANK;

/// The cells of records, by their places in a text.
pub(super) struct Cells {
    separator: u8,
    reader: csv_core::Reader,
    unquoted: Vec<u8>,
    ends: Vec<usize>,
    /// Whether the places are in `unquoted`.
    quoted: bool,
    /// Whether text follows the end of a quoted cell.
    pub(super) stray: bool,
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
            stray: false,
            places: Vec::new(),
        }
    }

    /// Splits a record.
    pub(super) fn split(&mut self, record: &[u8]) {
        self.places.clear();
        let has_quotes = memchr(b'"', record).is_some();
        self.quoted = has_quotes && self.separator != BLANK;
        self.stray = self.quoted && goes_on_after_quotes(record, self.separator);
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
    pub(super) fn words(&mut self, record: &[u8]) -> Vec<String> {
        self.split(record);
        let text = self.text(record);
        let cells = self.places.iter();
        cells.map(|place| String::from_utf8_lossy(&text[place.clone()]).into_owned()).collect()
    }
}

/// Whether a cell that begins with a quote goes on after the one that ends it.
fn goes_on_after_quotes(record: &[u8], separator: u8) -> bool {
    let mut at = 0;
    while at < record.len() {
        if record[at] == b'"' {
            at += 1;
            loop {
                match memchr(b'"', &record[at..]) {
                    None => return false,
                    Some(found) if record.get(at + found + 1) == Some(&b'"') => at += found + 2,
                    Some(found) => break at += found + 1,
                }
            }
            let after = memchr(separator, &record[at..]).map_or(record.len(), |end| at + end);
            if !is_blank(&record[at..after]) {
                return true;
            }
        }
        match memchr(separator, &record[at..]) {
            None => return false,
            Some(found) => at += found + 1,
        }
    }
    false
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

/// Whether a record has blanks only.
pub(super) fn is_blank(record: &[u8]) -> bool {
    record.iter().all(|&b| b == b' ' || b == b'\t')
}
