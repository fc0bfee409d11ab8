//! For load balancers: is the process there, and can it serve?

use actix_web::http::header::RETRY_AFTER;
use actix_web::{HttpResponse, web};

use super::error::RETRY_SECONDS;
use super::fault_log::lost_nothing;
use super::site::Site;

/// `GET /healthz`: the process answers.
pub(crate) async fn alive() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok")
}

/// `GET /readyz`: the database answers and takes writes, this process has the key that signs and the right time, and is not
/// about to end.
pub(crate) async fn ready(site: web::Data<Site>) -> HttpResponse {
    let why = if site.is_draining() {
        "stopping".to_owned()
    } else if let Err(reason) = site.sessions.node().check() {
        reason.to_string()
    } else if let Err(error) = site.sessions.ping().await {
        lost_nothing(&site, &error.into());
        "the database does not answer, or takes no writes".to_owned()
    } else {
        return alive().await;
    };
    HttpResponse::ServiceUnavailable()
        .content_type("text/plain; charset=utf-8")
        .insert_header((RETRY_AFTER, RETRY_SECONDS))
        .body(why)
}
