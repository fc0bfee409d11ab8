//! `/api/openapi.json`: the API in the words of OpenAPI 3.1, made from the handlers.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use actix_web::HttpResponse;
use actix_web::http::StatusCode;
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::{Bytes, Data};
use utoipa::openapi::header::HeaderBuilder;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa::openapi::{ContentBuilder, OpenApi as Description, Ref, ResponseBuilder, Server};
use utoipa::{Modify, OpenApi};

use super::problem::{MEDIA_TYPE, ProblemDetails, ProblemKind};
use super::{protected, sessions, tokens};
use crate::web::error::WebError;
use crate::web::site::Site;

/// The description of the API at the root, written once.
static WRITTEN: LazyLock<Result<Bytes, String>> = LazyLock::new(|| write(""));

/// Writes the description for an API below `mount`.
fn write(mount: &str) -> Result<Bytes, String> {
    let mut description = Document::openapi();
    if !mount.is_empty() {
        description.servers = Some(vec![Server::new(mount)]);
    }
    description.to_json().map(Bytes::from).map_err(|error| error.to_string())
}

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Perennial",
        description = "Sign in from a program, stay signed in, and end sign-ins. Tokens travel in `Authorization: Bearer` \
                       headers; cookies open nothing here. Every refusal is a problem (RFC 9457) with a `type` that never \
                       changes."
    ),
    paths(
        tokens::log_in,
        tokens::refresh,
        tokens::log_out,
        protected::get,
        sessions::current,
        sessions::list,
        sessions::revoke,
        get
    ),
    components(schemas(ProblemDetails<'_>)),
    modifiers(&Tokens, &Refusals)
)]
struct Document;

/// Adds the two kinds of tokens.
struct Tokens;

impl Modify for Tokens {
    fn modify(&self, description: &mut Description) {
        let components = description.components.get_or_insert_default();
        for (name, words) in [
            ("access_token", "The access token of the last answer of `/api/login` or `/api/refresh`."),
            ("refresh_token", "The refresh token of the last answer that had one. It works at `/api/refresh` alone."),
        ] {
            let scheme = HttpBuilder::new().scheme(HttpAuthScheme::Bearer).description(Some(words)).build();
            components.add_security_scheme(name, SecurityScheme::Http(scheme));
        }
    }
}

/// Adds what an operation may answer besides what its handler says: that follows from what it takes.
struct Refusals;

impl Modify for Refusals {
    fn modify(&self, description: &mut Description) {
        for item in description.paths.paths.values_mut() {
            for operation in [&mut item.get, &mut item.post, &mut item.delete].into_iter().flatten() {
                for (status, kinds) in refusals(operation) {
                    operation.responses.responses.insert(status.as_str().to_owned(), refusal(status, &kinds).into());
                }
            }
        }
    }
}

/// Returns what an operation may refuse, by the status of the answer.
fn refusals(operation: &Operation) -> BTreeMap<StatusCode, Vec<ProblemKind>> {
    let (body, token) = (operation.request_body.is_some(), operation.security.is_some());
    let kinds = ProblemKind::ALL.into_iter().filter(|kind| match kind {
        ProblemKind::TokenMissing
        | ProblemKind::CookieNotAccepted
        | ProblemKind::TokenInvalid
        | ProblemKind::TokenExpired
        | ProblemKind::TokenRevoked
        | ProblemKind::AuthorizationMalformed => token,
        ProblemKind::CredentialsRefused
        | ProblemKind::AccountLocked
        | ProblemKind::TooManyTries
        | ProblemKind::BodyMalformed
        | ProblemKind::BodyInvalid
        | ProblemKind::BodyTooLarge
        | ProblemKind::BodyTooSlow
        | ProblemKind::BodyNotJson
        | ProblemKind::Busy => body,
        ProblemKind::NotFound => operation.parameters.is_some(),
        ProblemKind::MethodNotAllowed => false,
        ProblemKind::Unavailable | ProblemKind::Internal => true,
    });
    let mut refusals: BTreeMap<StatusCode, Vec<ProblemKind>> = BTreeMap::new();
    for kind in kinds {
        refusals.entry(kind.status()).or_default().push(kind);
    }
    refusals
}

/// Describes the refusals of a status: each `type`, and the headers that come with it.
fn refusal(status: StatusCode, kinds: &[ProblemKind]) -> utoipa::openapi::Response {
    let types: Vec<_> = kinds.iter().map(|kind| format!("`{}`", kind.uri())).collect();
    let content = ContentBuilder::new().schema(Some(Ref::from_schema_name("Problem"))).build();
    let mut response = ResponseBuilder::new().description(types.join(", ")).content(MEDIA_TYPE, content);
    let header = match status {
        StatusCode::UNAUTHORIZED => Some(("WWW-Authenticate", "How to authenticate (RFC 6750).")),
        StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => {
            Some(("Retry-After", "Seconds until the next try."))
        }
        _ => None,
    };
    if let Some((name, words)) = header {
        response = response.header(name, HeaderBuilder::new().description(Some(words)).build());
    }
    response.build()
}

/// Describes the API.
#[utoipa::path(get, path = "/api/openapi.json", operation_id = "openapi",
    responses((status = OK, description = "This description.", body = Object)))]
pub(crate) async fn get(site: Data<Site>) -> Result<HttpResponse, WebError> {
    let mount = site.public_url.mount();
    let written = if mount.is_empty() { WRITTEN.clone() } else { write(mount) };
    let written = written.map_err(|error| WebError::Internal(error.into()))?;
    Ok(HttpResponse::Ok().insert_header((CONTENT_TYPE, "application/json")).body(written))
}
