//! `perennial node`.

use serde_json::json;
use time::format_description::well_known::Rfc3339;

use super::output::{Failure, say};
use super::table::aligned;
use crate::config::Settings;
use crate::domain::key_id::KeyId;
use crate::domain::node::Node;
use crate::store::Database;
use crate::store::nodes::Overview;

/// Lists the live processes, and marks the key that signs; it changes nothing.
pub(super) fn list(settings: &Settings, as_json: bool) -> Result<(), Failure> {
    Database::refuse_unusable(&settings.database)?;
    let there = Database::inspect_nodes(&settings.database)?;
    let nodes = there.as_ref().map_or(&[][..], |there| &there.nodes);
    match &there {
        _ if as_json => {
            let rows = nodes.iter().map(|node| document(node, there.as_ref()));
            say(&serde_json::Value::Array(rows.collect::<Result<_, Failure>>()?).to_string())
        }
        Some(there) if !nodes.is_empty() => say(&table(there)),
        _ => say(&format!("No process is running on {}", settings.database.shown())),
    }
}

fn document(node: &Node, there: Option<&Overview>) -> Result<serde_json::Value, Failure> {
    let announced = &node.announced;
    let texts = |keys: &[KeyId]| keys.iter().map(ToString::to_string).collect::<Vec<_>>();
    Ok(json!({
        "id": announced.id.to_string(),
        "version": announced.version,
        "key_ids": texts(&announced.keys),
        "signing_key": there.and_then(|there| there.standing.signing()).map(|key| key.to_string()),
        "lifetimes": announced.lifetimes,
        "capabilities": announced.capabilities,
        "host": announced.host,
        "pid": announced.pid,
        "started_at": node.started_at.format(&Rfc3339)?,
        "heard_at": node.heard_at.format(&Rfc3339)?,
    }))
}

fn table(there: &Overview) -> String {
    let head = ["ID", "VERSION", "PROCESS", "KEYS", "LIFETIMES", "LAST HEARD"].map(str::to_owned);
    let rows = there.nodes.iter().map(|node| {
        let announced = &node.announced;
        let keys = announced.keys.iter().map(|key| marked(*key, there));
        [
            announced.id.to_string(),
            announced.version.clone(),
            format!("{}:{}", announced.host, announced.pid),
            keys.collect::<Vec<_>>().join(" "),
            announced.lifetimes.clone(),
            format!("{} s ago", (there.now - node.heard_at).whole_seconds().max(0)),
        ]
    });
    let rows: Vec<_> = std::iter::once(head).chain(rows).collect();
    format!("{}\n* signs", aligned(&rows))
}

fn marked(key: KeyId, there: &Overview) -> String {
    if there.standing.is_dropped(key) {
        format!("{key} (dropped)")
    } else if there.standing.signing() == Some(key) {
        format!("*{key}")
    } else {
        key.to_string()
    }
}
