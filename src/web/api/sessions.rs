//! `/api/session` and `/api/sessions`.

use actix_web::{HttpResponse, web};
use serde::Serialize;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;
use utoipa::ToSchema;

use super::problem::{Problem, ProblemKind};
use super::user::{ApiUser, not_done};
use crate::domain::id::SessionId;
use crate::session::{Authenticated, RevokeOutcome};
use crate::web::error::WebError;
use crate::web::extract::client_info::ClientInfo;

/// A sign-in on one device or in one program.
#[derive(Serialize, ToSchema)]
pub(super) struct Session {
    /// Its name.
    #[schema(example = "01a1ff61-6b68-7192-8174-1b3dd5640274")]
    id: String,
    /// When it began.
    #[schema(format = "date-time", example = "2026-11-21T09:00:00Z")]
    created_at: String,
    /// When it ends for good, however often its token is exchanged.
    #[schema(format = "date-time", example = "2026-12-21T09:00:00Z")]
    expires_at: String,
    /// Whether the token of this request is of it.
    current: bool,
}

impl Session {
    fn new(
        id: SessionId,
        created_at: OffsetDateTime,
        expires_at: OffsetDateTime,
        user: &ApiUser,
    ) -> Result<Self, WebError> {
        let written =
            |moment: OffsetDateTime| moment.format(&Rfc3339).map_err(|error| WebError::Internal(Box::new(error)));
        let current = id == user.identity().session();
        Ok(Self { id: id.to_string(), created_at: written(created_at)?, expires_at: written(expires_at)?, current })
    }
}

/// Describes the sign-in of the access token.
#[utoipa::path(get, path = "/api/session", operation_id = "session", security(("access_token" = [])),
    responses((status = OK, description = "The sign-in.", body = Session)))]
pub(crate) async fn current(user: ApiUser) -> Result<HttpResponse, WebError> {
    let own = user.identity();
    Ok(HttpResponse::Ok().json(Session::new(own.session(), own.created_at(), own.expires_at(), &user)?))
}

/// Lists the user's live sign-ins, those of browsers too, the last used first.
#[utoipa::path(get, path = "/api/sessions", operation_id = "sessions", security(("access_token" = [])),
    responses((status = OK, description = "The live sign-ins.", body = Vec<Session>)))]
pub(crate) async fn list(user: ApiUser) -> Result<HttpResponse, WebError> {
    let auth = user.auth();
    let found = auth.site().sessions.devices(user.identity(), auth.now()).await?;
    let sessions = found.iter().map(|row| Session::new(row.id, row.created_at, row.expires_at, &user));
    Ok(HttpResponse::Ok().json(sessions.collect::<Result<Vec<_>, _>>()?))
}

/// Ends one of the user's sign-ins; that of the access token too.
#[utoipa::path(delete, path = "/api/sessions/{id}", operation_id = "revokeSession", security(("access_token" = [])),
    params(("id" = String, Path, description = "The name of the sign-in.")),
    responses((status = NO_CONTENT, description = "It has ended, by this request or before.")))]
pub(crate) async fn revoke(
    user: ApiUser,
    ClientInfo(client): ClientInfo,
    id: web::Path<String>,
) -> Result<HttpResponse, WebError> {
    let sessions = &user.auth().site().sessions;
    let unknown = || Problem::new(ProblemKind::NotFound).saying("You have no sign-in of that name.");
    let id: SessionId = id.parse().map_err(|_| unknown())?;
    if id == user.identity().session() {
        let held = Authenticated::signed_in(user.identity().clone());
        sessions.sign_out(user.identity(), &held, &client).await.map_err(not_done)?;
    } else if sessions.revoke(user.identity(), id, &client).await.map_err(not_done)? == RevokeOutcome::NotFound {
        return Err(unknown().into());
    }
    Ok(HttpResponse::NoContent().finish())
}
