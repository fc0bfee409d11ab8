//! `/api/protected`.

use actix_web::HttpResponse;
use serde::Serialize;
use utoipa::ToSchema;

use super::user::ApiUser;

/// A greeting.
#[derive(Serialize, ToSchema)]
pub(super) struct Greeting {
    /// Greets the user by their full name.
    #[schema(example = "Hello Ada Lovelace, welcome to the protected page.")]
    message: String,
}

/// Greets whoever is signed in: the place to try a token.
#[utoipa::path(get, path = "/api/protected", operation_id = "protected", security(("access_token" = [])),
    responses((status = OK, description = "The token is in force.", body = inline(Greeting))))]
pub(crate) async fn get(user: ApiUser) -> HttpResponse {
    let message = format!("Hello {}, welcome to the protected page.", user.user().full_name);
    HttpResponse::Ok().json(Greeting { message })
}
