//! A form that meets a sign-in that is over is kept until its user has signed in again, and sent by them alone.

use std::cell::RefCell;
use std::rc::Rc;

use actix_web::http::StatusCode;
use actix_web::web::{self, Html, ServiceConfig};
use perennial::{CurrentUser, FormLimit, FormToken, RecentUser, SubmittedForm};
use time::Duration;

use crate::support::kept::{PageForm, kept_at, sign_in_after};
use crate::support::{Answer, Browser, PASSWORD, TestApp, everything_stored};

/// What somebody wrote, with everything that a page has to escape, and lines.
const NOTE: &str = "Ask \"Bob\" & 'Eve' <b>\r\nabout 100 % of +1";

/// An application with a notebook of its own, and what was written into it.
struct Notebook {
    app: TestApp,
    notes: Rc<RefCell<Vec<String>>>,
}

impl Notebook {
    async fn start() -> Self {
        let notes = Rc::new(RefCell::new(Vec::new()));
        let written = Rc::clone(&notes);
        let routes = move |config: &mut ServiceConfig| {
            let page = |_: CurrentUser, token: FormToken| async move {
                Html::new(format!("<form action=\"/notes\"><input name=\"form_token\" value=\"{token}\"></form>"))
            };
            let written = Rc::clone(&written);
            let write = move |user: CurrentUser, form: SubmittedForm| {
                let line = format!("{}: {} {}", user.user().email, form.get("note"), form.get("password"));
                written.borrow_mut().push(line);
                async { "written" }
            };
            let pay = |_: RecentUser, form: SubmittedForm| async move { format!("paid {}", form.get("amount")) };
            config.service(web::resource("/pay").route(web::post().to(pay)));
            let notes = web::resource("/notes").route(web::get().to(page)).route(web::post().to(write.clone()));
            let long = web::resource("/long").app_data(FormLimit(64 * 1024)).route(web::post().to(write));
            config.service(notes).service(long);
        };
        Self { app: TestApp::embedded(|_| {}, routes).await, notes }
    }

    /// Opens a browser with the page of the notebook in it; returns the token of its form.
    async fn reader(&self) -> (Browser, String) {
        let browser = self.app.signed_in().await;
        let token = browser.token("/notes", "/notes").await;
        assert!(!token.is_empty());
        (browser, token)
    }

    fn revoke_all(&self) {
        self.app.rows().execute(
            "UPDATE sessions SET revoked_at = created_at, revoked_because = 'revoked_on_another_device' \
             WHERE revoked_at IS NULL",
        );
        self.app.catch_up();
    }

    fn notes(&self) -> Vec<String> {
        self.notes.borrow().clone()
    }

    fn kept(&self) -> i64 {
        self.app.rows().number("SELECT count(*) FROM kept_forms WHERE fields IS NOT NULL")
    }

    /// Returns the notebook with a form that was kept: its browser, and the answer to it.
    async fn with_kept() -> (Self, Browser, Answer) {
        let book = Self::start().await;
        let (browser, token) = book.reader().await;
        book.revoke_all();
        let answer = browser.post("/notes", &[("note", NOTE), ("form_token", &token)]).await;
        kept_at(&answer);
        (book, browser, answer)
    }
}

fn assert_not_kept(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"), "{what}");
}

#[actix_web::test]
async fn a_form_whose_sign_in_has_ended_is_sent_after_the_next_one() {
    for ended in ["revoked", "expired", "idle"] {
        let book = Notebook::start().await;
        let (mut browser, mut token) = book.reader().await;
        if ended == "expired" {
            // Kept, its cookies would run out with it.
            browser = book.app.browser();
            browser.sign_in_for_this_session().await;
            token = browser.token("/notes", "/notes").await;
        }
        let fields = [("note", NOTE), ("form_token", token.as_str())];
        match ended {
            "expired" => book.app.advance(Duration::hours(25)),
            "idle" => book.app.advance(Duration::days(15)),
            _ => book.revoke_all(),
        }
        let answer = browser.post("/notes?page=2", &fields).await;
        let page = sign_in_after(&browser, &answer).await;
        assert_eq!(page.status, StatusCode::OK, "{ended}");
        assert!(
            page.says("<dt>Note</dt>") && page.says("Ask &#34;Bob&#34; &#38; &#39;Eve&#39; &#60;b&#62;"),
            "{page:?}"
        );
        assert_eq!(book.notes(), Vec::<String>::new(), "nothing is sent by itself");
        let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
        assert_eq!(form.action, "/notes?page=2");
        assert_eq!(form.get("note"), Some(NOTE));
        assert_ne!(form.get("form_token"), Some(token.as_str()));
        assert_eq!(form.send(&browser, &[]).await.body(), "written", "{ended}");
        assert_eq!(book.notes(), [format!("ada@example.org: {NOTE} ")], "{ended}");
        assert_eq!(book.kept(), 0, "what was sent is not kept");
    }
}

#[actix_web::test]
async fn it_is_sent_once_however_often_its_page_is_opened_and_its_button_pressed() {
    let (book, browser, answer) = Notebook::with_kept().await;
    let page = sign_in_after(&browser, &answer).await;
    let again = browser.get(&kept_at(&answer)).await;
    assert_eq!((page.status, page.body()), (again.status, again.body()), "opening it loses nothing");
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    let clicks = futures_util::future::join(form.send(&browser, &[]), form.send(&browser, &[])).await;
    let mut statuses = [clicks.0.status.as_u16(), clicks.1.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
    for answer in [form.send(&browser, &[]).await, browser.get(&kept_at(&answer)).await] {
        assert_eq!(answer.status, StatusCode::CONFLICT);
        assert!(answer.says("This form was sent already") && !answer.says("Ask "));
    }
    assert_eq!(book.notes().len(), 1);
}

#[actix_web::test]
async fn nobody_else_sees_anything_of_it() {
    let (book, browser, answer) = Notebook::with_kept().await;
    let page = kept_at(&answer);
    let fields = [("full_name", "Grace"), ("email", "grace@example.org"), ("password", PASSWORD)];
    browser.submit("/register", "/register", &fields).await;
    let refused = browser.get(&page).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    assert!(refused.says("This form is somebody else&#39;s"));
    for secret in ["Ask ", "/notes", "note", "ada@example.org"] {
        assert!(!refused.says(secret), "{secret}");
    }
    assert_eq!(book.app.browser().get(&page).await.location(), format!("/login?next={}", page.replace('/', "%2F")));
    // It still waits for whoever sent it, in any browser of theirs.
    let elsewhere = book.app.browser();
    elsewhere.sign_in().await;
    let form = PageForm::with_button(&elsewhere.get(&page).await.body(), "Send it now").unwrap();
    assert_eq!(form.send(&browser, &[]).await.status, StatusCode::FORBIDDEN, "its page is of one sign-in");
    assert_eq!(form.send(&elsewhere, &[]).await.status, StatusCode::OK);
}

#[actix_web::test]
async fn after_ten_minutes_there_is_the_empty_form_and_a_word_about_it() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    book.revoke_all();
    let origin = book.app.origin().to_owned();
    let mut led = Vec::new();
    for page in ["/notes", "/devices", "//evil.example/", "/rescue/x"] {
        let from = browser.with_header("referer", format!("{origin}{page}"));
        let answer = from.post("/notes", &[("note", NOTE), ("form_token", &token)]).await;
        led.push(kept_at(&answer));
    }
    book.app.advance(Duration::minutes(10));
    browser.sign_in().await;
    for (kept, page) in led.iter().zip(["/notes", "", "/notes", "/notes"]) {
        let over = browser.get(kept).await;
        if page.is_empty() {
            assert_eq!((over.status, over.location()), (StatusCode::SEE_OTHER, "/devices"));
            assert!(browser.get("/devices").await.says("It was kept for ten minutes, which are over"));
        } else {
            assert_eq!(over.status, StatusCode::GONE);
            assert!(over.says("It was kept for ten minutes, which are over."), "{over:?}");
            assert!(over.says(&format!("href=\"{page}\">Fill it in again")) && !over.says("Ask "), "{over:?}");
        }
    }
    for unknown in ["/rescue/AAAAAAAAAAAAAAAAAAAAAA", "/rescue/x", "/rescue/%00"] {
        let gone = browser.get(unknown).await;
        assert_eq!((gone.status, gone.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{unknown}");
        assert!(browser.get("/dashboard").await.says("please fill it in again"), "{unknown}");
    }
}

#[actix_web::test]
async fn what_was_kept_is_emptied_when_its_time_is_over_and_forgotten_a_day_later() {
    let (book, _, _) = Notebook::with_kept().await;
    let sweep = || book.app.retention().sweep(|_| perennial::jobs::Continue::Yes).unwrap();
    book.app.advance(Duration::minutes(10));
    assert_eq!(sweep().forms, 0);
    assert_eq!(book.kept(), 1, "at its very end");
    book.app.advance(Duration::SECOND);
    assert_eq!(sweep().forms, 1);
    assert_eq!((book.kept(), book.app.rows().count("kept_forms")), (0, 1));
    book.app.advance(Duration::days(1));
    sweep();
    assert_eq!(book.app.rows().count("kept_forms"), 0);
}

#[actix_web::test]
async fn nothing_is_kept_that_its_own_sign_in_did_not_send() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    let other = book.app.browser();
    other.sign_in().await;
    let foreign = other.token("/notes", "/notes").await;
    let signed_out = book.app.browser().token("/login", "/login").await;
    book.revoke_all();
    for (token, what) in
        [("", "none"), ("x", "garbled"), (foreign.as_str(), "another sign-in's"), (signed_out.as_str(), "a browser's")]
    {
        assert_not_kept(&browser.post("/notes", &[("note", NOTE), ("form_token", token)]).await, what);
    }
    let fields = [("note", NOTE), ("form_token", token.as_str())];
    assert_not_kept(&book.app.browser().post("/notes", &fields).await, "without cookies");
    for (name, value) in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.example"), ("origin", "null")] {
        let planted = browser.with_header(name, value).post("/notes", &fields).await;
        assert_eq!(planted.status, StatusCode::FORBIDDEN, "{name}: {value}");
    }
    let json = browser.with_header("accept", "application/json").post("/notes", &fields).await;
    assert_eq!(json.status, StatusCode::UNAUTHORIZED);
    for kind in ["multipart/form-data; boundary=x", "text/plain", "application/json", ""] {
        let body = format!("note=x&form_token={token}");
        assert_not_kept(&browser.post_body("/notes", kind, body).await, kind);
    }
    assert_not_kept(&browser.post("/logout", &[("form_token", &token)]).await, "there is nothing left to sign out of");
    assert_eq!(book.app.rows().count("kept_forms"), 0);
}

#[actix_web::test]
async fn a_form_is_kept_up_to_64_kilobytes_whatever_its_handler_takes() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    let frame = format!("note=&form_token={token}").len();
    let note = |bytes: usize| "a".repeat(bytes - frame);
    let most = 64 * 1024;
    let send = async |browser: &Browser, path: &str, note: &str, token: &str| {
        browser.post(path, &[("note", note), ("form_token", token)]).await
    };
    assert_eq!(send(&browser, "/notes", &note(16 * 1024), &token).await.status, StatusCode::OK);
    assert_eq!(send(&browser, "/notes", &note(16 * 1024 + 1), &token).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(send(&browser, "/long", &note(most), &token).await.status, StatusCode::OK);
    assert_eq!(send(&browser, "/long", &note(most + 1), &token).await.status, StatusCode::PAYLOAD_TOO_LARGE);
    book.notes.borrow_mut().clear();
    book.revoke_all();
    assert_not_kept(&send(&browser, "/long", &note(most + 1), &token).await, "one byte more");
    let bits = browser.post_while("/long", &[("note", &note(most + 1)), ("form_token", &token)], async {}).await;
    assert_not_kept(&bits, "one byte more, of a body that does not say how long it is");
    let answer = send(&browser, "/long", &note(most), &token).await;
    let page = sign_in_after(&browser, &answer).await;
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    // Its new token is a little longer, and so is all of it.
    assert_eq!(form.get("note").map(str::len), Some(most - frame));
    assert_eq!(form.send(&browser, &[]).await.status, StatusCode::PAYLOAD_TOO_LARGE);
}

#[actix_web::test]
async fn a_password_is_never_kept_and_is_typed_again() {
    let secret = "quince-harbour-novel";
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    book.revoke_all();
    let fields = [("Old_Password", secret), ("note", "hello"), ("password", secret), ("form_token", &token)];
    let answer = browser.post("/notes", &fields).await;
    let stored = everything_stored(&book.app.folder());
    for plain in [secret, "hello"] {
        assert!(!stored.windows(plain.len()).any(|window| window == plain.as_bytes()), "{plain} is in the database");
    }
    let page = sign_in_after(&browser, &answer).await;
    assert!(!page.says(secret) && page.says("hello") && page.says("Passwords are never kept"));
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    assert_eq!(form.passwords, ["Old_Password", "password"]);
    assert_eq!(form.send(&browser, &[("password", "typed again")]).await.status, StatusCode::OK);
    assert_eq!(book.notes(), ["ada@example.org: hello typed again"]);
}

#[actix_web::test]
async fn a_new_key_in_front_opens_what_the_old_one_closed() {
    let (book, mut browser, answer) = Notebook::with_kept().await;
    let keys = format!("{},{}", "n".repeat(32), book.app.keys());
    let process = book.app.another_process_with(|arguments| arguments.jwt_secret_key = Some(keys)).await;
    browser.connect(&process);
    let page = sign_in_after(&browser, &answer).await;
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    assert_eq!(form.send(&browser, &[]).await.status, StatusCode::OK);
    assert_eq!(book.notes().len(), 1);
}

#[actix_web::test]
async fn a_few_are_kept_for_each_user_and_a_flood_of_them_pushes_nothing_out() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    book.revoke_all();
    let mut led = Vec::new();
    for note in ["one", "two", "three", "four", "five"] {
        let answer = browser.post("/notes", &[("note", note), ("form_token", &token)]).await;
        led.push(kept_at(&answer));
    }
    for _ in 0..3 {
        assert_not_kept(&browser.post("/notes", &[("note", "six"), ("form_token", &token)]).await, "too many at once");
    }
    book.app.advance(Duration::minutes(1));
    let sixth = browser.post("/notes", &[("note", "six"), ("form_token", &token)]).await;
    led.push(kept_at(&sixth));
    assert_eq!(book.app.rows().count("kept_forms"), 5);
    browser.sign_in().await;
    let mut shown = Vec::new();
    for page in &led {
        let form = PageForm::with_button(&browser.get(page).await.body(), "Send it now");
        shown.push(form.map(|form| form.get("note").unwrap().to_owned()).unwrap_or_default());
    }
    let kept = shown.iter().filter(|note| !note.is_empty()).count();
    assert_eq!((kept, shown.last().map(String::as_str)), (5, Some("six")), "{shown:?}");
}

#[actix_web::test]
async fn what_is_kept_goes_with_its_user() {
    let (book, _, _) = Notebook::with_kept().await;
    book.app.rows().execute("DELETE FROM users");
    assert_eq!(book.app.rows().count("kept_forms"), 0);
}

#[actix_web::test]
async fn a_form_whose_account_was_deactivated_is_not_kept() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    book.app.rows().execute("UPDATE users SET is_active = FALSE");
    book.app.catch_up();
    assert_not_kept(&browser.post("/notes", &[("note", NOTE), ("form_token", &token)]).await, "deactivated");
    assert_eq!(book.app.rows().count("kept_forms"), 0);
}

#[actix_web::test]
async fn a_kept_form_that_meets_the_end_of_a_sign_in_again_is_kept_again() {
    let (book, browser, answer) = Notebook::with_kept().await;
    let page = sign_in_after(&browser, &answer).await;
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    book.revoke_all();
    let again = form.send(&browser, &[]).await;
    assert_ne!(kept_at(&again), kept_at(&answer));
    let page = sign_in_after(&browser, &again).await;
    let form = PageForm::with_button(&page.body(), "Send it now").unwrap();
    assert_eq!(form.send(&browser, &[]).await.status, StatusCode::OK);
    assert_eq!(book.notes(), [format!("ada@example.org: {NOTE} ")]);
}

#[actix_web::test]
async fn our_own_forms_are_kept_and_said_in_words() {
    let app = TestApp::start().await;
    let (owner, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    let token = phone.token("/devices", "/devices/others/revoke").await;
    owner.submit("/devices", "/devices/others/revoke", &[]).await;
    let answer = phone.post("/devices/others/revoke", &[("form_token", &token)]).await;
    let page = sign_in_after(&phone, &answer).await;
    assert!(page.says("<h2>End all other sign-ins</h2>") && owner.is_signed_in().await);
    let sent = PageForm::with_button(&page.body(), "Send it now").unwrap().send(&phone, &[]).await;
    assert_eq!((sent.status, sent.location()), (StatusCode::SEE_OTHER, "/devices"));
    assert!(!owner.is_signed_in().await && phone.is_signed_in().await);
}

#[actix_web::test]
async fn a_form_that_wants_the_password_again_is_sent_after_it() {
    let book = Notebook::start().await;
    let (browser, token) = book.reader().await;
    let fields = [("amount", "12"), ("form_token", token.as_str())];
    assert_eq!(browser.post("/pay", &fields).await.body(), "paid 12");
    book.app.advance(Duration::minutes(11));
    let asked = browser.post("/pay", &fields).await;
    let page = asked.location().strip_prefix("/reauthenticate?next=").unwrap().replace("%2F", "/");
    assert!(page.starts_with("/rescue/"), "{page}");
    let entered = [("password", PASSWORD), ("next", page.as_str())];
    let entered = browser.submit(asked.location(), "/reauthenticate", &entered).await;
    assert_eq!((entered.status, entered.location()), (StatusCode::SEE_OTHER, page.as_str()));
    let form = PageForm::with_button(&browser.get(&page).await.body(), "Send it now").unwrap();
    assert_eq!(form.send(&browser, &[]).await.body(), "paid 12");
    // Who is signed out before the password is entered comes to the form all the same.
    book.app.advance(Duration::minutes(11));
    let asked = browser.post("/pay", &fields).await;
    let page = asked.location().split_once("next=").unwrap().1.replace("%2F", "/");
    let token = browser.token(asked.location(), "/reauthenticate").await;
    book.revoke_all();
    let fields = [("password", PASSWORD), ("next", page.as_str()), ("form_token", &token)];
    let led = browser.post("/reauthenticate", &fields).await;
    assert_eq!(kept_at(&led), page);
    let shown = sign_in_after(&browser, &led).await;
    assert!(PageForm::with_button(&shown.body(), "Send it now").is_some());
}
