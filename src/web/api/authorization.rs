//! The `Authorization` header of a request.

use actix_web::HttpRequest;
use actix_web::http::header::{AUTHORIZATION, HeaderMap};

use super::problem::{Problem, ProblemKind};
use crate::web::site::Site;

/// Marks a request whose errors are told in the words of the API.
pub(super) struct WantsProblem;

/// Returns the bearer token of a request (RFC 6750 section 2.1).
///
/// # Errors
/// What is wrong, if there is none: a scheme of another name counts as no token.
pub(super) fn bearer<'a>(site: &Site, request: &'a HttpRequest) -> Result<&'a str, Problem> {
    let headers = request.headers();
    let token = sole(headers)?.and_then(credentials);
    let token = token.ok_or_else(|| Problem::new(missing(site, request)))?;
    // Whatever is no text was not made by us.
    std::str::from_utf8(token).map_err(|_| Problem::new(ProblemKind::TokenInvalid))
}

/// Returns the one `Authorization` header.
fn sole(headers: &HeaderMap) -> Result<Option<&[u8]>, Problem> {
    let mut values = headers.get_all(AUTHORIZATION);
    match (values.next(), values.next()) {
        // Whoever sends two may mean either, and a proxy may have looked at the other.
        (_, Some(_)) => Err(Problem::new(ProblemKind::AuthorizationMalformed)),
        (value, None) => Ok(value.map(|value| value.as_bytes())),
    }
}

/// Returns what follows the scheme, whose case does not matter (RFC 9110 section 11.1); nothing of another scheme.
fn credentials(value: &[u8]) -> Option<&[u8]> {
    let value = value.trim_ascii();
    let (scheme, rest) = value.split_at_checked(b"Bearer ".len())?;
    let (name, space) = scheme.split_at_checked(b"Bearer".len())?;
    (name.eq_ignore_ascii_case(b"Bearer") && space == b" ").then(|| rest.trim_ascii())
}

/// Names what is wrong with a request that opens nothing.
pub(super) fn missing(site: &Site, request: &HttpRequest) -> ProblemKind {
    let cookies = site.jar.presented(request.headers());
    let has_cookie = !cookies.access.is_empty() || !cookies.refresh.is_empty();
    if has_cookie && !request.headers().contains_key(AUTHORIZATION) {
        ProblemKind::CookieNotAccepted
    } else {
        ProblemKind::TokenMissing
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_scheme_is_bearer_in_any_case_and_spaces_around_the_token_do_not_matter() {
        for value in ["Bearer a.b", "bearer a.b", "BEARER   a.b", " Bearer a.b "] {
            assert_eq!(credentials(value.as_bytes()), Some(&b"a.b"[..]), "{value:?}");
        }
        for value in ["", "a.b", "Bearer", "Bearer ", "Bearera.b", "Basic a.b", "Bearer\ta.b", "Bearer:a.b"] {
            assert_eq!(credentials(value.as_bytes()), None, "{value:?}");
        }
    }
}
