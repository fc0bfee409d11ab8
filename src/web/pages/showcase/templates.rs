//! What each component is shown by: a template around it alone.

use askama::Template;

use crate::display::event::Tone;
use crate::display::time::DisplayTime;
use crate::web::pages::Problem;
use crate::web::pages::activity::Entry;
use crate::web::pages::dashboard::Safety;
use crate::web::pages::devices::DeviceRow;
use crate::web::pages::error::PasswordField;
use crate::web::pages::layout::Layout;
use crate::web::pages::life::Life;

/// A component of the frame, as a page has it around its content.
#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{%- import "components/time.html" as times -%}
{%- if part == "header" -%}{% include "components/header.html" %}
{%- else if part == "notice" -%}{% include "components/notice.html" %}
{%- else if part == "ends_soon" -%}{% include "components/ends_soon.html" %}
{%- else if part == "theft_warning" -%}{% include "components/theft_warning.html" %}
{%- else -%}{% include "components/curtain.html" %}
{%- endif -%}"#
)]
pub(super) struct Frame {
    pub(super) part: &'static str,
    pub(super) layout: Layout<'static>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{%- import "components/time.html" as times -%}<ul class="card rows">{% include "components/device_row.html" %}</ul>"#
)]
pub(super) struct Row {
    pub(super) layout: Layout<'static>,
    pub(super) device: DeviceRow,
    pub(super) dialogs: bool,
    pub(super) form_token: &'static str,
}

#[derive(Template)]
#[template(ext = "html", source = r#"<ul class="card events">{% include "components/event.html" %}</ul>"#)]
pub(super) struct Event {
    pub(super) layout: Layout<'static>,
    pub(super) event: Entry,
}

#[derive(Template)]
#[template(ext = "html", source = r#"{% include "components/safety.html" %}"#)]
pub(super) struct Safe {
    pub(super) layout: Layout<'static>,
    pub(super) safety: Safety<'static>,
}

#[derive(Template)]
#[template(
    ext = "html",
    source = r#"{%- import "components/time.html" as times -%}<section class="card">{% include "components/life.html" %}</section>"#
)]
pub(super) struct Lives {
    pub(super) life: Life,
}

/// The components that are macros.
#[derive(Template)]
#[template(
    ext = "html",
    source = r##"{%- import "components/time.html" as times -%}{%- import "components/icon.html" as icons -%}
{%- import "components/field.html" as field -%}{%- import "components/error_summary.html" as summary -%}
{%- import "components/address.html" as address -%}{%- import "components/try_again.html" as throttle -%}{%- import "components/password_again.html" as passwords -%}
{%- match part -%}
{%- when Part::Icon(name) -%}{% call icons::icon(name) %}{% endcall %}
{%- when Part::Address(email) -%}<p>{% call address::with_a_break(email) %}{% endcall %}</p>
{%- when Part::Time(time) -%}<p>{% call times::when(time) %}{% endcall %}<br>{% call times::ago(time) %}{% endcall %}<br>
{%- call times::when_and_ago(time) %}{% endcall %}</p>
{%- when Part::Field(problems, hint) -%}
<form class="card form"><div class="field">
<label class="field__label" for="name">Full name</label>
{% if *hint %}<p class="field__hint hint" id="name-hint">As others should read it.</p>{% endif %}
{%- call field::problem(problems, "name") %}{% endcall %}
<input class="input" id="name" value="Ada"{% call field::attributes(problems, "name", *hint) %}{% endcall %}>
</div></form>
{%- when Part::Summary(problems, failure) -%}{% call summary::error_summary(problems, failure) %}{% endcall %}
{%- when Part::TryAgain(again) -%}{% call throttle::try_again(again) %}{% endcall %}
{%- when Part::PasswordAgain(field) -%}
<form class="card form">{% call passwords::password_again(field) %}{% endcall %}</form>
{%- endmatch -%}"##
)]
pub(super) struct Macro {
    pub(super) part: Part,
}

pub(super) enum Part {
    Icon(String),
    Address(&'static str),
    Time(DisplayTime),
    Field(Vec<Problem>, bool),
    Summary(Vec<Problem>, Option<&'static str>),
    TryAgain(Option<DisplayTime>),
    PasswordAgain(PasswordField),
}
