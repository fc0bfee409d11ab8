//! Accounts and sessions that the code of an application manages.

use actix_web::http::StatusCode;
use actix_web::middleware::from_fn;
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{App, HttpResponse};
use perennial::testing::{TestServer, TestSite};
use perennial::{
    AccountError, Application, CurrentUser, NewAccount, SessionLife, UserId, Visitor, WebError, authenticate,
};

const ADA: &str = "ada@example.org";
const PASSWORD: &str = "three random words";

async fn greet(user: CurrentUser) -> String {
    format!("{} ({})", user.user().full_name, user.user().role.as_str())
}

/// Signs in whoever names an account: the check of this application.
async fn vouch(visitor: Visitor, user: Path<i64>) -> Result<HttpResponse, WebError> {
    let welcome = HttpResponse::SeeOther().insert_header(("location", "/hello")).finish();
    let signed_in = visitor.sign_in(UserId(*user), SessionLife::Kept, welcome).await?;
    Ok(signed_in.unwrap_or_else(|| HttpResponse::Gone().finish()))
}

async fn leave(visitor: Visitor) -> Result<HttpResponse, WebError> {
    visitor.sign_out(HttpResponse::NoContent().finish()).await
}

async fn rename(perennial: Data<Application>, user: CurrentUser) -> Result<HttpResponse, WebError> {
    perennial.accounts().rename(user.user().id, "Countess Lovelace").await?;
    Ok(HttpResponse::NoContent().finish())
}

async fn serve(site: &TestSite) -> TestServer {
    let perennial = site.perennial();
    let routes = |config: &mut ServiceConfig| {
        config
            .app_data(Data::new(perennial.clone()))
            .route("/hello", web::get().to(greet))
            .route("/vouch/{user}", web::get().to(vouch))
            .route("/leave", web::get().to(leave))
            .route("/rename", web::get().to(rename));
        perennial.configure(config);
    };
    site.serve(App::new().configure(routes).wrap(from_fn(authenticate))).await
}

/// Signs in by the page, and returns the status of the answer.
async fn sign_in(app: &TestServer, password: &str) -> StatusCode {
    let fields = [("email", ADA), ("password", password), ("keep_signed_in", "on")];
    app.browser().submit("/login", "/login", &fields).await.status
}

/// Reads the audit trail: each kind, and who did it.
fn trail(site: &TestSite) -> Vec<(String, String)> {
    let database = site.perennial().database();
    let events =
        database.read_blocking(|connection| perennial::store::operator::list_events(connection, None, None, 99));
    let mut events = events.unwrap();
    events.reverse();
    let by =
        |event: &perennial::store::operator::StoredEvent| event.details["by"].as_str().unwrap_or_default().to_owned();
    events.iter().map(|event| (event.kind.clone(), by(event))).collect()
}

#[actix_web::test]
async fn an_account_is_made_with_a_password_or_with_a_link_to_set_one() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let accounts = site.perennial().accounts();
    let ada = accounts.create(NewAccount::new("Ada@Example.org", "Ada Lovelace").password(PASSWORD)).await.unwrap();
    assert_eq!((&*ada.email, ada.role.as_str()), (ADA, "admin"), "the first of all");
    assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::SEE_OTHER);
    assert!(site.mail().iter().all(|mail| mail.subject.contains("sign-in") || mail.subject.contains("signed in")));

    let before = site.mail().len();
    let grace = accounts.create(NewAccount::new("grace@example.org", "Grace Hopper").role("editor")).await.unwrap();
    assert_eq!(grace.role.as_str(), "editor");
    let mails = site.mail();
    assert_eq!((mails.len(), mails[before].to.as_str()), (before + 1, "grace@example.org"));
    let link = mails[before].text.lines().find_map(|line| line.strip_prefix("http://localhost:8080/password-reset/"));
    let browser = app.browser();
    browser.get(&format!("/password-reset/{}", link.unwrap())).await;
    let fields = [("password", "four quite random words"), ("password_again", "four quite random words")];
    assert_eq!(browser.submit("/password-reset/new", "/password-reset/new", &fields).await.location(), "/login");

    let silent = accounts.create(NewAccount::new("edsger@example.org", "Edsger").without_mail()).await.unwrap();
    assert_eq!(silent.role.as_str(), "user");
    assert!(!site.mail().iter().any(|mail| mail.to.as_str() == "edsger@example.org"));
    let found = accounts.find_by_email(" EDSGER@example.org").await.unwrap();
    assert_eq!((found.map(|user| user.id), accounts.find(silent.id).await.unwrap()), (Some(silent.id), Some(silent)));
    let names: Vec<_> = accounts.list(Some("e"), 2).await.unwrap().into_iter().map(|user| user.full_name).collect();
    assert_eq!(names.iter().map(|name| &**name).collect::<Vec<_>>(), ["Ada Lovelace", "Grace Hopper"]);
    let made: Vec<_> = trail(&site).into_iter().filter(|(kind, _)| kind == "registered").collect();
    assert_eq!(made, vec![("registered".to_owned(), "application".to_owned()); 3]);
}

#[actix_web::test]
async fn what_no_account_can_have_is_refused_and_named() {
    let site = TestSite::start();
    let accounts = site.perennial().accounts();
    let invalid = |refused: Result<_, AccountError>| match refused {
        Err(AccountError::Invalid { field, problem, .. }) => {
            assert!(!problem.is_empty() && !problem.contains("short word"), "{problem}");
            field
        }
        other => panic!("{other:?}"),
    };
    for (account, field) in [
        (NewAccount::new("ada", "Ada"), "email"),
        (NewAccount::new(ADA, " "), "full_name"),
        (NewAccount::new(ADA, "Ada").role("two words"), "role"),
        (NewAccount::new(ADA, "Ada").role("Admin"), "role"),
        (NewAccount::new(ADA, "Ada").password("short word"), "password"),
        (NewAccount::new(ADA, "Ada").password("passwordpassword"), "password"),
    ] {
        assert_eq!(invalid(accounts.create(account).await), field);
    }
    let ada = accounts.create(NewAccount::new(ADA, "Ada").without_mail()).await.unwrap();
    let twice = accounts.create(NewAccount::new("ADA@example.org", "Another")).await;
    assert!(matches!(twice, Err(AccountError::EmailTaken)), "{twice:?}");
    assert_eq!(invalid(accounts.rename(ada.id, "").await), "full_name");
    assert_eq!(invalid(accounts.set_role(ada.id, "").await), "role");
    for refused in [accounts.deactivate(ada.id).await, accounts.set_role(ada.id, "user").await] {
        assert!(matches!(refused, Err(AccountError::LastAdmin)), "{refused:?}");
    }
    let nobody = UserId(99);
    let answers = [
        accounts.rename(nobody, "Nobody").await.err(),
        accounts.set_role(nobody, "user").await.err(),
        accounts.deactivate(nobody).await.err(),
        accounts.activate(nobody).await.err(),
        accounts.delete(nobody).await.err(),
    ];
    assert!(answers.iter().all(|error| matches!(error, Some(AccountError::NotFound))), "{answers:?}");
    assert_eq!(accounts.find(nobody).await.unwrap(), None);
}

#[actix_web::test]
async fn a_change_is_in_force_at_once_and_ends_what_must_not_go_on() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let accounts = site.perennial().accounts();
    accounts.create(NewAccount::new("root@example.org", "Root").without_mail()).await.unwrap();
    let ada = accounts.create(NewAccount::new(ADA, "Ada").password(PASSWORD)).await.unwrap().id;
    let browser = app.browser();
    browser.sign_in_as(ADA).await;
    assert_eq!(browser.get("/hello").await.body(), "Ada (user)");
    accounts.set_role(ada, "editor").await.unwrap();
    assert_eq!(browser.get("/rename").await.status, StatusCode::NO_CONTENT);
    assert_eq!(browser.get("/hello").await.body(), "Countess Lovelace (editor)");

    assert!(!accounts.deactivate(ada).await.unwrap().is_active);
    assert_eq!(browser.get("/hello").await.status, StatusCode::SEE_OTHER);
    assert_eq!(sign_in(&app, PASSWORD).await, StatusCode::UNAUTHORIZED);
    assert!(accounts.activate(ada).await.unwrap().is_active);
    assert_eq!(browser.get("/hello").await.status, StatusCode::SEE_OTHER, "what ended stays over");
    browser.sign_in_as(ADA).await;

    accounts.delete(ada).await.unwrap();
    assert_eq!(browser.get("/hello").await.status, StatusCode::SEE_OTHER);
    assert_eq!(accounts.find(ada).await.unwrap(), None);
    assert!(site.mail().iter().any(|mail| mail.to.as_str() == ADA && mail.subject.contains("deleted")));
    let kinds: Vec<_> = trail(&site).into_iter().map(|(kind, _)| kind).collect();
    for kind in ["role_changed", "user_deactivated", "session_revoked", "user_activated", "user_deleted"] {
        assert!(kinds.iter().any(|found| found == kind), "{kind}: {kinds:?}");
    }
}

#[actix_web::test]
async fn sessions_are_listed_and_ended() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let (one, two) = (app.sign_in_as(ADA).await, app.sign_in_as(ADA).await);
    let other = app.sign_in_as("grace@example.org").await;
    let ada = site.perennial().accounts().find_by_email(ADA).await.unwrap().unwrap().id;
    let sessions = site.perennial().sessions();
    let listed = sessions.of_user(ada).await.unwrap();
    assert_eq!(listed.len(), 2);
    assert!(listed.iter().all(|session| session.user == ada && session.kept && session.address == "192.0.2.1"));
    assert!(listed[0].user_agent.contains("Firefox"));
    assert!(sessions.end(listed[0].id).await.unwrap());
    assert!(!sessions.end(listed[0].id).await.unwrap(), "it had ended before");
    let alive = [one.get("/hello").await.status, two.get("/hello").await.status];
    assert_eq!(alive.iter().filter(|status| **status == StatusCode::OK).count(), 1);
    assert_eq!(sessions.end_all(ada).await.unwrap(), 1);
    for browser in [one, two] {
        assert_eq!(browser.get("/hello").await.status, StatusCode::SEE_OTHER);
        assert!(
            browser.get("/login").await.says("by whoever runs this site") || browser.get("/login").await.says("ended")
        );
    }
    assert_eq!(other.get("/hello").await.status, StatusCode::OK);
    assert_eq!(sessions.of_user(ada).await.unwrap(), []);
    assert_eq!(sessions.end_all(UserId(99)).await.unwrap(), 0);
}

#[actix_web::test]
async fn a_handler_signs_in_whom_it_vouches_for_and_out_again() {
    let site = TestSite::start();
    let app = serve(&site).await;
    let accounts = site.perennial().accounts();
    let ada = accounts.create(NewAccount::new(ADA, "Ada").without_mail()).await.unwrap().id;
    let grace = accounts.create(NewAccount::new("grace@example.org", "Grace").without_mail()).await.unwrap().id;
    let browser = app.browser();
    let answer = browser.get(&format!("/vouch/{ada}")).await;
    assert_eq!(answer.location(), "/hello");
    assert_eq!(browser.follow(answer).await.body(), "Ada (admin)");
    assert_eq!(site.mail().len(), 1, "of a new device, and only the first time");
    // Another one takes the place of the first in the jar, which is over then.
    let copy = browser.clone();
    browser.get(&format!("/vouch/{grace}")).await;
    assert_eq!(browser.get("/hello").await.body(), "Grace (user)");
    assert_eq!(copy.get("/hello").await.status, StatusCode::SEE_OTHER);
    let out = browser.get("/leave").await;
    assert_eq!(
        (out.status, out.cleared()),
        (StatusCode::NO_CONTENT, vec!["access_token".to_owned(), "keep_signed_in".to_owned()])
    );
    assert_eq!(browser.get("/leave").await.status, StatusCode::NO_CONTENT);
    let mails = site.mail().len();
    browser.get(&format!("/vouch/{ada}")).await;
    assert_eq!(site.mail().len(), mails, "the device is known");
    browser.get("/leave").await;
    accounts.deactivate(grace).await.unwrap();
    for user in [grace.0, 99] {
        let answer = browser.get(&format!("/vouch/{user}")).await;
        assert_eq!((answer.status, browser.holds("access_token")), (StatusCode::GONE, false));
    }
    let signed_in: Vec<_> = trail(&site).into_iter().filter(|(kind, _)| kind == "signed_in").collect();
    assert_eq!(signed_in, vec![("signed_in".to_owned(), "application".to_owned()); 3]);
}
