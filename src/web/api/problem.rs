//! What the API says where it refuses something (RFC 9457).

use actix_web::HttpResponse;
use actix_web::body::BoxBody;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WWW_AUTHENTICATE};
use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::session::EndReason;

/// The media type of a problem (RFC 9457 section 6.1).
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// What a problem is. Each has a `type` of its own, which never changes: programs go by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ProblemKind {
    /// No token came.
    TokenMissing,
    /// No token came, and a cookie of the pages did.
    CookieNotAccepted,
    /// A text that is no token of the kind that was asked for.
    TokenInvalid,
    /// A token whose time is over.
    TokenExpired,
    /// A token whose sign-in has ended.
    TokenRevoked,
    /// More than one `Authorization` header.
    AuthorizationMalformed,
    /// An e-mail address and a password that do not belong together.
    CredentialsRefused,
    /// Too many tries at one account.
    AccountLocked,
    /// Too many tries from one address, or from everywhere.
    TooManyTries,
    /// A body that is no JSON.
    BodyMalformed,
    /// A body that is JSON, and not what was asked for.
    BodyInvalid,
    /// A body of more than 16 KB.
    BodyTooLarge,
    /// A body that took more than 10 seconds to arrive.
    BodyTooSlow,
    /// A body of another media type.
    BodyNotJson,
    /// Nothing of that name.
    NotFound,
    /// A method that this path does not know.
    MethodNotAllowed,
    /// The database has no answer now, or this process lacks the key that signs.
    Unavailable,
    /// More passwords wait than can be hashed.
    Busy,
    /// A fault of ours.
    Internal,
}

impl ProblemKind {
    /// Every kind, for the description of the API and for tests.
    pub const ALL: [Self; 19] = [
        Self::TokenMissing,
        Self::CookieNotAccepted,
        Self::TokenInvalid,
        Self::TokenExpired,
        Self::TokenRevoked,
        Self::AuthorizationMalformed,
        Self::CredentialsRefused,
        Self::AccountLocked,
        Self::TooManyTries,
        Self::BodyMalformed,
        Self::BodyInvalid,
        Self::BodyTooLarge,
        Self::BodyTooSlow,
        Self::BodyNotJson,
        Self::NotFound,
        Self::MethodNotAllowed,
        Self::Unavailable,
        Self::Busy,
        Self::Internal,
    ];

    /// Returns the `type`: a URI that names the problem, and no address of a page.
    pub fn uri(self) -> &'static str {
        match self {
            Self::TokenMissing => "urn:perennial:problem:token-missing",
            Self::CookieNotAccepted => "urn:perennial:problem:cookie-not-accepted",
            Self::TokenInvalid => "urn:perennial:problem:token-invalid",
            Self::TokenExpired => "urn:perennial:problem:token-expired",
            Self::TokenRevoked => "urn:perennial:problem:token-revoked",
            Self::AuthorizationMalformed => "urn:perennial:problem:authorization-malformed",
            Self::CredentialsRefused => "urn:perennial:problem:credentials-refused",
            Self::AccountLocked => "urn:perennial:problem:account-locked",
            Self::TooManyTries => "urn:perennial:problem:too-many-tries",
            Self::BodyMalformed => "urn:perennial:problem:body-malformed",
            Self::BodyInvalid => "urn:perennial:problem:body-invalid",
            Self::BodyTooLarge => "urn:perennial:problem:body-too-large",
            Self::BodyTooSlow => "urn:perennial:problem:body-too-slow",
            Self::BodyNotJson => "urn:perennial:problem:body-not-json",
            Self::NotFound => "urn:perennial:problem:not-found",
            Self::MethodNotAllowed => "urn:perennial:problem:method-not-allowed",
            Self::Unavailable => "urn:perennial:problem:unavailable",
            Self::Busy => "urn:perennial:problem:busy",
            Self::Internal => "urn:perennial:problem:internal",
        }
    }

    /// Returns the status of its answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::TokenMissing
            | Self::CookieNotAccepted
            | Self::TokenInvalid
            | Self::TokenExpired
            | Self::TokenRevoked
            | Self::CredentialsRefused => StatusCode::UNAUTHORIZED,
            Self::AuthorizationMalformed | Self::BodyMalformed => StatusCode::BAD_REQUEST,
            Self::AccountLocked => StatusCode::FORBIDDEN,
            Self::TooManyTries => StatusCode::TOO_MANY_REQUESTS,
            Self::BodyInvalid => StatusCode::UNPROCESSABLE_ENTITY,
            Self::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::BodyNotJson => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::Unavailable | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Returns its name for people, the same each time.
    fn title(self) -> &'static str {
        match self {
            Self::TokenMissing => "A token is required",
            Self::CookieNotAccepted => "A cookie is no token",
            Self::TokenInvalid => "The token is not valid",
            Self::TokenExpired => "The token has expired",
            Self::TokenRevoked => "The token was revoked",
            Self::AuthorizationMalformed => "The Authorization header cannot be understood",
            Self::CredentialsRefused => "The sign-in was refused",
            Self::AccountLocked => "The account is locked",
            Self::TooManyTries => "Too many tries",
            Self::BodyMalformed => "The body cannot be understood",
            Self::BodyInvalid => "The body is not what was asked for",
            Self::BodyTooLarge => "The body is too large",
            Self::BodyTooSlow => "The body took too long to arrive",
            Self::BodyNotJson => "The body is not JSON",
            Self::NotFound => "Not found",
            Self::MethodNotAllowed => "The method is not allowed",
            Self::Unavailable => "Not available right now",
            Self::Busy => "Too many people are signing in",
            Self::Internal => "Something went wrong here",
        }
    }

    /// Says what happened and what to do, unless there is more to say.
    fn detail(self) -> &'static str {
        match self {
            Self::TokenMissing => "Send the token in the header \"Authorization: Bearer <token>\".",
            Self::CookieNotAccepted => {
                "Cookies are for the pages and open nothing here. Sign in at /api/login, and send the token in the header \
                 \"Authorization: Bearer <token>\"."
            }
            Self::TokenInvalid => "This is no token that is accepted here. Sign in again at /api/login.",
            Self::TokenExpired => "Its time is over. Get a new one at /api/refresh.",
            Self::TokenRevoked => "Its sign-in has ended. Sign in again at /api/login.",
            Self::AuthorizationMalformed => "Send one Authorization header, with one token.",
            Self::CredentialsRefused => "Invalid email or password.",
            Self::AccountLocked => "Account temporarily locked. Please try again later.",
            Self::TooManyTries => "Too many tries to sign in. Please try again later.",
            Self::BodyMalformed => "The body is no JSON text, or did not arrive whole.",
            Self::BodyInvalid => "Check the fields of the body.",
            Self::BodyTooLarge => "A body may have 16 KB at most.",
            Self::BodyTooSlow => "A body may take ten seconds to arrive. Nothing was changed; send it again.",
            Self::BodyNotJson => "Send the body as application/json.",
            Self::NotFound => "There is nothing of that name here. /api/openapi.json describes what there is.",
            Self::MethodNotAllowed => "The Allow header lists the methods that this path answers.",
            Self::Unavailable => {
                "The data cannot be reached at the moment. Your tokens go on working; wait a few seconds and try again."
            }
            Self::Busy => "The queue is full; nothing was changed. Wait a few seconds and try again.",
            Self::Internal => "It is our fault and has been noted; what you asked for was not done.",
        }
    }

    /// Returns how to authenticate, for an answer that asks for it (RFC 9110 section 11.6.1, RFC 6750 section 3): with an
    /// error where a token came, and without one where none did.
    fn challenge(self) -> Option<&'static str> {
        Some(match self {
            Self::TokenMissing | Self::CookieNotAccepted | Self::CredentialsRefused => r#"Bearer realm="Perennial""#,
            Self::TokenInvalid => {
                r#"Bearer realm="Perennial", error="invalid_token", error_description="The token is not valid""#
            }
            Self::TokenExpired => {
                r#"Bearer realm="Perennial", error="invalid_token", error_description="The token has expired""#
            }
            Self::TokenRevoked => {
                r#"Bearer realm="Perennial", error="invalid_token", error_description="The token was revoked""#
            }
            Self::AuthorizationMalformed => r#"Bearer realm="Perennial", error="invalid_request""#,
            _ => return None,
        })
    }
}

/// A refusal of the API.
#[derive(Debug, Clone)]
pub struct Problem {
    kind: ProblemKind,
    detail: Option<String>,
    reason: Option<EndReason>,
    reference: Option<String>,
    retry_after: Option<u64>,
}

/// A refusal, as it is sent (RFC 9457).
#[derive(Serialize, ToSchema)]
#[schema(as = Problem)]
pub(crate) struct ProblemDetails<'a> {
    /// Names the problem, for programs: it never changes.
    #[schema(format = "uri", example = "urn:perennial:problem:token-expired")]
    r#type: &'static str,
    /// Names the problem, for people.
    #[schema(example = "The token has expired")]
    title: &'static str,
    /// The status of the answer.
    #[schema(example = 401, minimum = 400, maximum = 599)]
    status: u16,
    /// Says what happened and what to do.
    #[schema(example = "Its time is over. Get a new one at /api/refresh.")]
    detail: &'a str,
    /// Why the sign-in of the token ended, where that is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "signed_out")]
    reason: Option<&'static str>,
    /// The name under which the failure stands in the server's log.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    reference: Option<&'a str>,
}

impl Problem {
    /// Describes a refusal in its own words.
    pub(crate) fn new(kind: ProblemKind) -> Self {
        Self { kind, detail: None, reason: None, reference: None, retry_after: None }
    }

    /// Says more than the kind does.
    pub(crate) fn saying(self, detail: impl Into<String>) -> Self {
        Self { detail: Some(detail.into()), ..self }
    }

    /// Names why the sign-in of a token ended.
    pub(crate) fn because(self, reason: Option<EndReason>) -> Self {
        Self { reason, ..self }
    }

    /// Names the line of the log that has more.
    pub(crate) fn referring_to(self, reference: Option<String>) -> Self {
        Self { reference, ..self }
    }

    /// Says after how many seconds to try again.
    pub(crate) fn after(self, seconds: u64) -> Self {
        Self { retry_after: Some(seconds), ..self }
    }

    /// Returns the status of its answer.
    pub(crate) fn status(&self) -> StatusCode {
        self.kind.status()
    }

    /// Writes it into an answer, whose other headers stay.
    pub(crate) fn write(&self, mut response: HttpResponse) -> HttpResponse {
        let details = ProblemDetails {
            r#type: self.kind.uri(),
            title: self.kind.title(),
            status: self.status().as_u16(),
            detail: self.detail.as_deref().unwrap_or(self.kind.detail()),
            reason: self.reason.map(EndReason::as_str),
            reference: self.reference.as_deref(),
        };
        // Texts and a number can always be written.
        let body = serde_json::to_vec(&details).unwrap_or_default();
        *response.status_mut() = self.status();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        // The challenge of a page would send a client to a form.
        headers.remove(WWW_AUTHENTICATE);
        if let Some(challenge) = self.kind.challenge() {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static(challenge));
        }
        if let Some(seconds) = self.retry_after {
            headers.insert(RETRY_AFTER, seconds.into());
        }
        response.map_body(|_, _| BoxBody::new(body))
    }
}

/// Writes a problem that its status describes well enough into an answer (RFC 9457 section 4.2.1).
pub(crate) fn write_blank(response: HttpResponse) -> HttpResponse {
    let status = response.status();
    let title = status.canonical_reason().unwrap_or("Error");
    let details = serde_json::json!({ "type": "about:blank", "title": title, "status": status.as_u16() });
    let mut response = response.map_body(|_, _| BoxBody::new(details.to_string()));
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_has_a_type_of_its_own() {
        let mut types: Vec<_> = ProblemKind::ALL.map(ProblemKind::uri).to_vec();
        types.sort_unstable();
        types.dedup();
        assert_eq!(types.len(), ProblemKind::ALL.len());
    }

    #[test]
    fn whatever_is_unauthorized_says_how_to_authenticate() {
        for kind in ProblemKind::ALL {
            let response = Problem::new(kind).write(HttpResponse::Ok().finish());
            let challenge = response.headers().get(WWW_AUTHENTICATE);
            assert!(challenge.is_some() || response.status() != StatusCode::UNAUTHORIZED, "{kind:?}");
            assert!(challenge.is_none_or(|challenge| challenge.to_str().unwrap().starts_with("Bearer ")), "{kind:?}");
        }
    }
}
