//! The modules of a crate as its files declare them, with every path that each of them names.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::tidy::source::{File, Kind, Token, closing};

/// What a path is written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// A `use`, by the name that it brings in: `*` for all names.
    Import { name: &'static str, public: bool },
    /// A path in code.
    Code,
    /// A call of a macro by its bare name.
    Macro,
    /// The scope of `pub(in …)` or `pub(super)`, which uses nothing.
    Scope,
}

/// A path as it is written; a group of `use` is one path for each of its names.
#[derive(Debug, Clone)]
pub struct Mention {
    pub path: Vec<&'static str>,
    pub role: Role,
    pub line: usize,
}

/// A module: a file, or a block inside one.
#[derive(Debug, Default)]
pub struct Module {
    /// The index of its file.
    pub file: usize,
    pub mentions: Vec<Mention>,
    /// The bare names that its code holds, for those that it re-exports and uses itself.
    pub names: Vec<(&'static str, usize)>,
    /// The macros that it defines with `macro_rules!`.
    pub macros: BTreeSet<&'static str>,
}

impl Module {
    /// Returns the imports by this name.
    pub fn imports<'m>(&'m self, name: &'m str) -> impl Iterator<Item = &'m Mention> {
        self.mentions
            .iter()
            .filter(move |mention| matches!(mention.role, Role::Import { name: brought, .. } if brought == name))
    }
}

/// Every module that is reached from the roots, by its path: the root of the library is the empty one.
pub struct Tree<'a> {
    pub files: &'a [File],
    pub modules: BTreeMap<String, Module>,
    /// The module of each file that is reached.
    pub keys: BTreeMap<usize, String>,
}

/// Returns the path of a child.
pub fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}::{name}") }
}

impl<'a> Tree<'a> {
    /// Follows `mod name;` from the roots, each a file and the path of its module, with or without test code.
    pub fn read(files: &'a [File], roots: &[(&str, &str)], with_tests: bool) -> Self {
        let mut tree = Self { files, modules: BTreeMap::new(), keys: BTreeMap::new() };
        let index: BTreeMap<&str, usize> =
            files.iter().enumerate().map(|(at, file)| (file.name.as_str(), at)).collect();
        let roots = roots.iter().filter_map(|(name, key)| Some((*index.get(name)?, (*key).to_owned())));
        let mut waiting: VecDeque<(usize, String)> = roots.collect();
        while let Some((file, key)) = waiting.pop_front() {
            tree.keys.insert(file, key.clone());
            let source = &files[file];
            let tokens = if with_tests { &source.tokens } else { &source.code };
            for child in tree.parse(file, &key, tokens) {
                let below = child[key.len()..].trim_start_matches("::").replace("::", "/");
                let places = [".rs", "/mod.rs"].map(|ending| format!("{}/{below}{ending}", folder(&source.name)));
                let found = places.iter().find_map(|place| index.get(place.as_str()));
                waiting.extend(found.map(|file| (*file, child)));
            }
        }
        tree
    }

    /// Takes in a file and returns the modules that it declares to be in files of their own.
    fn parse(&mut self, file: usize, key: &str, tokens: &[Token]) -> Vec<String> {
        let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
        let mut declared = Vec::new();
        let mut scopes = vec![(key.to_owned(), 0_usize)];
        self.modules.insert(key.to_owned(), Module { file, ..Module::default() });
        let (mut depth, mut at, mut published) = (0_usize, 0, None);
        while let Some(token) = tokens.get(at) {
            let (here, opened) = scopes.last().cloned().unwrap_or_default();
            let module = self.modules.entry(here.clone()).or_default();
            let mut end = at + 1;
            match (token.kind, token.text) {
                (Kind::Mark, "{") => depth += 1,
                (Kind::Mark, "}") => {
                    depth = depth.saturating_sub(1);
                    if scopes.len() > 1 && depth == opened {
                        scopes.pop();
                    }
                }
                (Kind::Word, "mod") if text(at + 2) == ";" => {
                    declared.push(join(&here, text(at + 1)));
                    end = at + 3;
                }
                (Kind::Word, "mod") if text(at + 2) == "{" => {
                    let inner = join(&here, text(at + 1));
                    self.modules.insert(inner.clone(), Module { file, ..Module::default() });
                    scopes.push((inner, depth));
                    end = at + 2;
                }
                (Kind::Word, "pub") => {
                    if text(at + 1) == "(" && ["crate", "in", "self", "super"].contains(&text(at + 2)) {
                        end = closing(tokens, at + 1) + 1;
                        let scope = tokens[at + 2..end - 1].iter().filter(|token| token.kind == Kind::Word);
                        let path = scope.map(|token| token.text).filter(|word| *word != "in").collect();
                        module.mentions.push(Mention { path, role: Role::Scope, line: token.line });
                    }
                    published = Some(end);
                }
                (Kind::Word, "use") if text(at + 1) != "<" => {
                    let mut branches = Vec::new();
                    end = flatten(tokens, at + 1, &[], &mut branches);
                    let public = published == Some(at);
                    module.mentions.extend(branches.into_iter().map(|(path, name, line)| Mention {
                        path,
                        role: Role::Import { name, public },
                        line,
                    }));
                }
                (Kind::Word, "macro_rules") if text(at + 1) == "!" => {
                    module.macros.insert(text(at + 2));
                    end = at + 3;
                }
                (Kind::Word, _) => end = name(tokens, at, module),
                // An attribute may name a function in a string.
                (Kind::Text, _) if is_quoted_path(token) => {
                    let quoted = token.text.trim_matches('"').split("::").collect();
                    module.mentions.push(Mention { path: quoted, role: Role::Code, line: token.line });
                }
                _ => {}
            }
            at = end;
        }
        declared
    }
}

/// Returns the folder where the modules that a file declares are.
fn folder(file: &str) -> &str {
    let own = file.strip_suffix(".rs").unwrap_or(file);
    match own.rsplit_once('/') {
        Some((folder, "lib" | "main" | "mod")) => folder,
        _ => own,
    }
}

fn is_quoted_path(token: &Token) -> bool {
    let path = token.content();
    let rooted = ["crate::", "self::", "super::"].iter().any(|start| path.starts_with(start));
    rooted && token.text.starts_with('"') && path.chars().all(|c| c.is_alphanumeric() || c == '_' || c == ':')
}

/// Takes in the path or the bare name at `at` and returns the index after it.
fn name(tokens: &[Token], at: usize, module: &mut Module) -> usize {
    const DEFINES: [&str; 10] = ["const", "enum", "fn", "let", "mut", "static", "struct", "trait", "type", "union"];
    let text = |at: usize| tokens.get(at).map_or("", |token| token.text);
    let before = |back: usize| at.checked_sub(back).map_or("", text);
    let member = before(1) == "." && before(2) != ".";
    let mut path = vec![text(at)];
    let mut end = at + 1;
    while text(end) == "::" && tokens.get(end + 1).is_some_and(|token| token.kind == Kind::Word) {
        path.push(text(end + 1));
        end += 2;
    }
    let line = tokens[at].line;
    if member || before(1) == "::" {
        // A field, a method, or the rest of a path that starts elsewhere.
    } else if path.len() > 1 {
        module.mentions.push(Mention { path, role: Role::Code, line });
    } else if text(end) == "!" && text(end + 1) != "=" {
        module.mentions.push(Mention { path, role: Role::Macro, line });
    } else if text(end) != ":" && !DEFINES.contains(&before(1)) {
        module.names.push((text(at), line));
    }
    end
}

/// Flattens the tree of a `use` from `at` and returns the index after it, or that of the comma or brace that ends it.
fn flatten(
    tokens: &[Token],
    mut at: usize,
    prefix: &[&'static str],
    found: &mut Vec<(Vec<&'static str>, &'static str, usize)>,
) -> usize {
    let mut path = prefix.to_vec();
    while let Some(token) = tokens.get(at) {
        match token.text {
            "{" => {
                at += 1;
                while tokens.get(at).is_some_and(|token| token.text != "}" && token.text != ";") {
                    at = flatten(tokens, at, &path, found);
                    at += usize::from(tokens.get(at).is_some_and(|token| token.text == ","));
                }
                return at + 1;
            }
            "*" => {
                found.push((path, "*", token.line));
                return at + 1;
            }
            "as" => {
                found.push((path, tokens.get(at + 1).map_or("_", |token| token.text), token.line));
                return at + 2;
            }
            "," | "}" | ";" => break,
            // What starts with two colons is another crate; the colons stay, and no module has that name.
            "::" if path.is_empty() => path.push("::"),
            "::" | "$" => {}
            "self" if !path.is_empty() => {}
            name => path.push(name),
        }
        at += 1;
    }
    let (name, line) = (path.last().copied().unwrap_or("_"), tokens[at.saturating_sub(1)].line);
    found.push((path, name, line));
    at
}
