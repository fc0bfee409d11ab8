//! The stylesheet, the icons and `robots.txt` over HTTP.

use actix_web::http::header::{
    AcceptEncoding, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, Encoding, Header, Preference, Quality, VARY,
};
use actix_web::{HttpRequest, HttpResponse, web};

use super::error::WebError;
use super::site::Site;

/// `GET /static/{hashed name}`.
pub(crate) async fn get(
    request: HttpRequest,
    site: web::Data<Site>,
    name: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let asset = site.assets.find(&name).ok_or(WebError::NotFound)?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, asset.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header((VARY, "accept-encoding"));
    Ok(if accepts_gzip(&request) {
        response.insert_header((CONTENT_ENCODING, "gzip")).body(asset.gzip.clone())
    } else {
        response.body(asset.plain.clone())
    })
}

/// `GET /favicon.ico`, `/apple-touch-icon.png` and `/robots.txt`.
///
/// Their names stay when their content changes, so they are kept for a day and not for a year.
pub(crate) async fn get_fixed(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, WebError> {
    let asset = site.assets.find_fixed(site.within(request.path())).ok_or(WebError::NotFound)?;
    let mut response = HttpResponse::Ok();
    response.insert_header((CONTENT_TYPE, asset.content_type)).insert_header((CACHE_CONTROL, "public, max-age=86400"));
    Ok(response.body(asset.content.clone()))
}

fn accepts_gzip(request: &HttpRequest) -> bool {
    let Ok(accepted) = AcceptEncoding::parse(request) else { return false };
    accepted
        .iter()
        .any(|coding| coding.item == Preference::Specific(Encoding::gzip()) && coding.quality > Quality::ZERO)
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::ACCEPT_ENCODING;
    use actix_web::test::TestRequest;

    #[test]
    fn gzip_goes_to_those_who_take_it() {
        let accepts_gzip = |accepted| {
            super::accepts_gzip(&TestRequest::default().insert_header((ACCEPT_ENCODING, accepted)).to_http_request())
        };
        assert!(accepts_gzip("gzip") && accepts_gzip("br, gzip;q=0.5"));
        assert!(!accepts_gzip("") && !accepts_gzip("br") && !accepts_gzip("gzip;q=0") && !accepts_gzip("x-gzip"));
    }
}
