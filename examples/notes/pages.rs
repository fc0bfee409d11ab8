//! The pages, by Askama.

use actix_web::web::Html;
use askama::Template;
use perennial::FormToken;

use crate::store::{Note, NotesError};

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Your notes</title>
<link rel="stylesheet" href="/style.css">
<header>
<nav aria-label="Main"><a href="/notes" aria-current="page">Notes</a>
{%- if is_editor %} <a href="/staff/notes">Everyone’s notes</a>{% endif %}
<a href="/devices">Devices</a> <a href="/account">Account</a></nav>
<form action="/logout" method="post">{{ form_token.field() }}<button>Sign out</button></form>
</header>
<main>
<h1>{{ name }}’s notes</h1>
<form action="/notes" method="post" enctype="multipart/form-data" class="new">
{{ form_token.field() }}
<label for="text">New note</label>
<textarea id="text" name="text" rows="3" required></textarea>
<label for="file">Attachment <small>up to 1 MB</small></label>
<input id="file" name="file" type="file">
<button>Keep it</button>
</form>
{% for note in notes %}
<article>
<p>{{ note.text }}</p>
<footer>
{% if let Some(name) = note.file_name %}<a href="/notes/{{ note.id }}/file">{{ name }}</a>{% endif %}
<form action="/notes/{{ note.id }}/delete" method="post">{{ form_token.field() }}<button>Delete</button></form>
</footer>
</article>
{% else %}
<p class="empty">Nothing yet.</p>
{% endfor %}
</main>
</html>"#
)]
pub struct List<'a> {
    pub name: &'a str,
    pub is_editor: bool,
    pub form_token: FormToken,
    pub notes: Vec<Note>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>Everyone’s notes</title>
<link rel="stylesheet" href="/style.css">
<header><nav aria-label="Main"><a href="/notes">Notes</a>
<a href="/staff/notes" aria-current="page">Everyone’s notes</a></nav></header>
<main>
<h1>Everyone’s notes</h1>
{% for (note, name) in notes %}<article><p>{{ note.text }}</p><footer>{{ name }}</footer></article>{% endfor %}
</main>
</html>"#
)]
pub struct Everyone {
    pub notes: Vec<(Note, String)>,
}

pub fn render(page: &impl Template) -> Result<Html, NotesError> {
    Ok(Html::new(page.render()?))
}
