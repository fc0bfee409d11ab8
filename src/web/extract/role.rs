//! Who has a role, as a handler asks for it.

use std::future::{Ready, ready};
use std::marker::PhantomData;
use std::ops::Deref;

use actix_web::dev::Payload;
use actix_web::{FromRequest, HttpRequest};

use super::user::CurrentUser;
use crate::web::error::WebError;

/// A role of the application, as a type that [`RequireRole`] names.
pub trait NamedRole: 'static {
    /// The name of the role, as it stands in the account.
    const NAME: &'static str;
}

/// The signed-in user of this request, who has a role.
///
/// Take it instead of a [`CurrentUser`], which it derefs to. Whoever has another role gets 403, and whoever is not signed
/// in what a [`CurrentUser`] gives them. For all handlers of a scope there is [`Require::role`](crate::Require::role).
///
/// ```
/// use perennial::{NamedRole, RequireRole};
///
/// struct Editor;
///
/// impl NamedRole for Editor {
///     const NAME: &'static str = "editor";
/// }
///
/// async fn publish(editor: RequireRole<Editor>) -> String {
///     format!("published by {}", editor.user().full_name)
/// }
/// ```
pub struct RequireRole<R: NamedRole>(CurrentUser, PhantomData<R>);

impl<R: NamedRole> Deref for RequireRole<R> {
    type Target = CurrentUser;

    fn deref(&self) -> &CurrentUser {
        &self.0
    }
}

impl<R: NamedRole> std::fmt::Debug for RequireRole<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "RequireRole<{}>", R::NAME)
    }
}

impl<R: NamedRole> FromRequest for RequireRole<R> {
    type Error = WebError;
    type Future = Ready<Result<Self, WebError>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let user = CurrentUser::from_request(request, payload).into_inner();
        ready(user.and_then(|user| {
            if user.has_role(R::NAME) { Ok(Self(user, PhantomData)) } else { Err(WebError::Forbidden) }
        }))
    }
}
