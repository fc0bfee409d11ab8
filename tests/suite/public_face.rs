//! The public face, used with the types that it promises: what this does not compile with breaks an application.
//!
//! Nothing here is run but the test that nothing was forgotten.

use std::collections::BTreeSet;
use std::error::Error;
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use actix_web::web::ServiceConfig;
use actix_web::{HttpResponse, ResponseError};
use perennial::{
    AccountError, AccountEvent, AccountEvents, Accounts, ApiUser, Application, Arguments, Builder, Client,
    ClientAddressHeader, Clock, CurrentUser, DatabaseUrl, DeviceBinding, Email, EventCursor, EventType, Form,
    FormError, FormGuard, FormHeader, FormLimit, FormPage, FormToken, FormTokenField, Frame, FramedPage, HookError,
    Identity, InvalidMailbox, InvalidNetwork, InvalidTimeZone, Lifetimes, Listening, LogFormat, MailError, Mailbox,
    ManualClock, MaybeUser, Memory, NamedRole, Network, NewAccount, Outbox, OutgoingEmail, PublicUrl, RecentUser,
    Registration, Require, RequireRole, Role, SendError, SessionError, SessionId, SessionInfo, SessionLife,
    SettingError, Settings, StartError, StopSignals, SubmittedForm, SystemClock, TimeZone, Transport, User, UserId,
    UserSessions, Visitor, WebError, authenticate,
};
use serde::Deserialize;
use time::OffsetDateTime;

#[expect(dead_code, reason = "it is compiled, and that is all")]
async fn building() -> Result<(), StartError> {
    let (memory, outbox): (Memory, Outbox) = Memory::new();
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::start());
    let builder: Builder = Application::builder()
        .environment("PERENNIAL_")
        .settings(|arguments: &mut Arguments| arguments.site_name = Some("Notes".to_owned()))
        .key_file("notes.key")
        .mount("/auth")
        .after_sign_in("/notes")
        .logo("/logo.svg")
        .frame(|page: &FramedPage<'_>| Frame {
            head: String::new(),
            before: page.user.map_or_else(String::new, |user| format!("{} {}", user.full_name, page.form_token)),
            after: String::new(),
        })
        .sign_in_page(|page: &FormPage<'_>| page.hidden_fields())
        .registration_page(|page: &FormPage<'_>| page.value("email").to_owned())
        .password_reset_page(|page: &FormPage<'_>| format!("{} {:?}", page.action(), page.problem("email")))
        .allow_origin("https://forms.example.org")
        .transport(memory)
        .clock(clock)
        .on_event("hook", async |event: AccountEvent| -> Result<(), HookError> {
            let _: (i64, Option<EventType>, String, OffsetDateTime) = (event.id, event.kind, event.name, event.at);
            let _: (Option<UserId>, Option<String>, Option<SessionId>) = (event.user, event.email, event.session);
            let _: [Option<String>; 3] = [event.reason, event.by, event.role];
            let _: (Option<UserId>, Option<String>, Option<String>) = (event.by_user, event.address, event.user_agent);
            Err("a reason")?
        });
    let application: Application = builder.build()?;
    let _configure: &dyn Fn(&mut ServiceConfig) = &|config: &mut ServiceConfig| application.configure(config);
    let _mails: Vec<Email> = outbox.messages();
    let _anybody: Result<bool, SessionError> = application.has_accounts().await;
    let _first: Result<Option<String>, SessionError> = application.first_account_url().await;
    application.on_event(EventCursor::new("other").from_oldest(), async |_| Ok(()))?;
    let _events: AccountEvents = application.events("stream")?;
    application.start_draining();
    let stop: StopSignals = StopSignals::listen()?;
    let listening: Listening = TcpListener::bind("127.0.0.1:0")?.into();
    application.serve(listening, stop).await
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
fn settings() -> Result<(), Box<dyn Error>> {
    let read: Result<Arguments, SettingError> = Arguments::from_environment();
    let settings: Settings = read?.settings()?;
    let _bind: SocketAddr = settings.bind;
    let _public_url: Option<PublicUrl> = settings.public_url.clone();
    let database: DatabaseUrl = settings.database.clone();
    let _database: String = database.shown();
    let lifetimes: Lifetimes = settings.lifetimes;
    let _access: time::Duration = lifetimes.access;
    let _registration: Registration = settings.registration;
    let networks: Result<Network, InvalidNetwork> = "10.0.0.0/8".parse();
    let _contains: bool = networks?.contains(&IpAddr::from([10, 0, 0, 1]));
    let _header: ClientAddressHeader = settings.client_address_header;
    let mailbox: Result<Mailbox, InvalidMailbox> = "Notes <notes@example.org>".parse();
    let mailbox: Mailbox = mailbox?;
    let (_name, _address): (Option<&str>, &str) = (mailbox.name(), mailbox.address());
    let _from: Option<Mailbox> = settings.mail_from.clone();
    let _format: LogFormat = settings.log_format;
    let _binding: DeviceBinding = settings.device_binding;
    let _drain: Duration = settings.drain_time;
    let url: PublicUrl = PublicUrl::localhost(8080);
    let _url: (&str, &str, bool) = (url.as_str(), url.host(), url.is_secure());
    let clock: ManualClock = ManualClock::at(OffsetDateTime::UNIX_EPOCH);
    clock.advance(time::Duration::HOUR);
    let _now: OffsetDateTime = Clock::now(&clock);
    let built: Result<Application, StartError> = Application::build(&settings, url, Arc::new(clock));
    drop(built?);
    Ok(())
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
async fn handler(
    user: CurrentUser,
    recent: RecentUser,
    hour: RecentUser<60>,
    maybe: MaybeUser,
    program: ApiUser,
    token: FormToken,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    user.confirm().await?;
    program.confirm().await?;
    let person: &User = user.user();
    let _id: UserId = person.id;
    let _role: &Role = &person.role;
    let _zone: Option<TimeZone> = person.time_zone;
    let _same: (&User, &User) = (recent.user(), hour.user());
    let _maybe: Option<CurrentUser> = maybe.0;
    let identity: &Identity = user.identity();
    let _session: SessionId = identity.session();
    let _token: String = token.to_string();
    let _field: (&str, bool) = (form.get("line"), form.is_checked("done"));
    Ok(HttpResponse::Ok().finish())
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
async fn own_code(application: &Application) -> Result<(), AccountError> {
    let accounts: Accounts = application.accounts();
    let ada = NewAccount::new("ada@example.org", "Ada").role("editor").password("a long one").without_mail();
    let ada: User = accounts.create(ada).await?;
    let _: Option<User> = accounts.find(ada.id).await?;
    let _: Option<User> = accounts.find_by_email("ada@example.org").await?;
    let _: Vec<User> = accounts.list(Some("ada"), 10).await?;
    let _: User = accounts.rename(ada.id, "Ada Lovelace").await?;
    let _: User = accounts.set_role(ada.id, "admin").await?;
    let _: User = accounts.deactivate(ada.id).await?;
    let _: User = accounts.activate(ada.id).await?;
    let () = accounts.delete(ada.id).await?;
    let sessions: UserSessions = application.sessions();
    let listed: Vec<SessionInfo> = sessions.of_user(ada.id).await?;
    for session in listed {
        let _: (SessionId, UserId, OffsetDateTime, bool) = (session.id, session.user, session.expires_at, session.kept);
        let _: bool = sessions.end(session.id).await?;
    }
    let _: usize = sessions.end_all(ada.id).await?;
    let _: fn(AccountError) -> WebError = WebError::from;
    Ok(())
}

/// A form of the application's.
#[derive(Debug, Deserialize)]
struct Line {
    line: String,
}

/// A role of the application's.
struct Editor;

impl NamedRole for Editor {
    const NAME: &'static str = "editor";
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
async fn protected(
    editor: RequireRole<Editor>,
    visitor: Visitor,
    Form(line): Form<Line, 1024>,
    guard: FormGuard,
    _header: FormHeader,
    token: FormToken,
    form: SubmittedForm,
) -> Result<HttpResponse, WebError> {
    guard.verify(&line.line)?;
    guard.verify_header()?;
    let _field: FormTokenField<'_> = token.field();
    let _parsed: Result<Line, FormError> = form.parse();
    let _all: Vec<&str> = form.get_all("line").collect();
    editor.ended().await;
    let _has: bool = editor.has_role("editor");
    let _out: HttpResponse = visitor.sign_out(HttpResponse::Ok().finish()).await?;
    let answer = HttpResponse::Ok().finish();
    let signed_in: Option<HttpResponse> = visitor.sign_in(editor.user().id, SessionLife::Kept, answer).await?;
    Ok(signed_in.unwrap_or_else(|| HttpResponse::Forbidden().finish()))
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
fn scopes(application: &Application) {
    let require: Require = application.require();
    let _ = actix_web::web::scope("/all").wrap(require.json().role("editor").recent(10));
}

#[expect(dead_code, reason = "it is compiled, and that is all")]
fn wrapping() {
    let _: FormLimit = FormLimit(64 * 1024);
    let _ = actix_web::App::new().wrap(actix_web::middleware::from_fn(authenticate));
    let _: fn(&WebError) -> HttpResponse = ResponseError::error_response;
    let _: Result<TimeZone, InvalidTimeZone> = "Europe/Paris".parse();
    let _: Client = Client::new(None, "");
}

/// A transport of an application's own.
struct Provider;

impl Transport for Provider {
    fn send(&self, email: &OutgoingEmail) -> Result<(), SendError> {
        let _: (&str, &Email, OffsetDateTime) = (&email.id, &email.email, email.queued_at);
        Err(SendError::Deferred(MailError::Other { source: "away".into() }))
    }
}

#[test]
fn every_name_of_the_public_face_is_used_here() {
    let (face, here) = (include_str!("../../src/lib.rs"), include_str!("public_face.rs"));
    let exported = face.split("\npub use ").skip(1).map(|rest| rest.split(';').next().unwrap());
    let names = exported.flat_map(|path| {
        let list = path.split_once('{').map_or_else(|| path.rsplit("::").next().unwrap(), |(_, list)| list);
        list.split([',', '}', ' ', '\n']).filter(|name| !name.is_empty())
    });
    let used: BTreeSet<_> = here.split(|c: char| !c.is_alphanumeric() && c != '_').collect();
    let forgotten: Vec<_> = names.filter(|name| !used.contains(name)).collect();
    assert!(forgotten.is_empty(), "{forgotten:?}");
    assert!(Provider.send(&outgoing()).is_err());
}

fn outgoing() -> OutgoingEmail {
    let email = Email {
        to: "ada@example.org".parse().unwrap(),
        subject: String::new(),
        text: String::new(),
        html: String::new(),
    };
    OutgoingEmail { id: "a1".to_owned(), queued_at: OffsetDateTime::UNIX_EPOCH, email }
}
