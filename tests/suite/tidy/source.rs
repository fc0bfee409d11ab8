//! The files of the project and a lexer for Rust, so that a rule reads code and never a comment.

use std::fs;
use std::path::Path;

/// A text file, named by its path from the root of the project, with the tokens of those in Rust.
pub struct File {
    pub name: String,
    pub text: &'static str,
    pub tokens: Vec<Token>,
    /// The tokens without the items under `#[cfg(test)]`.
    pub code: Vec<Token>,
}

/// The kinds of tokens that the rules tell apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An identifier or a keyword.
    Word,
    /// A string literal, with its quotes.
    Text,
    /// Punctuation; `::` is one mark.
    Mark,
    /// A number, a character or a lifetime.
    Other,
}

/// A token of Rust, with the line and the byte where it starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Token {
    pub kind: Kind,
    pub text: &'static str,
    pub line: usize,
    start: usize,
}

impl Token {
    /// Returns what stands between the quotes of a string literal.
    pub fn content(&self) -> &'static str {
        self.text.trim_start_matches(['b', 'c', 'r', '#']).trim_end_matches('#').trim_matches('"')
    }
}

impl File {
    /// Splits a file into tokens if it is Rust. The text lives as long as the process, which is that of a test.
    pub fn new(name: &str, text: String) -> Self {
        let text: &'static str = text.leak();
        let tokens = if name.ends_with(".rs") { lex(text) } else { Vec::new() };
        Self { name: name.to_owned(), text, code: without_tests(&tokens), tokens }
    }

    /// Returns the numbered lines of the file with everything blanked but the given tokens.
    pub fn lines_of(&self, tokens: &[Token]) -> Vec<(usize, String)> {
        let blank = |byte: u8| if byte == b'\n' { byte } else { b' ' };
        let mut bytes: Vec<u8> = self.text.bytes().map(blank).collect();
        for token in tokens {
            bytes[token.start..token.start + token.text.len()].copy_from_slice(token.text.as_bytes());
        }
        let text = String::from_utf8(bytes).unwrap();
        text.lines().enumerate().map(|(index, line)| (index + 1, line.to_owned())).collect()
    }
}

/// Reads the files below `folder` whose name ends in `ending`, build output left out.
pub fn files(root: &Path, folder: &str, ending: &str) -> Vec<File> {
    let mut folders = vec![root.join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                if !path.ends_with("target") {
                    folders.push(path);
                }
            } else if path.to_str().unwrap().ends_with(ending) {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                found.push(File::new(name, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no {ending}");
    found.sort_by(|one, other| one.name.cmp(&other.name));
    found
}

/// Splits Rust into tokens; spaces and comments are left out.
pub fn lex(text: &'static str) -> Vec<Token> {
    let (mut tokens, mut start, mut line) = (Vec::new(), 0, 1);
    while start < text.len() {
        let rest = &text[start..];
        let (kind, length) = next(rest);
        let read = &rest[..length];
        if let Some(kind) = kind {
            tokens.push(Token { kind, text: read, line, start });
        }
        line += read.bytes().filter(|byte| *byte == b'\n').count();
        start += length;
    }
    tokens
}

/// Returns the kind and the length of what `rest` starts with; no kind for spaces and comments.
fn next(rest: &str) -> (Option<Kind>, usize) {
    let first = rest.chars().next().unwrap_or(' ');
    let until = |end: fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
    if first.is_whitespace() {
        (None, until(|c| !c.is_whitespace()))
    } else if rest.starts_with("//") {
        (None, until(|c| c == '\n'))
    } else if rest.starts_with("/*") {
        (None, block_comment(rest))
    } else if let Some(length) = string(rest) {
        (Some(Kind::Text), length)
    } else if let Some(raw) = rest.strip_prefix("r#") {
        (Some(Kind::Word), 2 + word(raw))
    } else if first == '\'' {
        (Some(Kind::Other), character(rest))
    } else if first.is_numeric() {
        (Some(Kind::Other), word(rest))
    } else if word(rest) > 0 {
        (Some(Kind::Word), word(rest))
    } else {
        (Some(Kind::Mark), if rest.starts_with("::") { 2 } else { first.len_utf8() })
    }
}

fn word(rest: &str) -> usize {
    rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len())
}

/// Returns the length of a block comment; those of Rust nest.
fn block_comment(rest: &str) -> usize {
    let (mut depth, mut at) = (0, 0);
    while at < rest.len() {
        let bytes = &rest.as_bytes()[at..];
        let (change, length) = match bytes {
            [b'/', b'*', ..] => (1, 2),
            [b'*', b'/', ..] => (-1, 2),
            _ => (0, 1),
        };
        (depth, at) = (depth + change, at + length);
        if depth == 0 {
            break;
        }
    }
    at
}

/// Returns the length of a string literal of any kind, if `rest` starts with one.
fn string(rest: &str) -> Option<usize> {
    let prefix = rest.bytes().take_while(|byte| b"bcr".contains(byte)).count();
    let raw = rest[..prefix].contains('r');
    let hashes = if raw { rest[prefix..].bytes().take_while(|byte| *byte == b'#').count() } else { 0 };
    let open = prefix + hashes;
    if prefix > 2 || !rest[open..].starts_with('"') {
        return None;
    }
    let inside = &rest[open + 1..];
    if raw {
        let end = format!("\"{}", "#".repeat(hashes));
        return Some(open + 1 + inside.find(&end).map_or(inside.len(), |at| at + end.len()));
    }
    let mut escaped = false;
    let end = inside.bytes().position(|byte| {
        let ends = byte == b'"' && !escaped;
        escaped = byte == b'\\' && !escaped;
        ends
    });
    Some(open + 1 + end.map_or(inside.len(), |at| at + 1))
}

/// Returns the length of a character literal or of a lifetime.
fn character(rest: &str) -> usize {
    let mut inside = rest.chars().skip(1);
    match (inside.next(), inside.next()) {
        (Some('\\'), Some(escaped)) => {
            let after = 2 + escaped.len_utf8();
            after + rest[after..].find('\'').map_or(0, |at| at + 1)
        }
        (Some(only), Some('\'')) => 2 + only.len_utf8(),
        _ => 1 + word(&rest[1..]),
    }
}

/// Returns the index of what closes the bracket at `open`.
pub fn closing(tokens: &[Token], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, token) in tokens.iter().enumerate().skip(open).filter(|(_, token)| token.kind == Kind::Mark) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" | "}" => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at;
        }
    }
    tokens.len().saturating_sub(1)
}

/// Returns the attributes, each as the tokens between its brackets.
pub fn attributes(tokens: &[Token]) -> Vec<&[Token]> {
    let starts = (0..tokens.len()).filter(|at| tokens[*at].text == "#");
    let opens = starts.filter_map(|at| match tokens.get(at + 1)?.text {
        "!" if tokens.get(at + 2)?.text == "[" => Some(at + 2),
        "[" => Some(at + 1),
        _ => None,
    });
    opens.map(|open| &tokens[open + 1..closing(tokens, open)]).collect()
}

fn without_tests(tokens: &[Token]) -> Vec<Token> {
    const MARKED: [&str; 7] = ["#", "[", "cfg", "(", "test", ")", "]"];
    let mut kept = Vec::new();
    let mut at = 0;
    while at < tokens.len() {
        let marked = tokens[at..].iter().take(MARKED.len()).map(|token| token.text).eq(MARKED);
        if marked {
            at = end_of_item(tokens, at + MARKED.len());
        } else {
            kept.push(tokens[at]);
            at += 1;
        }
    }
    kept
}

/// Returns the index after the item, statement, field or arm at `at`, its other attributes included.
fn end_of_item(tokens: &[Token], mut at: usize) -> usize {
    const ITEMS: [&str; 15] = [
        "async",
        "const",
        "enum",
        "extern",
        "fn",
        "impl",
        "let",
        "macro_rules",
        "mod",
        "pub",
        "static",
        "struct",
        "trait",
        "type",
        "use",
    ];
    let text = |at: usize| tokens.get(at).map_or("}", |token| token.text);
    while text(at) == "#" {
        at = closing(tokens, at + 1) + 1;
    }
    // A field, a variant or an arm ends with a comma, which an item may hold in its generics.
    let item = ITEMS.contains(&text(at));
    let import =
        text(at) == "use" || (text(at) == "pub" && tokens[at..].iter().take(6).any(|token| token.text == "use"));
    loop {
        match text(at) {
            ";" => return at + 1,
            "," if !item => return at + 1,
            ")" | "]" | "}" => return at,
            "{" if !import => return closing(tokens, at) + 1,
            "(" | "[" | "{" => at = closing(tokens, at) + 1,
            _ => at += 1,
        }
    }
}
