//! The rules of the source, read from the source.

mod graph;
mod modules;
mod schema;
mod self_test;
mod source;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::LazyLock;

use graph::cycles;
use modules::Tree;
use schema::{Migration, differences};
use source::{File, Kind, Token, attributes, files};

/// Lines of a file at most: what does not fit on a few screens has more than one subject.
const LONGEST: usize = 400;

/// The floor of each room of `src/`: a room uses what lies below it, and nothing beside or above it.
const FLOORS: [(&str, u8); 17] = [
    ("domain", 0),
    ("display", 5),
    ("crypto", 10),
    ("store", 10),
    ("mail", 10),
    ("telemetry", 10),
    ("session", 20),
    ("accounts", 21),
    ("jobs", 22),
    ("web", 30),
    ("server", 35),
    ("config", 40),
    ("app", 41),
    ("testing", 42),
    ("cli", 50),
    ("main", 60),
    ("lib", 60),
];

/// Where the modules of the library and of the program start.
const ROOTS: [(&str, &str); 2] = [("src/lib.rs", ""), ("src/main.rs", "main")];

/// What one dialect alone needs.
///
/// Transactions of PostgreSQL do not commit in the order of their numbers, so a change names its own, and old changes are
/// found by their time. Its trigger keeps addresses in lower case, where SQLite compares them without case. SQLite alone
/// has `REPLACE INTO`, which deletes a row without its trigger.
const IN_ONE_DIALECT: [(&str, &str); 9] = [
    ("postgres", "column changes.transaction"),
    ("postgres", "required column changes.transaction"),
    ("postgres", "index changes.changes_by_time"),
    ("postgres", "index changes.changes_by_transaction"),
    ("postgres", "index users.users_by_email_text"),
    ("postgres", "trigger users.users_email"),
    ("sqlite", "trigger sessions.sessions_replaced"),
    ("sqlite", "trigger users.users_displaced"),
    ("sqlite", "trigger users.users_replaced"),
];

/// The forms that are sent by GET, as a file and an action: a search, which changes nothing and needs no token.
const GET_FORMS: [(&str, &str); 2] =
    [("templates/admin/users.html", "/admin/users"), ("templates/admin/events.html", "/admin/events")];

/// Names that the redesign retired, by the folder that must not bring them back: the field has a standard term for each.
const OLD_NAMES: [(&str, &str); 2] = [
    (
        "src/",
        "Visit Arrival Grant Grants Remembered Recent SessionFacts Companion Duty Trail Letterhead Letter Carrier Moment \
         PATIENCE settle tick",
    ),
    ("src/store/", "Claim"),
];

/// Every file of Rust in the project.
static RUST: LazyLock<Vec<File>> = LazyLock::new(|| {
    ["src", "tests", "benches", "examples"].into_iter().flat_map(|folder| files(root(), folder, ".rs")).collect()
});

/// The modules of the library and of the program, without the tests in them.
static CODE: LazyLock<Tree<'static>> = LazyLock::new(|| Tree::read(&RUST, &ROOTS, false));

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Returns the files that hold more than tests.
fn source() -> impl Iterator<Item = &'static File> {
    CODE.keys.keys().map(|file| &RUST[*file])
}

/// Returns the files of Rust below a folder, test code included.
fn below(folder: &str) -> impl Iterator<Item = &'static File> {
    RUST.iter().filter(move |file| file.name.starts_with(folder))
}

/// Tells whether a file holds these rules, and so the words that they forbid.
fn is_rule(file: &File) -> bool {
    file.name == "tests/suite/tidy.rs" || file.name.starts_with("tests/suite/tidy/")
}

/// Asserts that there is nothing to complain about.
fn assert_none(complaints: impl IntoIterator<Item = String>) {
    let complaints: Vec<_> = complaints.into_iter().collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// Returns every line of the given tokens for which `wrong` holds.
fn lines(file: &File, tokens: &[Token], wrong: impl Fn(&str) -> bool) -> Vec<String> {
    let found = file.lines_of(tokens).into_iter().filter(|(_, line)| wrong(line));
    found.map(|(number, line)| format!("{}:{number}: {}", file.name, line.trim())).collect()
}

/// Returns every line of the source outside `may` that holds one of the words.
fn lines_with(words: &[&str], may: &[&str]) -> Vec<String> {
    let watched = source().filter(|file| !may.iter().any(|start| file.name.starts_with(start)));
    watched.flat_map(|file| lines(file, &file.code, |line| words.iter().any(|word| line.contains(word)))).collect()
}

/// Returns every token of the source outside `may` for which `wrong` holds.
fn tokens_that(may: &[&str], wrong: impl Fn(&Token) -> bool) -> Vec<String> {
    let watched = source().filter(|file| !may.iter().any(|start| file.name.starts_with(start)));
    let found = watched.flat_map(|file| file.code.iter().map(move |token| (file, token)));
    let found = found.filter(|(_, token)| wrong(token));
    found.map(|(file, token)| format!("{}:{}: {}", file.name, token.line, token.text)).collect()
}

#[test]
fn every_room_uses_only_what_lies_below_it() {
    assert_none(CODE.broken_floors(&FLOORS));
}

#[test]
fn no_two_rooms_use_each_other() {
    assert_none(cycles(&CODE.rooms()));
}

#[test]
fn no_two_files_use_each_other() {
    assert_none(cycles(&CODE.dependencies()));
}

#[test]
fn every_import_of_a_module_names_what_it_takes() {
    assert_none(CODE.globs());
}

#[test]
fn no_path_climbs_two_modules() {
    let mut places = Tree::read(&RUST, &ROOTS, true).climbs();
    for file in below("src/") {
        let written = file.text.lines().enumerate().filter(|(_, line)| line.contains("super::super"));
        places.extend(written.map(|(index, _)| format!("{}:{}", file.name, index + 1)));
    }
    assert_none(places);
}

#[test]
fn no_file_is_too_long() {
    let long = RUST.iter().map(|file| (&file.name, file.text.lines().count())).filter(|(_, lines)| *lines > LONGEST);
    assert_none(long.map(|(name, lines)| format!("{name} has {lines} lines")));
}

#[test]
fn every_file_is_compiled() {
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let declared = manifest.lines().filter_map(|line| line.strip_prefix("path = \"")?.strip_suffix('"'));
    // Cargo finds examples by itself, the programs of the crate that only the benchmarks need, and an example that is a
    // crate of its own.
    let found = RUST.iter().map(|file| file.name.as_str()).filter(|name| {
        name.strip_prefix("examples/").is_some_and(|name| !name.contains('/'))
            || name.starts_with("benches/peers/")
            || *name == "examples/sqlx/src/main.rs"
    });
    // Each root is a tree of its own: their modules may have the same names.
    let trees = declared.chain(found).map(|root| Tree::read(&RUST, &[(root, "")], true));
    let reached: BTreeSet<usize> = trees.flat_map(|tree| tree.keys.into_keys()).collect();
    let missed = RUST.iter().enumerate().filter(|(at, _)| !reached.contains(at));
    assert_none(missed.map(|(_, file)| format!("{} is in no module list", file.name)));
}

#[test]
fn time_is_asked_for_in_one_place() {
    let asks =
        ["now_utc", "now_local", "Instant::now", "SystemTime::now", "DateTime::now", "unixepoch", "CURRENT_TIMESTAMP"];
    // The clock of a database is its own, and asked for in one place.
    assert_none(lines_with(&asks, &["src/domain/clock.rs", "src/store/sqlite.rs"]));
    let tests = below("tests/").filter(|file| !is_rule(file));
    let asks = |line: &str| line.contains("now_utc") || line.contains("sleep(");
    assert_none(tests.flat_map(|file| lines(file, &file.tokens, asks)));
}

#[test]
fn sql_stays_in_the_store() {
    let sql = ["diesel", "rusqlite", "sql_query", "libsqlite3_sys", "pq_sys"];
    assert_none(lines_with(&sql, &["src/store/"]));
    let verbs = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "PRAGMA ", "CREATE ", "ALTER ", "DROP ", "WITH "];
    let starts = |text: &str| verbs.iter().any(|verb| text.trim_start().starts_with(verb));
    assert_none(tokens_that(&["src/store/"], |token| token.kind == Kind::Text && starts(token.content())));
}

#[test]
fn the_pure_floors_know_no_framework() {
    let pure = |file: &&File| ["src/domain", "src/display"].iter().any(|room| file.name.starts_with(room));
    let frameworks = ["actix", "diesel", "tokio", "std::fs", "std::net::Tcp", "std::env", "tracing"];
    let wrong = |line: &str| frameworks.iter().any(|framework| line.contains(framework));
    assert_none(source().filter(pure).flat_map(|file| lines(file, &file.code, wrong)));
}

#[test]
fn http_stays_in_the_web_room() {
    let may = [
        "src/web/",
        "src/server/",
        "src/app.rs",
        "src/app/",
        "src/testing/",
        "src/cli/serve.rs",
        "src/lib.rs",
        "src/telemetry/log.rs",
    ];
    assert_none(lines_with(&["actix"], &may));
}

#[test]
fn cookies_are_written_and_read_in_one_place() {
    // A browser of tests has a jar of its own.
    let home = ["src/web/cookies.rs", "src/testing/jar.rs", "src/testing/browser.rs"];
    assert_none(lines_with(
        &["SET_COOKIE", "Set-Cookie", "set-cookie", "header::COOKIE", ".cookie(", "add_cookie"],
        &home,
    ));
    assert_none(tokens_that(&home, |token| match token.kind {
        // The header as an import of its own, or as a text.
        Kind::Word => token.text == "COOKIE",
        Kind::Text => ["cookie", "set-cookie"].contains(&token.content().to_lowercase().as_str()),
        Kind::Mark | Kind::Other => false,
    }));
}

#[test]
fn nothing_is_left_undone_or_waved_through() {
    let words = ["#[allow(", "#![allow(", "todo!", "unimplemented!", "dbg!", "println!"];
    assert_none(lines_with(&words, &[]));
    // What tests stand on says what is wrong by failing, as they do.
    assert_none(lines_with(&[".unwrap()", ".expect("], &["src/testing/"]));
    let marks = [["TO", "DO"].concat(), ["FIX", "ME"].concat(), ["XX", "X"].concat()];
    let others = [("templates", ".html"), ("templates", ".txt"), ("migrations", ".sql"), ("static", ".css")];
    let others: Vec<_> = others.into_iter().flat_map(|(folder, ending)| files(root(), folder, ending)).collect();
    let marked = RUST.iter().chain(&others).filter(|file| marks.iter().any(|mark| file.text.contains(mark)));
    assert_none(marked.map(|file| file.name.clone()));
}

#[test]
fn a_lint_is_expected_never_allowed() {
    let mut complaints = Vec::new();
    for file in RUST.iter() {
        for attribute in attributes(&file.tokens) {
            let allowed = attribute.windows(2).find(|pair| pair[0].text == "allow" && pair[1].text == "(");
            complaints.extend(allowed.map(|pair| format!("{}:{}: allow", file.name, pair[0].line)));
        }
    }
    assert_none(complaints);
}

#[test]
fn every_ignored_test_says_what_it_needs() {
    let mut complaints = Vec::new();
    for file in RUST.iter() {
        for attribute in attributes(&file.tokens) {
            let Some(at) = attribute.iter().position(|token| token.text == "ignore") else { continue };
            let reason = attribute.get(at + 2).filter(|_| attribute[at + 1].text == "=");
            if !reason.is_some_and(|reason| reason.content().starts_with("needs ")) {
                complaints.push(format!("{}:{}: ignored without a need", file.name, attribute[at].line));
            }
        }
    }
    assert_none(complaints);
}

#[test]
fn the_old_dialect_is_gone() {
    let mut found: BTreeMap<(&str, &str), Vec<usize>> = BTreeMap::new();
    for file in below("src/") {
        let tokens = &file.tokens;
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
        for (at, token) in tokens.iter().enumerate().filter(|(_, token)| token.kind == Kind::Word) {
            let old = OLD_NAMES.iter().any(|(folder, names)| {
                file.name.starts_with(folder) && names.split(' ').any(|name| name == token.text)
            });
            // A method that is called may be another crate's; one of this crate is found where it is defined.
            let called = at > 0 && text(at - 1) == "." && text(at + 1) == "(";
            if old && !called {
                found.entry((&file.name, token.text)).or_default().push(token.line);
            }
        }
    }
    assert_none(found.into_iter().map(|((file, name), lines)| format!("{file}: {name} in lines {lines:?}")));
}

#[test]
fn no_template_holds_a_script_or_a_style_of_its_own() {
    let words = [
        "<script",
        " style=",
        " onclick",
        " onload",
        " onsubmit",
        "javascript:",
        "|safe",
        "| safe",
        "<iframe",
        "<object",
    ];
    let mut complaints = Vec::new();
    for file in files(root(), "templates", ".html") {
        let text = file.text.to_lowercase();
        let found = words.iter().filter(|word| text.contains(**word)).map(|word| (*word).to_owned());
        // An attribute may stand at the start of a line, and every event has one.
        let assigned = text.match_indices('=').filter(|(at, _)| !text[at + 1..].starts_with('='));
        let attributes =
            assigned.filter_map(|(at, _)| text[..at].trim_end().split([' ', '\n', '\t', '"', '\'', '<']).next_back());
        let inline = attributes.filter(|name| *name == "style" || (name.starts_with("on") && name.len() > 2));
        complaints.extend(found.chain(inline.map(str::to_owned)).map(|word| format!("{}: {word}", file.name)));
    }
    assert_none(complaints);
}

#[test]
fn every_form_of_a_template_carries_its_token() {
    let mut complaints = Vec::new();
    let mut by_get: Vec<_> = GET_FORMS.to_vec();
    for file in files(root(), "templates", ".html") {
        for form in file.text.split("<form").skip(1) {
            let (opening, rest) = form.split_once('>').unwrap_or((form, ""));
            let (fields, _) = rest.split_once("</form>").unwrap_or((rest, ""));
            let tokens = fields.matches("name=\"form_token\"").count();
            let get = by_get.iter().position(|(name, action)| {
                *name == file.name
                    && opening.contains(&format!("action=\"{{{{ layout.base }}}}{action}\""))
                    && opening.contains("method=\"get\"")
            });
            if let Some(get) = get
                && tokens == 0
            {
                by_get.remove(get);
            } else if tokens != 1 || !opening.contains("method=\"post\"") || fields.contains("formmethod") {
                complaints.push(format!("{}: <form{opening}>", file.name));
            }
        }
        let tokens = file.text.matches("name=\"form_token\"").count();
        if tokens > file.text.matches("<form").count() {
            complaints.push(format!("{}: a token outside a form", file.name));
        }
    }
    assert_none(
        complaints.into_iter().chain(by_get.iter().map(|(name, action)| format!("{name} has no form {action}"))),
    );
}

/// Returns the migrations of a dialect, in order.
fn migrations(dialect: &str) -> Vec<Migration> {
    let mut found: BTreeMap<String, Migration> = BTreeMap::new();
    for file in files(root(), &format!("migrations/{dialect}"), "") {
        let (folder, script) = file.name.rsplit_once('/').unwrap();
        let name = folder.rsplit('/').next().unwrap().to_owned();
        let empty = Migration { name: name.clone(), up: String::new(), down: String::new() };
        let migration = found.entry(name).or_insert(empty);
        match script {
            "up.sql" => migration.up = file.text.to_owned(),
            "down.sql" => migration.down = file.text.to_owned(),
            other => panic!("{folder} holds {other}"),
        }
    }
    found.into_values().collect()
}

#[test]
fn every_database_has_the_same_migrations() {
    let folders = fs::read_dir(root().join("migrations")).unwrap();
    let dialects: BTreeSet<_> = folders.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(dialects, BTreeSet::from(["postgres".to_owned(), "sqlite".to_owned()]));
    let (sqlite, postgres) = (migrations("sqlite"), migrations("postgres"));
    assert_none(differences([("sqlite", &sqlite), ("postgres", &postgres)], &IN_ONE_DIALECT));
}

#[test]
fn every_migration_after_the_first_says_who_may_go_on_without_it() {
    for dialect in ["sqlite", "postgres"] {
        for migration in migrations(dialect).iter().skip(1) {
            let version = migration.name.split('_').next().unwrap().replace('-', "");
            let told = migration.up.contains("INSERT INTO tolerated_migrations") && migration.up.contains(&version);
            let shut_out = migration.up.contains("-- Shuts out every version before.");
            assert!(told || shut_out, "{dialect}/{} says nothing of the versions before", migration.name);
        }
    }
}
