//! Whether a page may ask in a dialog.

use actix_web::http::header::HeaderMap;

/// What every browser that opens a dialog without a script sends on a trustworthy connection (W3C, "Fetch Metadata Request
/// Headers"), and no text browser does: those would show the dialog that is closed, and a button that does nothing.
const FETCH_METADATA: &str = "sec-fetch-site";

/// Tells whether the browser that sent these headers may know how to open a dialog without a script.
pub(crate) fn opens_dialogs(headers: &HeaderMap) -> bool {
    headers.contains_key(FETCH_METADATA)
}
