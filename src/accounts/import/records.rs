//! The records of a CSV or JSON Lines file, each with the line that it begins on.

use std::io::{self, BufRead, Read};

use csv::{ByteRecord, ReaderBuilder, Terminator};
use serde_json::{Map, Value};

use super::entry::{COLUMNS, Fields, LineProblem};

/// How a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// RFC 4180, with a header that names the columns.
    Csv,
    /// One JSON object per line.
    JsonLines,
}

/// What a file holds, one record after the other.
pub enum Records<R: BufRead> {
    /// Of a CSV file.
    Csv {
        /// Where they come from.
        reader: Box<csv::Reader<PlainLines<R>>>,
        /// The name of each column.
        columns: Vec<&'static str>,
    },
    /// Of a JSON Lines file.
    JsonLines {
        /// Where they come from.
        lines: PlainLines<R>,
        /// The number of the last line.
        line: u64,
    },
}

/// One record.
pub struct Record {
    /// The line that it begins on; the first one is 1.
    pub line: u64,
    /// What it holds, or why that cannot be told.
    pub fields: Result<Fields, LineProblem>,
}

/// Says why nothing can be read from a file.
#[derive(Debug, thiserror::Error)]
pub enum Unreadable {
    /// It cannot be read.
    #[error(transparent)]
    Io(#[from] io::Error),
    /// There is no header, or it does not say what is needed.
    #[error("line 1: {0}")]
    Header(String),
}

impl From<csv::Error> for Unreadable {
    fn from(error: csv::Error) -> Self {
        Self::Io(error.into())
    }
}

impl<R: BufRead> Records<R> {
    /// Begins to read a file, by its header where it has one.
    ///
    /// # Errors
    /// If it cannot be read, or the header is none.
    pub fn open(source: R, format: Format) -> Result<Self, Unreadable> {
        let lines = PlainLines::of(source);
        if format == Format::JsonLines {
            return Ok(Self::JsonLines { lines, line: 0 });
        }
        let mut reader = ReaderBuilder::new()
            .flexible(true)
            .has_headers(false)
            .terminator(Terminator::Any(b'\n'))
            .from_reader(lines);
        let mut header = ByteRecord::new();
        if !reader.read_byte_record(&mut header)? {
            return Err(Unreadable::Header(format!("the header is missing: {}", COLUMNS.join(","))));
        }
        let mut columns = Vec::new();
        for name in &header {
            let name = String::from_utf8_lossy(name);
            let Some(known) = COLUMNS.into_iter().find(|column| *column == name.trim()) else {
                let shown: String = name.trim().chars().take(40).collect();
                let known = COLUMNS.join(", ");
                return Err(Unreadable::Header(format!("the column {shown:?} is unknown; there are {known}")));
            };
            if columns.contains(&known) {
                return Err(Unreadable::Header(format!("the column {known} is there twice")));
            }
            columns.push(known);
        }
        let missing = COLUMNS.into_iter().find(|column| *column != "is_active" && !columns.contains(column));
        match missing {
            Some(missing) => Err(Unreadable::Header(format!("the column {missing} is missing"))),
            None => Ok(Self::Csv { reader: Box::new(reader), columns }),
        }
    }

    /// Returns the next record; none at the end of the file.
    ///
    /// # Errors
    /// If the file cannot be read.
    pub fn next_record(&mut self) -> Result<Option<Record>, Unreadable> {
        match self {
            Self::Csv { reader, columns } => {
                let mut record = ByteRecord::new();
                if !reader.read_byte_record(&mut record)? {
                    return Ok(None);
                }
                // The reader counts empty lines in front of a record as its own, but what it has read ends with the record:
                // one line feed, and those within. Quotes that are never closed take in the last one.
                let within = record.iter().flatten().filter(|byte| **byte == b'\n').count();
                let end = reader.position().line();
                let line = end.saturating_sub(1 + u64::try_from(within).unwrap_or(u64::MAX));
                let line = line.max(record.position().map_or(0, csv::Position::line));
                Ok(Some(Record { line, fields: by_column(&record, columns) }))
            }
            Self::JsonLines { lines, line } => loop {
                let Some(text) = lines.next_line()? else { return Ok(None) };
                *line += 1;
                if !text.trim_ascii().is_empty() {
                    return Ok(Some(Record { line: *line, fields: of_object(text) }));
                }
            },
        }
    }
}

fn by_column(record: &ByteRecord, columns: &[&'static str]) -> Result<Fields, LineProblem> {
    if record.len() != columns.len() {
        return Err(LineProblem::FieldCount { found: record.len(), expected: columns.len() });
    }
    let mut fields = Fields::default();
    for (name, value) in columns.iter().zip(record) {
        let value = std::str::from_utf8(value).map_err(|_| LineProblem::NotText)?;
        if let Some(field) = fields.named(name) {
            *field = Some(value.to_owned());
        }
    }
    Ok(fields)
}

fn of_object(text: &[u8]) -> Result<Fields, LineProblem> {
    let text = std::str::from_utf8(text).map_err(|_| LineProblem::NotText)?;
    let object: Map<String, Value> = serde_json::from_str(text).map_err(|_| LineProblem::NoObject)?;
    let mut fields = Fields::default();
    for (name, value) in object {
        let known = COLUMNS.into_iter().find(|column| *column == name).ok_or(LineProblem::UnknownField)?;
        let text = match value {
            Value::String(text) => text,
            Value::Bool(truth) if known == "is_active" => truth.to_string(),
            Value::Number(number) if known == "is_active" => number.to_string(),
            _ => return Err(LineProblem::Type(known)),
        };
        if let Some(field) = fields.named(known) {
            *field = Some(text);
        }
    }
    Ok(fields)
}

/// The lines of a text, each with one line feed at its end and nothing else there, the last one too: so that lines can be
/// counted. A byte order mark at the beginning is left out.
pub struct PlainLines<R> {
    source: R,
    line: Vec<u8>,
    taken: usize,
    begun: bool,
}

impl<R: BufRead> PlainLines<R> {
    fn of(source: R) -> Self {
        Self { source, line: Vec::new(), taken: 0, begun: false }
    }

    /// Returns the next line; none at the end.
    fn next_line(&mut self) -> io::Result<Option<&[u8]>> {
        self.line.clear();
        self.taken = 0;
        if self.source.read_until(b'\n', &mut self.line)? == 0 {
            return Ok(None);
        }
        let text = self.line.strip_suffix(b"\n").unwrap_or(&self.line);
        let length = text.strip_suffix(b"\r").unwrap_or(text).len();
        self.line.truncate(length);
        self.line.push(b'\n');
        if !std::mem::replace(&mut self.begun, true) && self.line.starts_with("\u{feff}".as_bytes()) {
            self.line.drain(.."\u{feff}".len());
        }
        Ok(Some(&self.line))
    }
}

impl<R: BufRead> Read for PlainLines<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.line.len() && self.next_line()?.is_none() {
            return Ok(0);
        }
        let mut left = self.line.get(self.taken..).unwrap_or_default();
        let count = left.read(buffer)?;
        self.taken += count;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str, format: Format) -> Vec<(u64, String)> {
        let mut records = Records::open(text.as_bytes(), format).unwrap();
        let mut found = Vec::new();
        while let Some(Record { line, fields }) = records.next_record().unwrap() {
            let words = match fields {
                Ok(fields) => fields.full_name.unwrap_or_else(|| "-".to_owned()),
                Err(problem) => problem.to_string(),
            };
            found.push((line, words));
        }
        found
    }

    fn header(text: &str) -> String {
        match Records::open(text.as_bytes(), Format::Csv) {
            Ok(_) => String::new(),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn a_record_is_known_by_the_line_that_it_begins_on_whatever_ends_lines() {
        let text = "email,full_name,password_hash\n\na,A,h\n\n\nb,\"B\nb\",h\nc,C,h\nd,\"\"\"D\"\"\",h";
        let expected = [(3, "A"), (6, "B\nb"), (8, "C"), (9, "\"D\"")].map(|(line, name)| (line, name.to_owned()));
        for text in
            [text.to_owned(), text.replace('\n', "\r\n"), format!("{text}\n"), format!("\u{feff}{text}\r\n\r\n")]
        {
            assert_eq!(read(&text, Format::Csv), expected, "{text:?}");
        }
    }

    #[test]
    fn a_line_of_another_length_or_an_open_quote_is_told_with_its_number() {
        let text = "email,full_name,password_hash\na,A\nb,B,h,x\nc,\"C\nd,D,h\n";
        let count = |found| format!("has {found} fields, and the header has 3");
        let rest = (4, count(2));
        assert_eq!(read(text, Format::Csv), [(2, count(2)), (3, count(4)), rest], "the rest is within the quotes");
    }

    #[test]
    fn a_header_names_each_column_once_in_any_order_and_none_that_is_unknown() {
        assert_eq!(header("password_hash,is_active, email ,full_name\n"), "");
        for (text, words) in [
            ("", "line 1: the header is missing: email,full_name,password_hash,is_active"),
            ("email,full_name\n", "line 1: the column password_hash is missing"),
            ("email,email\n", "line 1: the column email is there twice"),
            (
                "email,full_name,password_hash,is_actve\n",
                "line 1: the column \"is_actve\" is unknown; there are email, full_name, password_hash, is_active",
            ),
        ] {
            assert_eq!(header(text), words);
        }
    }

    #[test]
    fn json_lines_are_objects_of_known_fields() {
        let text = "\u{feff}{\"full_name\":\"A\"}\r\n\n  \n{\"full_name\":\"\\u00e9\",\"is_active\":false}\n[]\n{\"role\":\"admin\"}\n\
                    {\"full_name\":7}\n{\"is_active\":[]}\n{\"full_name\":\"B\"";
        let known = "there are email, full_name, password_hash and is_active";
        let expected = [
            (1, "A".to_owned()),
            (4, "é".to_owned()),
            (5, "is no JSON object".to_owned()),
            (6, format!("has an unknown field; {known}")),
            (7, "full_name is of the wrong type".to_owned()),
            (8, "is_active is of the wrong type".to_owned()),
            (9, "is no JSON object".to_owned()),
        ];
        assert_eq!(read(text, Format::JsonLines), expected);
    }
}
