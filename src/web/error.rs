//! Every error of the web floor, and the one mapping to HTTP.

use std::fmt;

use actix_web::http::StatusCode;
use actix_web::http::header::{ALLOW, CONTENT_TYPE, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use actix_web::{HttpResponse, ResponseError};
use time::Duration;

use crate::crypto::{HashError, IssueError, NoSigningKey, SealError};
use crate::session::SessionError;
use crate::store::StoreError;
use crate::web::api::problem::Problem;
use crate::web::local_path::LocalPath;
use crate::web::own_page;

/// Seconds after which a client may try again: a lock, a restart or a failover is over by then, and so is the queue of
/// passwords.
pub(crate) const RETRY_SECONDS: u32 = 5;

/// How to sign in, for a client that is told 401 (RFC 9110 section 11.6.1 asks for it).
///
/// No registered scheme is a cookie. `Basic` would make a browser ask for a password by itself, and `Bearer` would promise
/// what no page takes; this one is of draft-broyer-http-cookie-auth.
const CHALLENGE: &str = r#"Cookie realm="Perennial", form-action="/login""#;

/// The same for whoever is signed in and has to enter the password again.
const PASSWORD_CHALLENGE: &str = r#"Cookie realm="Perennial", form-action="/reauthenticate""#;

/// Why a request has no ordinary answer.
#[derive(Debug)]
pub enum WebError {
    /// A page that wants a sign-in, asked for without one.
    SignInRequired {
        /// Where to come back to.
        next: Option<LocalPath>,
        /// Whether the client would rather have JSON.
        json: bool,
    },
    /// Something that wants the password to have been entered a short while ago, asked for by somebody who is signed in.
    ReauthenticationRequired {
        /// Where to go on once it was: the page asked for, or the one that the form stands on. To the account page where
        /// neither is known.
        next: Option<LocalPath>,
        /// Whether the client would rather have JSON.
        json: bool,
    },
    /// A page of a bound sign-in, asked for without a proof by its device.
    ProofRequired {
        /// Where to come back to.
        next: Option<LocalPath>,
    },
    /// A form that another site sent.
    CrossSite,
    /// A form that was made for another browser, another sign-in, or for none.
    FormToken,
    /// A form that was kept until its user had signed in, and has been sent.
    SentBefore,
    /// A form that is kept for somebody else.
    OfAnother,
    /// Something that is for users of another role.
    Forbidden,
    /// Something of which there is nothing here.
    NotFound,
    /// A method that this page does not know.
    MethodNotAllowed(&'static str),
    /// A request that cannot be understood.
    BadRequest(&'static str),
    /// A form that is larger than its handler takes: 16 KB, unless it says otherwise.
    TooLarge,
    /// A form that took more than 10 seconds to arrive.
    TooSlow,
    /// An account that strangers may not make.
    RegistrationClosed,
    /// The first account of a public site, asked for without the link that the start prints.
    FirstAccountLink,
    /// The database, or the password pool, has no answer now, or this process lacks the key that signs.
    Unavailable(SessionError),
    /// The password pool's queue is full.
    Busy,
    /// Something that was tried too often; there is room again after so long.
    TooManyTries(Duration),
    /// A refusal in the words of the API, whatever the path.
    Problem(Box<Problem>),
    /// A fault of ours; the source goes to the log and never to a page.
    Internal(Box<dyn std::error::Error + Send + Sync>),
}

impl fmt::Display for WebError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unavailable(error) => error.fmt(f),
            Self::Internal(error) => error.fmt(f),
            other => write!(f, "{other:?}"),
        }
    }
}

impl std::error::Error for WebError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::Unavailable(error) => Some(error),
            Self::Internal(error) => Some(error.as_ref()),
            _ => None,
        }
    }
}

impl From<SessionError> for WebError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Hash(HashError::Busy) => Self::Busy,
            // The next try would find the same.
            SessionError::Store(StoreError::Corrupt(_) | StoreError::Query(_)) => Self::Internal(Box::new(error)),
            SessionError::Store(_)
            | SessionError::Hash(HashError::Stopped)
            | SessionError::Key(_)
            | SessionError::Issue(IssueError::Key(_))
            | SessionError::Unsure => Self::Unavailable(error),
            SessionError::SignedOut => Self::SignInRequired { next: None, json: false },
            SessionError::Hash(HashError::Bcrypt(_)) | SessionError::Issue(_) | SessionError::Random(_) => {
                Self::Internal(Box::new(error))
            }
        }
    }
}

/// Returns a wait as `Retry-After` has it: whole seconds, and never too few (RFC 9110 section 10.2.3).
pub(crate) fn whole_seconds(wait: Duration) -> u64 {
    let part = i64::from(wait.subsec_nanoseconds() > 0);
    u64::try_from(wait.whole_seconds().saturating_add(part)).unwrap_or_default().max(1)
}

impl From<Problem> for WebError {
    fn from(problem: Problem) -> Self {
        Self::Problem(Box::new(problem))
    }
}

impl From<NoSigningKey> for WebError {
    fn from(error: NoSigningKey) -> Self {
        Self::Unavailable(error.into())
    }
}

impl From<SealError> for WebError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Key(error) => error.into(),
            SealError::Random(_) | SealError::TooLarge => Self::Internal(Box::new(error)),
        }
    }
}

impl From<askama::Error> for WebError {
    fn from(error: askama::Error) -> Self {
        Self::Internal(Box::new(error))
    }
}

impl ResponseError for WebError {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::SignInRequired { json: false, .. }
            | Self::ReauthenticationRequired { json: false, .. }
            | Self::ProofRequired { .. } => StatusCode::SEE_OTHER,
            Self::SignInRequired { json: true, .. } | Self::ReauthenticationRequired { json: true, .. } => {
                StatusCode::UNAUTHORIZED
            }
            Self::CrossSite
            | Self::FormToken
            | Self::Forbidden
            | Self::OfAnother
            | Self::RegistrationClosed
            | Self::FirstAccountLink => StatusCode::FORBIDDEN,
            Self::SentBefore => StatusCode::CONFLICT,
            Self::NotFound => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed(_) => StatusCode::METHOD_NOT_ALLOWED,
            Self::BadRequest(_) => StatusCode::BAD_REQUEST,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::Unavailable(_) | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
            Self::TooManyTries(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Problem(problem) => problem.status(),
            Self::Internal(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// Answers with everything but the page, which the middleware adds: it alone knows the site.
    fn error_response(&self) -> HttpResponse {
        let mut response = self.head_of_response();
        if matches!(response.status(), StatusCode::SEE_OTHER | StatusCode::UNAUTHORIZED) {
            own_page::mark(&mut response);
        }
        response
    }
}

impl WebError {
    fn head_of_response(&self) -> HttpResponse {
        let mut response = HttpResponse::build(self.status_code());
        match self {
            Self::Problem(problem) => return problem.write(response.finish()),
            Self::SignInRequired { next, json: false } => {
                response.insert_header((LOCATION, LocalPath::on_the_way("/login", next.as_ref())));
            }
            Self::SignInRequired { json: true, .. } => {
                response.insert_header((CONTENT_TYPE, "application/json")).insert_header((WWW_AUTHENTICATE, CHALLENGE));
                return response.body(
                    r#"{"error":"Authentication required","message":"Please sign in to access this resource."}"#,
                );
            }
            Self::ProofRequired { next } => {
                response.insert_header((LOCATION, LocalPath::on_the_way("/session/confirm", next.as_ref())));
            }
            Self::ReauthenticationRequired { next, json: false } => {
                response.insert_header((LOCATION, LocalPath::on_the_way("/reauthenticate", next.as_ref())));
            }
            Self::ReauthenticationRequired { json: true, .. } => {
                response
                    .insert_header((CONTENT_TYPE, "application/json"))
                    .insert_header((WWW_AUTHENTICATE, PASSWORD_CHALLENGE));
                return response.body(
                    r#"{"error":"Reauthentication required","message":"Please enter your password again to access this resource."}"#,
                );
            }
            Self::MethodNotAllowed(allowed) => {
                response.insert_header((ALLOW, *allowed));
            }
            Self::Unavailable(_) | Self::Busy => {
                response.insert_header((RETRY_AFTER, RETRY_SECONDS));
            }
            Self::TooManyTries(wait) => {
                response.insert_header((RETRY_AFTER, whole_seconds(*wait)));
            }
            _ => {}
        }
        response.finish()
    }
}
