//! The rules, tried on sources that keep them and on sources that break them.

use crate::tidy::graph::{Found, cycles};
use crate::tidy::modules::Tree;
use crate::tidy::schema::{Migration, differences};
use crate::tidy::source::{File, Kind, attributes, lex};

/// Rooms for the sources below.
const FLOORS: [(&str, u8); 6] = [("low", 0), ("left", 10), ("right", 10), ("high", 20), ("main", 60), ("lib", 60)];

/// Makes a library of the given files, with an empty one for each room that is not given.
fn library(sources: &[(&str, &str)]) -> Vec<File> {
    let given = |room: &&str| {
        let places = [format!("src/{room}.rs"), format!("src/{room}/mod.rs")];
        sources.iter().any(|(name, _)| places.iter().any(|place| place == name))
    };
    let lib = "mod low; mod left; mod right; mod high;";
    let rooms = [("lib", lib), ("low", ""), ("left", ""), ("right", ""), ("high", "")];
    let rooms = rooms.into_iter().filter(|(room, _)| !given(room));
    let rooms = rooms.map(|(room, text)| File::new(&format!("src/{room}.rs"), text.to_owned()));
    sources.iter().map(|(name, text)| File::new(name, (*text).to_owned())).chain(rooms).collect()
}

fn read(files: &[File]) -> Tree<'_> {
    Tree::read(files, &[("src/lib.rs", ""), ("src/main.rs", "main")], false)
}

fn broken_floors(sources: &[(&str, &str)]) -> Vec<String> {
    read(&library(sources)).broken_floors(&FLOORS)
}

fn file_cycles(sources: &[(&str, &str)]) -> Vec<String> {
    cycles(&read(&library(sources)).dependencies())
}

#[test]
fn a_room_may_use_a_lower_one_alone() {
    let text = "use crate::low::A; fn f() { crate::left::g(); } fn h() -> super::right::B {}";
    assert_eq!(broken_floors(&[("src/high.rs", text)]), [""; 0]);
    for (text, used) in [
        ("use crate::high::A;", "high"),
        ("use crate::{low::A, high::{self, B}};", "high"),
        ("use super::high::A;", "high"),
        ("pub use crate::high::A as C;", "high"),
        ("use crate::right::A;", "right"),
        ("fn f() -> crate::high::A { g() }", "high"),
        ("mod inner { use super::super::high::A; }", "high"),
        ("use super::high as tall; fn f() { tall::g(); }", "high"),
        ("#[serde(with = \"crate::high::seconds\")] struct A;", "high"),
        ("macro_rules! m { () => { $crate::high::A } }", "high"),
        ("fn f() -> T { T { a: 1, ..crate::high::A } }", "high"),
        ("use crate::Facade;", "lib"),
    ] {
        let lib = "mod low; mod left; mod right; mod high; pub use low::A as Facade;";
        let complaints = broken_floors(&[("src/lib.rs", lib), ("src/left.rs", text)]);
        assert_eq!(complaints, [format!("src/left.rs:1: left uses {used}")], "{text}");
    }
}

#[test]
fn a_room_that_passes_on_what_is_higher_breaks_the_floor_itself() {
    let sources = [
        ("src/low.rs", "pub use crate::high::A;"),
        ("src/high.rs", "pub struct A;"),
        ("src/left.rs", "use crate::low::A;"),
    ];
    assert_eq!(broken_floors(&sources), ["src/left.rs:1: left uses high", "src/low.rs:1: low uses high"]);
}

#[test]
fn comments_strings_and_tests_use_nothing() {
    let text = "//! [`crate::high`]\n/* use crate::high::A; /* nested */ use crate::high::B; */\n\
        const A: &str = \"use crate::high::A;\";\nconst B: char = '\"'; // crate::high::A\n\
        pub(in crate::high) fn f<'a>(a: &'a str) {}\n\
        #[cfg(test)] #[expect(unused)] mod tests { use crate::high::A; fn g() { crate::high::h(); } }";
    assert!(broken_floors(&[("src/low.rs", text)]).is_empty());
    let after = "#[cfg(test)]\nmod tests;\nuse crate::high::A;";
    assert_eq!(broken_floors(&[("src/low.rs", after)]), ["src/low.rs:3: low uses high"]);
}

#[test]
fn a_room_without_a_floor_is_an_error() {
    assert_eq!(broken_floors(&[("src/lib.rs", "mod attic;"), ("src/attic.rs", "")]), ["src/attic has no floor"]);
}

#[test]
fn the_program_uses_the_library() {
    let sources = [("src/main.rs", "mod low; fn main() { perennial::high::run(); low::f(); }")];
    let files = library(&sources);
    let rooms = read(&files).rooms();
    assert_eq!(rooms["main"].keys().collect::<Vec<_>>(), ["high"]);
}

#[test]
fn rooms_in_a_circle_are_found() {
    let sources = [
        ("src/low.rs", "use crate::left::A;"),
        ("src/left.rs", "use crate::right::B;"),
        ("src/right.rs", "use super::low::C;"),
    ];
    let files = library(&sources);
    assert_eq!(
        cycles(&read(&files).rooms()),
        ["left uses right (src/left.rs:1), right uses low (src/right.rs:1), low uses left (src/low.rs:1)"]
    );
}

#[test]
fn a_path_leads_through_re_exports_to_the_file_that_defines() {
    let files = library(&[
        ("src/high/mod.rs", "mod deep; mod run; pub use deep::{A, B as C}; pub use run::run; pub struct Own;"),
        ("src/high/deep.rs", "mod deeper; pub use self::deeper::A; pub struct B;"),
        ("src/high/deep/deeper.rs", "pub struct A;"),
        ("src/high/run.rs", "pub fn run() {} pub struct Running;"),
        ("src/left.rs", "use crate::high::{self, run, deep::A}; use std::time;"),
    ]);
    let tree = read(&files);
    let found = |path: &[&str]| match &tree.find("left", path)[..] {
        [Found { module, whole, .. }] => (module.clone(), *whole),
        other => panic!("{path:?}: {other:?}"),
    };
    let defined = |module: &str| (module.to_owned(), false);
    assert_eq!(found(&["crate", "high", "A"]), defined("high::deep::deeper"));
    assert_eq!(found(&["super", "high", "A", "new"]), defined("high::deep::deeper"));
    assert_eq!(found(&["crate", "high", "C"]), defined("high::deep"));
    assert_eq!(found(&["crate", "high", "Own"]), defined("high"));
    assert_eq!(found(&["high", "A"]), defined("high::deep::deeper"), "by an import");
    assert_eq!(found(&["A", "new"]), defined("high::deep::deeper"), "by an import");
    // A function and its module share a name.
    assert_eq!(found(&["crate", "high", "run"]), defined("high::run"));
    assert_eq!(found(&["crate", "high", "run", "Running"]), defined("high::run"));
    assert_eq!(found(&["crate", "high"]), ("high".to_owned(), true));
    for foreign in ["time", "std", "Vec", "::"] {
        assert_eq!(tree.find("left", &[foreign, "Duration"]), [], "{foreign}");
    }
}

#[test]
fn files_that_use_each_other_are_found() {
    for (parent, child) in [
        ("mod b; use b::B; pub struct A;", "use super::A; pub struct B;"),
        ("mod b; fn f() { b::g(); } pub struct A;", "use crate::high::A; pub struct B;"),
        ("mod b; pub use b::B; pub struct A(B);", "use super::A; pub struct B;"),
        ("mod b; pub use self::b::B; fn f() -> A { B::new() } pub struct A;", "fn f(a: super::A) {}"),
        ("mod b; use b::B; macro_rules! m { () => {} }", "m!(); pub struct B;"),
        ("mod b; mod inner { use super::b::B; } pub struct A;", "use crate::high::{A}; pub struct B;"),
    ] {
        let cycles = file_cycles(&[("src/high/mod.rs", parent), ("src/high/b.rs", child)]);
        assert_eq!(cycles.len(), 1, "{parent} / {child}: {cycles:?}");
    }
    let three = [
        ("src/high/mod.rs", "mod a; mod b; mod c; pub use a::A; pub use b::B; pub use c::C;"),
        ("src/high/a.rs", "use super::B; pub struct A;"),
        ("src/high/b.rs", "use crate::high::C; pub struct B;"),
        ("src/high/c.rs", "use super::a::A; pub struct C;"),
    ];
    assert_eq!(
        file_cycles(&three),
        ["src/high/a.rs uses src/high/b.rs (src/high/a.rs:1), src/high/b.rs uses src/high/c.rs (src/high/b.rs:1), \
         src/high/c.rs uses src/high/a.rs (src/high/c.rs:1)"]
    );
}

#[test]
fn a_parent_that_only_lists_its_children_uses_none_of_them() {
    for (parent, child) in [
        ("mod b; pub use b::B; pub struct A;", "use super::A; pub struct B;"),
        ("mod b; pub(crate) use self::b::{B, C as D}; pub struct A;", "use super::A; pub struct B; pub struct C;"),
        ("mod b; pub mod all { pub(in crate::high) use super::b::B; } pub struct A;", "use super::A; pub struct B;"),
        (
            "mod b; mod c; pub use b::B; pub struct A;",
            "use super::c; use super::B as Own; pub struct B; fn f(a: super::A) {}",
        ),
        (
            "mod b; pub use b::run; pub struct A { run: u8 } impl A { fn run(&self) { self.run(); } }",
            "use super::A; pub fn run() {}",
        ),
        ("mod b; #[cfg(test)] use b::B; pub struct A;", "use super::A; pub struct B;"),
        ("mod b; use b::B;", "pub struct B; #[cfg(test)] mod tests { use crate::high::A; }"),
    ] {
        let cycles = file_cycles(&[("src/high/mod.rs", parent), ("src/high/b.rs", child), ("src/high/c.rs", "")]);
        assert!(cycles.is_empty(), "{parent} / {child}: {cycles:?}");
    }
}

#[test]
fn climbing_and_taking_everything_are_found() {
    let text = "use super::super::left::A;\nuse super::{super::low::B};\npub(in super::super) fn f() {}\n\
        fn g() { self::super::super::h() }\nuse crate::low::*;\nuse std::fmt::*;";
    let files = library(&[("src/high/mod.rs", "mod b; use super::low::A;"), ("src/high/b.rs", text)]);
    let tree = read(&files);
    let lines: Vec<_> =
        tree.climbs().iter().filter_map(|place| place.split(':').nth(1)?.parse::<usize>().ok()).collect();
    assert_eq!(lines, [1, 2, 3, 4]);
    assert_eq!(tree.globs(), ["src/high/b.rs:5: crate::low::*"]);
}

#[test]
fn the_lexer_tells_code_from_text() {
    let words = |text| -> Vec<_> {
        let tokens = lex(text).into_iter().filter(|token| token.kind == Kind::Word);
        tokens.map(|token| (token.text, token.line)).collect()
    };
    assert_eq!(words("a // b\nc /* d /* e */ f */ g"), [("a", 1), ("c", 2), ("g", 2)]);
    assert_eq!(words(r####"a "b \" c" d r#"e " f"# g br##"h"# "## i '"' j '\'' k b'l' m"####).len(), 8);
    assert_eq!(
        words("fn f<'a>(r#type: &'static str) 1u8 1..x"),
        [("fn", 1), ("f", 1), ("r#type", 1), ("str", 1), ("x", 1)]
    );
    let tokens = lex("#![allow(a)] #[ignore = \"needs b\"] fn f() {}");
    let attributes: Vec<_> = attributes(&tokens).iter().map(|attribute| attribute[0].text).collect();
    assert_eq!(attributes, ["allow", "ignore"]);
}

fn migration(up: &str, down: &str) -> Migration {
    Migration { name: "1_one".to_owned(), up: up.to_owned(), down: down.to_owned() }
}

#[test]
fn dialects_may_differ_in_their_sql_alone() {
    let sqlite = migration(
        "CREATE TABLE old (id INTEGER PRIMARY KEY, name TEXT); -- a comment; with a semicolon\n\
         CREATE TABLE new (id INTEGER PRIMARY KEY, name TEXT NOT NULL, CHECK (length(name) IN (1, 2)));\n\
         INSERT INTO new SELECT id, name FROM old; DROP TABLE old; ALTER TABLE new RENAME TO old;\n\
         CREATE UNIQUE INDEX by_name ON old (name);\n\
         CREATE TRIGGER noted AFTER UPDATE OF name ON old BEGIN SELECT CASE WHEN 1 THEN ';' END; DELETE FROM old; END;",
        "DROP TABLE old;",
    );
    let other = |up: &str| migration(up, "DROP TABLE IF EXISTS old CASCADE; DROP FUNCTION note;");
    let table = "CREATE TABLE old (id BIGINT PRIMARY KEY, name TEXT);";
    let rest = "CREATE UNIQUE INDEX CONCURRENTLY by_name ON old (lower(name), id);\n\
        CREATE FUNCTION note() RETURNS TRIGGER LANGUAGE plpgsql AS $$ BEGIN CREATE TABLE no (no TEXT); END; $$;\n\
        CREATE TRIGGER noted AFTER UPDATE OF name ON old FOR EACH ROW EXECUTE FUNCTION note();";
    let compare = |up: String, known: &[(&str, &str)]| {
        differences([("sqlite", std::slice::from_ref(&sqlite)), ("postgres", &[other(&up)])], known)
    };
    let same = format!("{table} ALTER TABLE ONLY old ALTER COLUMN name SET NOT NULL; {rest}");
    assert_eq!(compare(same.clone(), &[]), [""; 0]);
    for (up, complaint) in [
        (format!("{table} {rest}"), "sqlite alone has required column old.name"),
        (same.replace("UNIQUE ", ""), "sqlite alone has unique index old.by_name"),
        (same.replace("by_name", "by_id"), "postgres alone has unique index old.by_id"),
        (same.replace("TRIGGER noted", "TRIGGER other"), "sqlite alone has trigger old.noted"),
        (same.replace("name TEXT)", "name TEXT, more TEXT)"), "postgres alone has column old.more"),
        (format!("{same} ALTER TABLE old ADD COLUMN a TEXT, DROP COLUMN name;"), "sqlite alone has column old.name"),
        (format!("{same} ALTER TABLE old RENAME name TO word;"), "postgres alone has column old.word"),
        (format!("{same} CREATE TABLE more (id TEXT);"), "postgres alone has table more."),
        (
            format!("{same} CREATE TABLE more (id TEXT);"),
            "postgres/1_one: down.sql does not undo up.sql: column more.id",
        ),
        (format!("{same} GRANT ALL ON old TO everybody;"), "postgres/1_one: cannot read: grant all"),
    ] {
        let complaints = compare(up, &[]);
        assert!(complaints.iter().any(|told| told.contains(complaint)), "{complaint}: {complaints:?}");
    }
    let more = same.replace("name TEXT)", "name TEXT, more TEXT)");
    assert_eq!(compare(more, &[("postgres", "column old.more")]), [""; 0]);
    let known = [("postgres", "column old.more"), ("sqlite", "trigger old.noted")];
    let stale = ["postgres alone is said to have column old.more", "sqlite alone is said to have trigger old.noted"];
    assert_eq!(compare(same.clone(), &known), stale);
    let less = same.replace("CREATE TRIGGER", "-- CREATE TRIGGER");
    assert_eq!(compare(less, &known[1..]), [""; 0]);
    let unnamed = Migration { name: "1_two".to_owned(), ..migration("", "") };
    assert_eq!(differences([("sqlite", &[migration("", "")]), ("postgres", &[unnamed])], &[]).len(), 1);
}
