//! The rules of the source, read from the source.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

/// Lines of a file at most.
const LONGEST: usize = 400;

/// The floor of each room of `src/`: a room uses what lies below it, and nothing beside or above it.
///
/// The rooms of floor 1 may not use one another either; `accounts` may use `auth`, never the reverse.
const FLOORS: [(&str, u8); 13] = [
    ("domain", 0),
    ("config", 10),
    ("crypto", 10),
    ("store", 10),
    ("mail", 10),
    ("telemetry", 10),
    ("auth", 20),
    ("accounts", 21),
    ("web", 30),
    ("app", 40),
    ("cli", 50),
    ("main", 60),
    ("lib", 60),
];

/// A file of the source.
struct Source {
    path: PathBuf,
    text: String,
}

impl Source {
    /// Returns its path from the root of the project, with slashes.
    fn name(&self) -> String {
        self.path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned()
    }

    /// Returns the room of `src/` it stands in.
    fn room(&self) -> String {
        let name = self.name();
        name["src/".len()..].split('/').next().unwrap().trim_end_matches(".rs").to_owned()
    }

    /// Returns its lines of code with their numbers, without comments and without the tests beside them.
    fn code(&self) -> impl Iterator<Item = (usize, &str)> {
        let numbered = self.text.lines().enumerate().map(|(number, line)| (number + 1, line));
        let code = numbered.take_while(|(_, line)| line.trim() != "#[cfg(test)]");
        code.map(|(number, line)| (number, line.split("//").next().unwrap_or_default()))
    }
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Reads every file below `folder` whose name ends in `ending`.
fn files(folder: &str, ending: &str) -> Vec<Source> {
    let mut folders = vec![root().join(folder)];
    let mut found = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.to_str().unwrap().ends_with(ending) {
                found.push(Source { text: fs::read_to_string(&path).unwrap(), path });
            }
        }
    }
    assert!(!found.is_empty(), "{folder} holds no {ending}");
    found.sort_by(|one, other| one.path.cmp(&other.path));
    found
}

/// Reads the code, without the tests beside it.
fn source() -> Vec<Source> {
    files("src", ".rs")
        .into_iter()
        .filter(|file| !file.name().ends_with("/tests.rs") && !file.name().contains("/tests/"))
        .collect()
}

/// Asserts that there is nothing to complain about.
fn assert_none(complaints: Vec<String>) {
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Returns every line of code for which `wrong` holds, outside the files that `may` hold it.
fn lines(files: &[Source], may: &[&str], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let watched = files.iter().filter(|file| !may.iter().any(|start| file.name().starts_with(start)));
    watched
        .flat_map(|file| {
            let found = file.code().filter(|(_, line)| wrong(line));
            found.map(|(number, line)| format!("{}:{number}: {}", file.name(), line.trim())).collect::<Vec<_>>()
        })
        .collect()
}

/// Returns the rooms that a line of code names, as `crate::room` or in `use crate::{one, other}`.
fn rooms_named(line: &str) -> Vec<String> {
    let word =
        |text: &str| text.split(|c: char| !c.is_alphanumeric() && c != '_').next().unwrap_or_default().to_owned();
    let paths = line.split("crate::").skip(1);
    paths
        .flat_map(|path| match path.strip_prefix('{') {
            Some(list) => list.split(',').map(|part| word(part.trim())).collect(),
            None => vec![word(path)],
        })
        .filter(|room| FLOORS.iter().any(|(name, _)| name == room))
        .collect()
}

fn floor(room: &str) -> u8 {
    let found = FLOORS.iter().find(|(name, _)| *name == room);
    found.unwrap_or_else(|| panic!("src/{room} has no floor")).1
}

#[test]
fn every_room_uses_only_what_lies_below_it() {
    let mut complaints = Vec::new();
    for file in source() {
        let room = file.room();
        for (number, line) in file.code() {
            for used in rooms_named(line).into_iter().filter(|used| *used != room && floor(used) >= floor(&room)) {
                complaints.push(format!("{}:{number}: {room} uses {used}", file.name()));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn no_two_rooms_use_each_other() {
    let mut uses: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in source() {
        let named = file.code().flat_map(|(_, line)| rooms_named(line));
        let room = file.room();
        uses.entry(room.clone()).or_default().extend(named.filter(|used| *used != room));
    }
    // Rooms that use nothing that is left are taken away, again and again; what remains goes round in a circle.
    loop {
        let free: Vec<_> = uses.iter().filter(|(_, used)| used.is_empty()).map(|(room, _)| room.clone()).collect();
        if free.is_empty() {
            break;
        }
        for room in free {
            uses.remove(&room);
            uses.values_mut().for_each(|used| used.retain(|name| *name != room));
        }
    }
    assert!(uses.is_empty(), "{uses:?}");
}

#[test]
fn no_file_is_too_long() {
    let files = files("src", ".rs").into_iter().chain(files("tests", ".rs"));
    let long = files.map(|file| (file.name(), file.text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    assert_none(long.map(|(name, lines)| format!("{name} has {lines} lines")).collect());
}

#[test]
fn time_is_asked_for_in_one_place() {
    let asks = ["now_utc", "now_local", "Instant::now", "SystemTime::now", "unixepoch", "CURRENT_TIMESTAMP"];
    let may = ["src/domain/clock.rs"];
    assert_none(lines(&source(), &may, |line| asks.iter().any(|ask| line.contains(ask))));
    let tests: Vec<_> = files("tests", ".rs").into_iter().filter(|file| !file.name().ends_with("/tidy.rs")).collect();
    assert_none(lines(&tests, &[], |line| line.contains("now_utc") || line.contains("sleep(")));
}

#[test]
fn sql_stays_in_the_store() {
    let sql = ["diesel", "rusqlite", "sql_query", "\"SELECT ", "\"INSERT ", "\"UPDATE ", "\"DELETE ", "\"PRAGMA "];
    assert_none(lines(&source(), &["src/store/"], |line| sql.iter().any(|word| line.contains(word))));
}

#[test]
fn the_pure_floor_knows_no_framework() {
    let domain: Vec<_> = source().into_iter().filter(|file| file.room() == "domain").collect();
    let frameworks = ["actix", "diesel", "tokio", "std::fs", "std::net::Tcp", "std::env", "tracing"];
    assert_none(lines(&domain, &[], |line| frameworks.iter().any(|framework| line.contains(framework))));
}

#[test]
fn http_stays_in_the_web_room() {
    let may = ["src/web/", "src/app.rs", "src/cli/serve.rs", "src/lib.rs"];
    assert_none(lines(&source(), &may, |line| line.contains("actix")));
}

#[test]
fn cookies_are_written_and_read_in_one_place() {
    let words = ["SET_COOKIE", "Set-Cookie", "set-cookie", "header::COOKIE", ".cookie(", "add_cookie"];
    assert_none(lines(&source(), &["src/web/cookies.rs"], |line| words.iter().any(|word| line.contains(word))));
}

#[test]
fn nothing_is_left_undone_or_waved_through() {
    let words = ["#[allow(", "#![allow(", "todo!", "unimplemented!", "dbg!", "println!", ".unwrap()", ".expect("];
    assert_none(lines(&source(), &[], |line| words.iter().any(|word| line.contains(word))));
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let all = source().into_iter().chain(files("tests", ".rs")).chain(files("templates", ".html"));
    let marked = all.filter(|file| marks.iter().any(|mark| file.text.contains(mark)));
    assert_none(marked.map(|file| file.name()).collect());
}

#[test]
fn no_template_holds_a_script_or_a_style_of_its_own() {
    let mut complaints = Vec::new();
    for file in files("templates", ".html") {
        let text = file.text.to_lowercase();
        for word in ["<script", " style=", " onclick", " onload", " onsubmit", "javascript:", "|safe", "| safe"] {
            if text.contains(word) {
                complaints.push(format!("{}: {word}", file.name()));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn every_form_of_a_template_carries_its_token() {
    for file in files("templates", ".html") {
        let (forms, tokens) = (file.text.matches("<form").count(), file.text.matches("name=\"form_token\"").count());
        assert_eq!(forms, tokens, "{}", file.name());
        assert_eq!(forms, file.text.matches("method=\"post\"").count(), "{}", file.name());
    }
}

#[test]
fn every_database_has_the_same_migrations() {
    let names = |folder: &Path| -> BTreeSet<String> {
        let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap());
        entries.filter(|entry| entry.path().is_dir()).map(|entry| entry.file_name().into_string().unwrap()).collect()
    };
    let migrations = root().join("migrations");
    let sqlite = names(&migrations.join("sqlite"));
    assert!(!sqlite.is_empty());
    for dialect in names(&migrations) {
        assert_eq!(names(&migrations.join(&dialect)), sqlite, "{dialect}");
    }
}

#[test]
fn every_migration_after_the_first_says_who_may_go_on_without_it() {
    for folder in ["migrations/sqlite", "migrations/postgres"] {
        for file in files(folder, "/up.sql").iter().skip(1) {
            let name = file.path.parent().unwrap().file_name().unwrap().to_str().unwrap();
            let version = name.split('_').next().unwrap().replace('-', "");
            let told = file.text.contains("INSERT INTO tolerated_migrations") && file.text.contains(&version);
            let shut_out = file.text.contains("-- Shuts out every version before.");
            assert!(told || shut_out, "{} says nothing of the versions before", file.name());
        }
    }
}

#[test]
fn every_test_file_is_run() {
    let main = fs::read_to_string(root().join("tests/suite/main.rs")).unwrap();
    let folder = fs::read_dir(root().join("tests/suite")).unwrap();
    let modules = folder.map(|entry| entry.unwrap().path().file_stem().unwrap().to_str().unwrap().to_owned());
    for module in modules.filter(|module| module != "main") {
        assert!(main.contains(&format!("mod {module};")), "{module} is in no module list");
    }
}
