//! What migrations make of a database, read from their SQL: two dialects must come to the same tables.

use std::collections::BTreeSet;

/// Something that a database has.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Fact {
    kind: &'static str,
    table: String,
    name: String,
}

/// The tables, columns, indexes and triggers of a database, and the migrations it tolerates that a program lacks.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Schema(BTreeSet<Fact>);

/// A migration of one dialect.
pub struct Migration {
    pub name: String,
    pub up: String,
    pub down: String,
}

/// Returns how the databases that two dialects arrive at differ, beyond what one of them is known to have alone.
///
/// A dialect may take another way: SQLite rebuilds a table where PostgreSQL alters it. What counts is what is there after
/// each migration, and that going back restores what was there before.
pub fn differences(dialects: [(&str, &[Migration]); 2], known: &[(&str, &str)]) -> Vec<String> {
    let [(first, ones), (second, others)] = dialects;
    let names =
        |migrations: &[Migration]| migrations.iter().map(|migration| migration.name.clone()).collect::<Vec<_>>();
    if names(ones) != names(others) {
        return vec![format!("{first} has {:?}, {second} has {:?}", names(ones), names(others))];
    }
    let mut complaints = Vec::new();
    let mut schemas = [Schema::default(), Schema::default()];
    let mut alone = BTreeSet::new();
    for (one, other) in ones.iter().zip(others) {
        for (schema, (dialect, migration)) in schemas.iter_mut().zip([(first, one), (second, other)]) {
            if let Err(problem) = schema.migrate(migration) {
                complaints.push(format!("{dialect}/{}: {problem}", migration.name));
            }
        }
        let [one_has, other_has] = [schemas[0].facts(), schemas[1].facts()];
        let lacking = one_has.difference(&other_has).map(|fact| (first, fact.clone()));
        alone = lacking.chain(other_has.difference(&one_has).map(|fact| (second, fact.clone()))).collect();
        let unknown = alone.iter().filter(|(dialect, fact)| !known.contains(&(*dialect, fact.as_str())));
        complaints.extend(unknown.map(|(dialect, fact)| format!("{}: {dialect} alone has {fact}", one.name)));
    }
    let stale = known.iter().filter(|(dialect, fact)| !alone.contains(&(*dialect, (*fact).to_owned())));
    complaints.extend(stale.map(|(dialect, fact)| format!("{dialect} alone is said to have {fact}")));
    complaints
}

impl Schema {
    /// Returns everything in words.
    fn facts(&self) -> BTreeSet<String> {
        self.0.iter().map(|fact| format!("{} {}.{}", fact.kind, fact.table, fact.name)).collect()
    }

    /// Runs a migration, and tells what it holds that cannot be read or that `down.sql` does not undo.
    fn migrate(&mut self, migration: &Migration) -> Result<(), String> {
        let before = self.clone();
        self.run(&migration.up)?;
        let mut after = self.clone();
        after.run(&migration.down)?;
        let left: Vec<_> = after.facts().symmetric_difference(&before.facts()).cloned().collect();
        if left.is_empty() { Ok(()) } else { Err(format!("down.sql does not undo up.sql: {}", left.join(", "))) }
    }

    fn run(&mut self, sql: &str) -> Result<(), String> {
        for statement in statements(sql) {
            let words: Vec<&str> = statement.iter().map(String::as_str).collect();
            self.apply(&words).ok_or_else(|| format!("cannot read: {}", words.join(" ")))?;
        }
        Ok(())
    }

    fn apply(&mut self, words: &[&str]) -> Option<()> {
        const SAME_SCHEMA: [&str; 6] = ["insert", "update", "delete", "select", "pragma", "comment"];
        const KINDS: [&str; 5] = ["table", "index", "trigger", "function", "extension"];
        let verb = *words.first()?;
        if words.contains(&"tolerated_migrations") && ["insert", "delete"].contains(&verb) {
            return self.tolerate(verb, words);
        }
        if SAME_SCHEMA.contains(&verb) {
            return Some(());
        }
        let kind_at = words.iter().take(5).position(|word| KINDS.contains(word))?;
        let rest = named(&words[kind_at + 1..]);
        let name = *rest.first()?;
        match (verb, words[kind_at]) {
            (_, "function" | "extension") => {}
            ("create", "table") => {
                self.add("table", name, "");
                parts(group(rest)?).into_iter().for_each(|part| self.column(name, part));
            }
            ("create", kind @ ("index" | "trigger")) => {
                let table = rest.iter().skip_while(|word| **word != "on").nth(1)?;
                let kind = match kind {
                    "index" if words.contains(&"unique") => "unique index",
                    "index" => "index",
                    _ => "trigger",
                };
                self.add(kind, table, name);
            }
            ("alter", "table") => {
                let mut table = name.to_owned();
                for action in parts(&rest[1..]) {
                    self.alter(&mut table, action)?;
                }
            }
            ("drop", "table") => {
                let dropped: Vec<&str> = parts(rest).iter().filter_map(|part| part.first().copied()).collect();
                self.0.retain(|fact| !dropped.contains(&fact.table.as_str()));
            }
            ("drop", kind) => {
                let dropped: Vec<&str> = parts(rest).iter().filter_map(|part| part.first().copied()).collect();
                self.0.retain(|fact| !(fact.kind.ends_with(kind) && dropped.contains(&fact.name.as_str())));
            }
            _ => return None,
        }
        Some(())
    }

    fn add(&mut self, kind: &'static str, table: &str, name: &str) {
        self.0.insert(Fact { kind, table: table.to_owned(), name: name.to_owned() });
    }

    /// Takes in the definition of a column: its name, whether it may be empty, is unique and refers to another table.
    fn column(&mut self, table: &str, definition: &[&str]) {
        const CONSTRAINTS: [&str; 6] = ["check", "constraint", "exclude", "foreign", "primary", "unique"];
        let Some(name) = definition.first().filter(|word| !CONSTRAINTS.contains(word)) else { return };
        let has = |pair: [&str; 2]| definition.windows(2).any(|words| words == pair);
        self.add("column", table, name);
        if has(["not", "null"]) || has(["primary", "key"]) {
            self.add("required column", table, name);
        }
        if definition.contains(&"unique") {
            self.add("unique column", table, name);
        }
        if let Some(at) = definition.iter().position(|word| *word == "references") {
            self.add("reference", table, &format!("{name} {}", definition[at..].join(" ")));
        }
    }

    fn alter(&mut self, table: &mut String, action: &[&str]) -> Option<()> {
        const CONSTRAINTS: [&str; 6] = ["check", "constraint", "exclude", "foreign", "primary", "unique"];
        let (verb, rest) = action.split_first()?;
        let rest = named(if rest.first() == Some(&"column") { &rest[1..] } else { rest });
        let name = *rest.first()?;
        let of_column = |fact: &Fact, table: &str, name: &str| {
            let kind = ["column", "required column", "unique column", "reference"].contains(&fact.kind);
            kind && fact.table == table && fact.name.split(' ').next() == Some(name)
        };
        match *verb {
            "add" | "drop" if CONSTRAINTS.contains(&name) => {}
            "add" => self.column(table, rest),
            "drop" => self.0.retain(|fact| !of_column(fact, table, name)),
            "rename" if name == "to" => {
                let new = (*rest.get(1)?).to_owned();
                let renamed =
                    |fact: Fact| if fact.table == *table { Fact { table: new.clone(), ..fact } } else { fact };
                self.0 = std::mem::take(&mut self.0).into_iter().map(renamed).collect();
                *table = new;
            }
            "rename" => {
                let new = *rest.get(2)?;
                let renamed = |fact: Fact| match of_column(&fact, table, name) {
                    true => Fact { name: fact.name.replacen(name, new, 1), ..fact },
                    false => fact,
                };
                self.0 = std::mem::take(&mut self.0).into_iter().map(renamed).collect();
            }
            "alter" if rest.ends_with(&["set", "not", "null"]) => self.add("required column", table, name),
            "alter" if rest.ends_with(&["drop", "not", "null"]) => {
                self.0.retain(|fact| !(fact.kind == "required column" && of_column(fact, table, name)));
            }
            "alter" => {}
            _ => return None,
        }
        Some(())
    }

    /// Takes in who may go on without a migration.
    fn tolerate(&mut self, verb: &str, words: &[&str]) -> Option<()> {
        let values: Vec<&str> = words.iter().copied().filter(|word| word.starts_with('\'')).collect();
        match verb {
            "insert" => values.chunks(2).for_each(|row| self.add("tolerance", "tolerated_migrations", &row.join(" "))),
            _ => {
                let version = *values.first()?;
                self.0.retain(|fact| !(fact.kind == "tolerance" && fact.name.starts_with(version)));
            }
        }
        Some(())
    }
}

/// Leaves out what may stand between a keyword and the name it is for.
fn named<'s, 'a>(words: &'s [&'a str]) -> &'s [&'a str] {
    let skipped = ["concurrently", "exists", "if", "not", "only"];
    let start = words.iter().position(|word| !skipped.contains(word)).unwrap_or(words.len());
    &words[start..]
}

/// Returns what the first pair of parentheses encloses.
fn group<'s, 'a>(words: &'s [&'a str]) -> Option<&'s [&'a str]> {
    let open = words.iter().position(|word| *word == "(")?;
    let mut depth = 0_usize;
    let close = words.iter().enumerate().skip(open).find(|(_, word)| {
        depth = depth + usize::from(**word == "(") - usize::from(**word == ")");
        depth == 0
    });
    Some(&words[open + 1..close?.0])
}

/// Splits at the commas that no parenthesis encloses.
fn parts<'s, 'a>(words: &'s [&'a str]) -> Vec<&'s [&'a str]> {
    let mut depth = 0_usize;
    words
        .split(|word| {
            depth = (depth + usize::from(*word == "(")).saturating_sub(usize::from(*word == ")"));
            depth == 0 && *word == ","
        })
        .collect()
}

/// Splits SQL into statements and these into words, in lower case but for what is quoted, without comments.
fn statements(sql: &str) -> Vec<Vec<String>> {
    let (mut statements, mut statement, mut depth) = (Vec::new(), Vec::<String>::new(), 0_usize);
    let mut rest = sql;
    while let Some(first) = rest.chars().next() {
        let length = length(rest, first);
        let (read, after) = rest.split_at(length);
        rest = after;
        let skipped = first.is_whitespace() || read.starts_with("--") || read.starts_with("/*");
        if skipped {
            continue;
        }
        let word = if first == '\'' { read.to_owned() } else { read.trim_matches('"').to_lowercase() };
        // The body of a trigger of SQLite is a block of statements.
        if statement.iter().take(5).any(|word| word == "trigger") {
            match word.as_str() {
                "begin" | "case" => depth += 1,
                "end" => depth = depth.saturating_sub(1),
                _ => {}
            }
        }
        if word == ";" && depth == 0 {
            statements.push(std::mem::take(&mut statement));
        } else {
            statement.push(word);
        }
    }
    statements.push(statement);
    statements.retain(|statement| !statement.is_empty());
    statements
}

/// Returns the length of the word, mark, string, comment or space that `rest` starts with.
fn length(rest: &str, first: char) -> usize {
    let through = |from: usize, end: &str| rest[from..].find(end).map_or(rest.len(), |at| from + at + end.len());
    let until = |end: fn(char) -> bool| rest.find(end).unwrap_or(rest.len());
    if first.is_whitespace() {
        until(|c| !c.is_whitespace())
    } else if rest.starts_with("--") {
        until(|c| c == '\n')
    } else if rest.starts_with("/*") {
        through(2, "*/")
    } else if first == '$' {
        let tag = through(1, "$");
        through(tag, &rest[..tag])
    } else if first == '\'' || first == '"' {
        through(1, if first == '\'' { "'" } else { "\"" })
    } else if first.is_alphanumeric() || first == '_' {
        until(|c| !c.is_alphanumeric() && c != '_')
    } else {
        first.len_utf8()
    }
}
