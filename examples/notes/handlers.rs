//! What is answered to whom.

use std::convert::Infallible;
use std::future::ready;

use actix_multipart::form::MultipartForm;
use actix_multipart::form::bytes::Bytes as Upload;
use actix_multipart::form::text::Text;
use actix_web::http::header::{CACHE_CONTROL, ContentDisposition, LOCATION};
use actix_web::web::{Bytes, Data, Html, Json, Path};
use actix_web::{HttpResponse, Result};
use futures_util::StreamExt;
use perennial::{CurrentUser, FormGuard, FormToken, SubmittedForm, User};

use crate::pages::{self, Everyone, List};
use crate::store::{NewNote, Note, Notes, NotesError};

/// A form with a file comes in parts, and its token among them.
#[derive(MultipartForm)]
pub struct NoteForm {
    form_token: Text<String>,
    text: Text<String>,
    file: Option<Upload>,
}

pub async fn list(user: CurrentUser, form_token: FormToken, notes: Data<Notes>) -> Result<Html, NotesError> {
    let User { id, full_name, role, .. } = user.user();
    let notes = notes.of(*id).await?;
    pages::render(&List { name: full_name, is_editor: role.as_str() == "editor", form_token, notes })
}

pub async fn write(
    user: CurrentUser,
    guard: FormGuard,
    form: MultipartForm<NoteForm>,
    notes: Data<Notes>,
) -> Result<HttpResponse> {
    let NoteForm { form_token, text, file } = form.into_inner();
    guard.verify(&form_token)?;
    let (file_name, file) = match file {
        // A browser sends a nameless file where none was chosen.
        Some(Upload { file_name: Some(name), data, .. }) if !name.is_empty() => (Some(name), Some(data.into())),
        _ => (None, None),
    };
    let user_id = user.user().id.0;
    notes.write(NewNote { user_id, text: text.into_inner(), file_name, file, event_id: None }).await?;
    Ok(to_the_list())
}

/// Takes a [`SubmittedForm`], so no other site can send it for the user.
pub async fn delete(
    user: CurrentUser,
    _form: SubmittedForm,
    note: Path<i64>,
    notes: Data<Notes>,
) -> Result<HttpResponse, NotesError> {
    notes.delete(user.user().id, *note).await?;
    Ok(to_the_list())
}

pub async fn file(user: CurrentUser, note: Path<i64>, notes: Data<Notes>) -> Result<HttpResponse, NotesError> {
    Ok(match notes.file(user.user().id, *note).await? {
        // As a download: what somebody uploaded is no page of this site.
        Some((name, bytes)) => HttpResponse::Ok()
            .content_type("application/octet-stream")
            .insert_header(ContentDisposition::attachment(name))
            .body(bytes),
        None => HttpResponse::NotFound().finish(),
    })
}

/// For programs: `fetch`, or a client with a cookie.
pub async fn data(user: CurrentUser, notes: Data<Notes>) -> Result<Json<Vec<Note>>, NotesError> {
    Ok(Json(notes.of(user.user().id).await?))
}

/// Tells of each note that is written, until the sign-in is over.
pub async fn follow(user: CurrentUser, notes: Data<Notes>) -> HttpResponse {
    let id = user.user().id.0;
    let own = notes.news().filter(move |note| ready(note.user_id == id));
    let lines = own.map(|note| {
        let note = serde_json::to_string(&note).unwrap_or_default();
        Ok::<_, Infallible>(Bytes::from(format!("data: {note}\n\n")))
    });
    HttpResponse::Ok().content_type("text/event-stream").streaming(lines.take_until(Box::pin(user.ended())))
}

/// Stands in a scope of editors alone.
pub async fn everyone(notes: Data<Notes>) -> Result<Html, NotesError> {
    pages::render(&Everyone { notes: notes.of_everyone().await? })
}

pub async fn style() -> HttpResponse {
    let kept = (CACHE_CONTROL, "max-age=3600");
    HttpResponse::Ok().content_type("text/css").insert_header(kept).body(include_str!("style.css"))
}

fn to_the_list() -> HttpResponse {
    HttpResponse::SeeOther().insert_header((LOCATION, "/notes")).finish()
}
