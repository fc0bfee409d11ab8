//! Who uses whom: paths resolved to the file that defines what they name, and the floors and cycles that follow.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::tidy::modules::{Mention, Module, Role, Tree, join};

/// From each node to those that it uses, with the place of one such use.
pub type Graph = BTreeMap<String, BTreeMap<String, String>>;

/// How many imports a path may lead through: a name that is imported from itself would never end.
const HOPS: usize = 16;

/// What a path leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The module that defines it, or that is itself what is named.
    pub module: String,
    /// Whether the path names a module and nothing in it.
    pub whole: bool,
    /// The modules whose re-exports the path goes through.
    pub through: Vec<String>,
}

impl Found {
    /// Returns the rooms that the path goes through or leads to.
    fn rooms(&self) -> impl Iterator<Item = &str> {
        self.through.iter().chain([&self.module]).map(|module| room(module))
    }
}

/// Something that one module uses of the crate.
struct Use<'t> {
    from: &'t str,
    line: usize,
    found: Found,
    /// Whether a file only re-exports here what a module below it defines.
    reexport: bool,
}

/// Returns the room that a module belongs to.
fn room(module: &str) -> &str {
    if module.is_empty() { "lib" } else { module.split("::").next().unwrap_or_default() }
}

fn parent(module: &str) -> String {
    module.rsplit_once("::").map(|(parent, _)| parent.to_owned()).unwrap_or_default()
}

impl Tree<'_> {
    /// Returns what a path leads to from a module; nothing for what is no part of this crate.
    pub fn find(&self, from: &str, path: &[&str]) -> Vec<Found> {
        let mut found = Vec::new();
        self.start(from, path, &[], &mut found);
        found
    }

    fn start(&self, from: &str, path: &[&str], through: &[String], found: &mut Vec<Found>) {
        let Some((first, mut rest)) = path.split_first() else { return };
        if through.len() > HOPS {
            return;
        }
        let mut module = match *first {
            "crate" if room(from) == "main" => "main".to_owned(),
            "crate" => String::new(),
            // The program is a crate of its own, and names the library.
            "perennial" if room(from) == "main" => String::new(),
            "self" => from.to_owned(),
            "super" => parent(from),
            name if self.child(from, name).is_some() || self.imports(from, name) => {
                return self.walk(from, path, through, found);
            }
            _ => return,
        };
        while let ["super", more @ ..] = rest {
            (module, rest) = (parent(&module), more);
        }
        self.walk(&module, rest, through, found);
    }

    fn walk(&self, from: &str, path: &[&str], through: &[String], found: &mut Vec<Found>) {
        let mut module = from.to_owned();
        for (at, name) in path.iter().enumerate() {
            let rest = &path[at + 1..];
            let imported = self.imports(&module, name);
            match self.child(&module, name) {
                // A function may have the name of the module that it comes from; what follows tells which is meant.
                Some(child) if !rest.is_empty() || !imported => module = child,
                _ if imported => {
                    let through: Vec<_> = through.iter().cloned().chain([module.clone()]).collect();
                    let imports = self.modules.get(&module).into_iter().flat_map(|module| module.imports(name));
                    for import in imports {
                        let whole_path: Vec<&str> = import.path.iter().chain(rest).copied().collect();
                        self.start(&module, &whole_path, &through, found);
                    }
                    return;
                }
                _ => return found.push(Found { module, whole: false, through: through.to_vec() }),
            }
        }
        found.push(Found { module, whole: true, through: through.to_vec() });
    }

    /// Returns the child of a module by this name; the program is no child of the library.
    fn child(&self, module: &str, name: &str) -> Option<String> {
        Some(join(module, name)).filter(|child| child != "main" && self.modules.contains_key(child))
    }

    fn imports(&self, module: &str, name: &str) -> bool {
        self.modules.get(module).is_some_and(|module| module.imports(name).next().is_some())
    }

    /// Returns the module that defines a macro which is called by its bare name: this one or one around it.
    fn macro_home(&self, from: &str, name: &str) -> Option<String> {
        let mut module = from.to_owned();
        while !self.modules.get(&module)?.macros.contains(name) {
            if module.is_empty() {
                return None;
            }
            module = parent(&module);
        }
        Some(module)
    }

    fn uses(&self) -> Vec<Use<'_>> {
        let mut uses = Vec::new();
        for (from, module) in &self.modules {
            for mention in &module.mentions {
                let found = match mention.role {
                    Role::Scope => Vec::new(),
                    Role::Import { .. } | Role::Code => self.find(from, &mention.path),
                    Role::Macro => {
                        let home = mention.path.first().and_then(|name| self.macro_home(from, name));
                        home.map(|module| Found { module, whole: false, through: Vec::new() }).into_iter().collect()
                    }
                };
                for found in found {
                    let reexport = self.is_reexport(module, mention, &found);
                    if reexport && let Some(line) = own_use(module, mention) {
                        uses.push(Use { from, line, found: found.clone(), reexport: false });
                    }
                    uses.push(Use { from, line: mention.line, found, reexport });
                }
            }
        }
        uses
    }

    /// Tells whether an import re-exports what a module below its file defines, as `mod.rs` does.
    fn is_reexport(&self, module: &Module, mention: &Mention, found: &Found) -> bool {
        let owner = self.keys.get(&module.file).map(|key| join(key, "")).unwrap_or_default();
        matches!(mention.role, Role::Import { public: true, .. }) && found.module.starts_with(&owner)
    }

    fn place(&self, used: &Use<'_>) -> String {
        format!("{}:{}", self.file(used.from), used.line)
    }

    /// Returns the name of the file that a module is in.
    fn file(&self, module: &str) -> &str {
        self.modules.get(module).map_or("", |module| &self.files[module.file].name)
    }

    /// Returns the first use in each file of something on the same floor or above, and the rooms that have no floor.
    pub fn broken_floors(&self, floors: &[(&str, u8)]) -> Vec<String> {
        let floor = |room: &str| floors.iter().find(|(name, _)| *name == room).map(|(_, floor)| *floor);
        let homeless = self.modules.keys().map(|module| room(module)).filter(|room| floor(room).is_none());
        let homeless: BTreeSet<_> = homeless.map(|room| format!("src/{room} has no floor")).collect();
        let mut broken = BTreeMap::new();
        for used in self.uses() {
            let own = room(used.from);
            for other in used.found.rooms().filter(|other| *other != own) {
                if floor(own).is_some_and(|own| floor(other).is_some_and(|other| other >= own)) {
                    let complaint = format!("{}: {own} uses {other}", self.place(&used));
                    broken.entry((self.file(used.from), other.to_owned())).or_insert(complaint);
                }
            }
        }
        homeless.into_iter().chain(broken.into_values()).collect()
    }

    /// Returns which room uses which.
    pub fn rooms(&self) -> Graph {
        let mut graph = Graph::new();
        for used in self.uses() {
            let own = room(used.from);
            for other in used.found.rooms().filter(|other| *other != own) {
                let place = graph.entry(own.to_owned()).or_default().entry(other.to_owned());
                place.or_insert_with(|| self.place(&used));
            }
        }
        graph
    }

    /// Returns which file uses what another one defines. Importing a module alone is no use; what is taken from it is.
    pub fn dependencies(&self) -> Graph {
        let mut graph = Graph::new();
        for used in self.uses().iter().filter(|used| !used.found.whole && !used.reexport) {
            let (own, other) = (self.file(used.from), self.file(&used.found.module));
            if own != other {
                let place = graph.entry(own.to_owned()).or_default().entry(other.to_owned());
                place.or_insert_with(|| self.place(used));
            }
        }
        graph
    }

    /// Returns the glob imports of this crate's own modules: they hide what is used, so nothing else here could see it.
    pub fn globs(&self) -> Vec<String> {
        let mut complaints = Vec::new();
        for (from, module) in &self.modules {
            for glob in module.imports("*").filter(|glob| !self.find(from, &glob.path).is_empty()) {
                complaints.push(format!("{}:{}: {}::*", self.file(from), glob.line, glob.path.join("::")));
            }
        }
        complaints
    }

    /// Returns the places of every path that climbs two modules.
    pub fn climbs(&self) -> BTreeSet<String> {
        let climbs = |mention: &&Mention| mention.path.iter().filter(|name| **name == "super").count() > 1;
        let climbing = self.modules.values().flat_map(|module| {
            let file = &self.files[module.file].name;
            module.mentions.iter().filter(climbs).map(move |mention| format!("{file}:{}", mention.line))
        });
        climbing.collect()
    }
}

/// Returns the first line where a module itself uses a name that it re-exports.
fn own_use(module: &Module, import: &Mention) -> Option<usize> {
    let Role::Import { name, .. } = import.role else { return None };
    module.names.iter().find(|(used, _)| *used == name).map(|(_, line)| *line)
}

/// Returns the shortest cycles, of which no two share a step: one wrong import is one complaint.
pub fn cycles(graph: &Graph) -> Vec<String> {
    let mut found: Vec<_> = graph.keys().filter_map(|node| shortest(graph, node)).collect();
    found.sort_by_key(Vec::len);
    let mut told = BTreeSet::new();
    let mut complaints = Vec::new();
    for cycle in found {
        let steps: Vec<_> = cycle.iter().cloned().zip(cycle.iter().cycle().skip(1).cloned()).collect();
        if steps.iter().all(|step| !told.contains(step)) {
            let words = steps.iter().map(|(own, other)| format!("{own} uses {other} ({})", graph[own][other]));
            complaints.push(words.collect::<Vec<_>>().join(", "));
            told.extend(steps);
        }
    }
    complaints
}

/// Returns the nodes of the shortest way from a node back to it.
fn shortest(graph: &Graph, node: &str) -> Option<Vec<String>> {
    let mut came: BTreeMap<&str, &str> = BTreeMap::new();
    let mut waiting = VecDeque::from([node]);
    while let Some(here) = waiting.pop_front() {
        for next in graph.get(here).into_iter().flat_map(BTreeMap::keys) {
            if next == node {
                let mut way = vec![here.to_owned()];
                while let Some(before) = came.get(way.last()?.as_str()) {
                    way.push((*before).to_owned());
                }
                way.reverse();
                return Some(way);
            }
            if !came.contains_key(next.as_str()) {
                came.insert(next, here);
                waiting.push_back(next);
            }
        }
    }
    None
}
