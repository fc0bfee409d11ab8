//! Faults in the log: a line when one begins and one when it is over, with how many answers it cost, and not one per
//! request.
//!
//! A database that is away for a minute would otherwise fill the log with thousands of equal lines, and push out the one
//! that says why.

use std::sync::{Arc, Weak};
use std::time::Duration;

use actix_web::{HttpRequest, web};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use super::error::WebError;
use super::faults::{Fault, Noted};
use super::loggable_path::loggable;
use super::request_id::RequestId;
use super::site::Site;
use crate::crypto::random_bytes;

/// How often to look whether a fault is over.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// Notes that an answer was lost to an error; returns the reference under which it stands in the log.
pub(crate) fn lost_answer(
    site: &web::Data<Site>,
    id: RequestId,
    error: Option<&WebError>,
    words: &str,
    request: Option<&HttpRequest>,
) -> String {
    let fault = Fault::of(error, words);
    let (reference, remembered) = match note(site, &fault, 1) {
        Noted::GoesOn { reference } => return reference,
        Noted::Begins { reference, remembered } => (reference, remembered),
    };
    let request_id = tracing::field::display(id);
    let method = request.map(|request| request.method().as_str());
    let path = request.map(|request| loggable(request.path()));
    match &fault {
        Fault::Outage => {
            let error = words;
            tracing::error!(reference, request_id, method, path, error, "a fault begins: requests may be answered 503");
        }
        Fault::Overload => {
            tracing::error!(
                reference,
                request_id,
                method,
                path,
                "a fault begins: more passwords wait than can be hashed"
            );
        }
        Fault::Internal(_) => {
            tracing::error!(reference, request_id, method, path, error = words, "a request failed");
        }
    }
    if remembered {
        await_end(site, fault);
    }
    reference
}

/// Notes that something failed beside an answer that was right all the same.
pub(crate) fn lost_nothing(site: &web::Data<Site>, error: &WebError) {
    let words = error.to_string();
    let fault = Fault::of(Some(error), &words);
    let Noted::Begins { reference, remembered } = note(site, &fault, 0) else { return };
    match &fault {
        Fault::Outage => tracing::error!(reference, error = words, "a fault begins: requests may be answered 503"),
        _ => tracing::warn!(reference, error = words, "an answer was right, and something beside it failed"),
    }
    if remembered {
        await_end(site, fault);
    }
}

fn note(site: &Site, fault: &Fault, answers: u64) -> Noted {
    site.faults.note(fault, answers, site.sessions.clock().elapsed(), || {
        random_bytes::<6>().map(|bytes| URL_SAFE_NO_PAD.encode(bytes)).unwrap_or_default()
    })
}

fn await_end(site: &web::Data<Site>, fault: Fault) {
    tokio::spawn(watch(Arc::downgrade(&site.clone().into_inner()), fault));
}

/// Waits for the end of a fault and logs it. It holds no site while it waits, so that a server can end meanwhile.
async fn watch(site: Weak<Site>, fault: Fault) {
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let Some(site) = site.upgrade() else { return };
        if fault == Fault::Outage && !serves(&site).await {
            continue;
        }
        let now = site.sessions.clock().elapsed();
        let Some(over) = site.faults.take_quiet(&fault, now) else { continue };
        let seconds = over.last.saturating_sub(over.began).as_secs();
        let (reference, answers) = (over.reference, over.answers);
        match fault {
            // Its line said all of it.
            Fault::Internal(_) if answers <= 1 => {}
            Fault::Internal(_) => tracing::info!(reference, answers, seconds, "a failure has not come back"),
            Fault::Outage | Fault::Overload => tracing::info!(reference, answers, seconds, "a fault is over"),
        }
        return;
    }
}

/// Tells whether this process could serve now.
async fn serves(site: &Site) -> bool {
    site.sessions.node().check().is_ok() && site.sessions.ping().await.is_ok()
}
