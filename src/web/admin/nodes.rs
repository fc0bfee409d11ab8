//! `/admin/nodes`: the processes on the database, their versions and their keys.

use actix_web::http::StatusCode;
use actix_web::{HttpResponse, web};
use askama::Template;

use super::read;
use crate::display::time::{DisplayTime, Times};
use crate::domain::key_id::KeyId;
use crate::domain::node::Node;
use crate::store::nodes::{Overview, overview};
use crate::web::error::WebError;
use crate::web::extract::AdminUser;
use crate::web::pages::{Layout, render};
use crate::web::request_auth::RequestAuth;
use crate::web::site::Site;

#[derive(Template)]
#[template(path = "admin/nodes.html")]
struct NodesPage<'a> {
    layout: Layout<'a>,
    section: &'static str,
    nodes: Vec<NodeRow>,
}

/// One process in words.
struct NodeRow {
    id: String,
    process: String,
    version: String,
    lifetimes: String,
    keys: Vec<KeyWords>,
    started: DisplayTime,
    heard: DisplayTime,
}

/// A key by its name, and what it does.
struct KeyWords {
    name: String,
    signs: bool,
    is_dropped: bool,
}

impl NodeRow {
    fn new(node: &Node, there: &Overview, times: &Times) -> Self {
        let announced = &node.announced;
        let key = |key: &KeyId| KeyWords {
            name: key.to_string(),
            signs: there.standing.signing() == Some(*key) && !there.standing.is_dropped(*key),
            is_dropped: there.standing.is_dropped(*key),
        };
        Self {
            id: announced.id.to_string(),
            process: format!("{}:{}", announced.host, announced.pid),
            version: announced.version.clone(),
            lifetimes: announced.lifetimes.clone(),
            keys: announced.keys.iter().map(key).collect(),
            started: times.past(node.started_at),
            heard: times.past(node.heard_at),
        }
    }
}

/// `GET /admin/nodes`.
pub(crate) async fn get(site: web::Data<Site>, auth: RequestAuth, _admin: AdminUser) -> Result<HttpResponse, WebError> {
    let there = read(&site, overview).await?;
    // Their times are of the clock of the database, and are told as seen from it.
    let zone = auth.identity().and_then(|identity| identity.user().time_zone);
    let times = Times::new(there.now, zone);
    let page = NodesPage {
        layout: Layout::new(&site, Some(&auth), "admin").on("/admin/nodes"),
        section: "nodes",
        nodes: there.nodes.iter().map(|node| NodeRow::new(node, &there, &times)).collect(),
    };
    render(StatusCode::OK, &page)
}
