//! `/account/data`.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE, HeaderValue};
use actix_web::{HttpResponse, web};

use crate::accounts;
use crate::web::error::WebError;
use crate::web::extract::RecentUser;
use crate::web::site::Site;

/// `GET /account/data`: everything that is kept about whoever asks (GDPR articles 15 and 20), as a file to be saved.
pub(crate) async fn get(site: web::Data<Site>, user: RecentUser) -> Result<HttpResponse, WebError> {
    let data = accounts::my_data(&site.sessions, user.identity()).await?;
    let text = serde_json::to_string_pretty(&data).map_err(|error| WebError::Internal(Box::new(error)))?;
    let mut response = HttpResponse::Ok().body(text);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(CONTENT_DISPOSITION, HeaderValue::from_static("attachment; filename=\"account-data.json\""));
    Ok(response)
}
