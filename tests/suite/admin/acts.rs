//! What an administrator does to accounts, and what keeps others from doing it.

use actix_web::http::StatusCode;
use time::Duration;

use super::{OTHER_PASSWORD, act, assert_done, assert_refused, register, two};
use crate::support::{Browser, TestApp};

/// The acts, with good fields.
const ACTS: [(&str, &[(&str, &str)]); 6] = [
    ("deactivate", &[]),
    ("activate", &[]),
    ("unlock", &[]),
    ("revoke", &[]),
    ("reset-link", &[]),
    ("role", &[("role", "editor")]),
];

/// Returns what is told of an account's state and role.
fn standing(app: &TestApp, user: i64) -> String {
    let active = "CASE WHEN is_active THEN 'active' ELSE 'deactivated' END";
    app.rows().text(&format!("SELECT {active} || ' ' || role FROM users WHERE id = {user}"))
}

async fn signs_in(app: &TestApp) -> StatusCode {
    let fields = [("email", "grace@example.org"), ("password", OTHER_PASSWORD)];
    app.browser().submit("/login", "/login", &fields).await.status
}

#[actix_web::test]
async fn an_account_is_deactivated_and_activated_and_its_owner_reads_of_it() {
    let app = TestApp::start().await;
    let (admin, grace) = two(&app).await;
    let asked = admin.get("/admin/users/2/deactivate").await;
    assert!(asked.says("Deactivate grace@example.org?"), "{}", asked.body());
    assert_eq!(standing(&app, 2), "active user", "asking does nothing");
    let page = "/admin/users/2";
    let answer = admin.submit(page, "/admin/users/2/deactivate", &[]).await;
    assert_done(&admin, 2, &answer, "The account is deactivated, and one sign-in ended.").await;
    assert_eq!(standing(&app, 2), "deactivated user");
    assert!(!grace.is_signed_in().await);
    assert_eq!(signs_in(&app).await, StatusCode::UNAUTHORIZED);
    let again = act(&admin, 2, "deactivate", &[]).await;
    assert_done(&admin, 2, &again, "Nothing was changed").await;
    let event = app.rows().events_of("user_deactivated").remove(0);
    assert_eq!((event.user_id, event.detail("by").as_str()), (Some(2), "administrator"));
    assert_eq!(event.detail("by_session"), admin.session());
    let named = "SELECT count(*) FROM auth_events WHERE details LIKE '%\"by_user\":1,%'";
    assert_eq!(app.rows().number(named), 2, "of the account and of its sign-in");
    let answer = admin.submit(page, "/admin/users/2/activate", &[]).await;
    assert_done(&admin, 2, &answer, "The account is active again.").await;
    assert!(!grace.is_signed_in().await, "what was ended stays so");
    assert_eq!(signs_in(&app).await, StatusCode::SEE_OTHER);
    let fields = [("email", "grace@example.org"), ("password", OTHER_PASSWORD)];
    grace.submit("/login", "/login", &fields).await;
    let activity = grace.get("/activity").await;
    for words in ["The account was deactivated", "The account was activated", "Done by whoever runs this site"] {
        assert!(activity.says(words), "{words}: {}", activity.body());
    }
    assert!(!activity.says("192.0.2.1, administrator") && !activity.says("ada@example.org"));
}

#[actix_web::test]
async fn a_role_counts_from_the_next_page_on() {
    let app = TestApp::start().await;
    let (admin, grace) = two(&app).await;
    assert_eq!(grace.get("/admin").await.status, StatusCode::NOT_FOUND);
    let answer = admin.submit("/admin/users/2", "/admin/users/2/role", &[("role", "admin")]).await;
    assert_done(&admin, 2, &answer, "The role was changed.").await;
    assert_eq!(grace.get("/admin").await.status, StatusCode::OK);
    let event = app.rows().events_of("role_changed").remove(0);
    assert_eq!(
        (event.user_id, event.detail("role").as_str(), event.detail("by").as_str()),
        (Some(2), "admin", "administrator")
    );
    assert_done(&admin, 2, &act(&admin, 2, "role", &[("role", "editor")]).await, "The role was changed.").await;
    assert_eq!(grace.get("/admin").await.status, StatusCode::NOT_FOUND);
    for (role, words) in [("", "role"), ("Admin", "role"), ("two words", "role"), ("\u{202e}nimda", "role")] {
        let answer = act(&admin, 2, "role", &[("role", role)]).await;
        assert_refused(&answer, words);
        assert!(answer.says("id=\"role-error\""), "{role}: {}", answer.body());
    }
    assert_eq!(standing(&app, 2), "active editor");
}

#[actix_web::test]
async fn the_lock_of_an_account_is_ended() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    for _ in 0..5 {
        let fields = [("email", "grace@example.org"), ("password", "wrong")];
        app.browser().submit("/login", "/login", &fields).await;
    }
    assert_eq!(signs_in(&app).await, StatusCode::FORBIDDEN);
    let answer = admin.submit("/admin/users/2", "/admin/users/2/unlock", &[]).await;
    assert_done(&admin, 2, &answer, "The account is unlocked").await;
    assert_eq!(signs_in(&app).await, StatusCode::SEE_OTHER);
    let event = app.rows().events_of("account_unlocked").remove(0);
    assert_eq!((event.user_id, event.detail("by").as_str()), (Some(2), "administrator"));
    assert_done(&admin, 2, &act(&admin, 2, "unlock", &[]).await, "Nothing was changed").await;
    assert_eq!(app.rows().count_events("account_unlocked"), 1);
}

#[actix_web::test]
async fn sign_ins_are_ended_one_by_one_or_all_at_once() {
    let app = TestApp::start().await;
    let (admin, grace) = two(&app).await;
    let phone = app.browser();
    let fields = [("email", "grace@example.org"), ("password", OTHER_PASSWORD), ("keep_signed_in", "on")];
    phone.submit("/login", "/login", &fields).await;
    let (own, others) = (admin.session(), grace.session());
    assert_done(&admin, 2, &act(&admin, 2, "revoke", &[("session", &others)]).await, "One sign-in was ended.").await;
    assert!(!grace.is_signed_in().await && phone.is_signed_in().await);
    assert!(grace.get("/login").await.says("ended"), "{}", grace.get("/login").await.body());
    for foreign in [own.as_str(), "AAAAAAAAAAAAAAAAAAAAAA", "x"] {
        let answer = act(&admin, 2, "revoke", &[("session", foreign)]).await;
        assert!([StatusCode::NOT_FOUND, StatusCode::UNPROCESSABLE_ENTITY].contains(&answer.status), "{foreign}");
    }
    let asked = |id: &str| format!("/admin/users/2/revoke?session={id}");
    let page = admin.get(&asked(&phone.session())).await;
    assert!(
        page.says("End the sign-in on ") && page.says("grace@<wbr>example.org") && page.says(&phone.session()),
        "{}",
        page.body()
    );
    for unknown in [own.as_str(), "01a1ff61-0000-7000-8000-000000000000", "x", ""] {
        assert_eq!(admin.get(&asked(unknown)).await.status, StatusCode::NOT_FOUND, "{unknown}");
    }
    for list in ["/admin/sessions", "/admin/users/2"] {
        let page = admin.get(list).await;
        assert!(page.says(&asked(&phone.session())), "{list} leads to the page that asks: {}", page.body());
        assert!(!page.says("End</button>"), "{list}");
    }
    assert!(phone.is_signed_in().await, "asking ends nothing");
    assert!(admin.get("/admin/users/2/revoke").await.says("End every sign-in of grace@example.org?"));
    let answer = admin.submit("/admin/users/2", "/admin/users/2/revoke", &[]).await;
    assert_eq!(answer.status, StatusCode::SEE_OTHER);
    assert!(!phone.is_signed_in().await && admin.is_signed_in().await);
    let events = app.rows().events_of("session_revoked");
    assert!(events.iter().all(|event| event.user_id == Some(2) && event.detail("reason") == "revoked_by_operator"));
    assert_eq!(events.len(), 2);
    // One's own: all but the one that asks.
    let laptop = app.browser();
    laptop.sign_in().await;
    assert_refused(&act(&admin, 1, "revoke", &[("session", &own)]).await, "the sign-in you are using now");
    assert_done(&admin, 1, &act(&admin, 1, "revoke", &[]).await, "One sign-in was ended.").await;
    assert!(!laptop.is_signed_in().await && admin.is_signed_in().await);
}

#[actix_web::test]
async fn a_link_to_set_a_password_is_mailed_and_never_shown() {
    let app = TestApp::start().await;
    let (admin, grace) = two(&app).await;
    let answer = admin.submit("/admin/users/2", "/admin/users/2/reset-link", &[]).await;
    assert_done(&admin, 2, &answer, "A link to set a new password is on its way.").await;
    let mail = app.mail().pop().unwrap();
    assert_eq!(mail.to.as_str(), "grace@example.org");
    let link = mail.text.lines().find(|line| line.contains("/password-reset/")).unwrap().trim().to_owned();
    assert!(!admin.get("/admin/users/2").await.says(&link));
    assert!(grace.is_signed_in().await, "nothing changes until it is used");
    let path = link.strip_prefix(app.origin()).unwrap();
    let visitor = app.browser();
    assert_eq!(visitor.get(path).await.location(), "/password-reset/new");
    let set =
        visitor.submit("/password-reset/new", "/password-reset/new", &[("password", "copper violin at dawn")]).await;
    assert_eq!(set.location(), "/login");
    let event = app.rows().events_of("password_reset_requested").remove(0);
    assert_eq!((event.user_id, event.detail("by").as_str()), (Some(2), "administrator"));
    act(&admin, 2, "deactivate", &[]).await;
    assert_refused(&act(&admin, 2, "reset-link", &[]).await, "The account is deactivated");
}

#[actix_web::test]
async fn nobody_locks_themselves_out_and_an_administrator_is_always_left() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    for (what, fields) in [("deactivate", &[][..]), ("role", &[("role", "user")])] {
        assert_refused(&act(&admin, 1, what, fields).await, "the last active administrator");
    }
    act(&admin, 2, "role", &[("role", "admin")]).await;
    for (what, fields) in [("deactivate", &[][..]), ("role", &[("role", "user")])] {
        assert_refused(&act(&admin, 1, what, fields).await, "you would lock yourself out");
    }
    assert_eq!((standing(&app, 1), standing(&app, 2)), ("active admin".to_owned(), "active admin".to_owned()));
    assert_done(&admin, 1, &act(&admin, 1, "role", &[("role", "admin")]).await, "Nothing was changed").await;
}

#[actix_web::test]
async fn of_two_administrators_who_demote_each_other_one_stays() {
    for (what, fields) in [("role", &[("role", "user")][..]), ("deactivate", &[])] {
        let app = TestApp::start().await;
        let (admin, grace) = two(&app).await;
        act(&admin, 2, "role", &[("role", "admin")]).await;
        let other = app.another_process().await;
        let mut grace = grace;
        grace.connect(&other);
        let tokens = (admin.token("/devices", "/logout").await, grace.token("/devices", "/logout").await);
        let (path_one, path_two) = (format!("/admin/users/2/{what}"), format!("/admin/users/1/{what}"));
        let fields_one = [fields, &[("form_token", tokens.0.as_str())]].concat();
        let fields_two = [fields, &[("form_token", tokens.1.as_str())]].concat();
        let (one, two) = tokio::join!(admin.post(&path_one, &fields_one), grace.post(&path_two, &fields_two));
        let done = [&one, &two].iter().filter(|answer| answer.location().starts_with("/admin/users/")).count();
        assert_eq!(done, 1, "{what}: {one:?} {two:?}");
        let left = "SELECT count(*) FROM users WHERE role = 'admin' AND is_active";
        assert_eq!(app.rows().number(left), 1, "{what}");
    }
}

#[actix_web::test]
async fn an_act_whose_sender_is_demoted_or_thrown_out_while_it_is_under_way_does_nothing() {
    for statement in [
        "UPDATE users SET role = 'user' WHERE id = 1",
        "UPDATE users SET is_active = FALSE WHERE id = 1",
        "UPDATE sessions SET revoked_at = 1, revoked_because = 'revoked' WHERE user_id = 1",
        "DELETE FROM sessions WHERE user_id = 1",
    ] {
        for (what, fields) in ACTS.into_iter().filter(|(what, _)| *what != "activate") {
            let app = TestApp::start().await;
            let (admin, grace) = two(&app).await;
            app.browser().submit("/login", "/login", &[("email", "grace@example.org"), ("password", "wrong")]).await;
            let token = admin.token("/devices", "/logout").await;
            let mut rows = app.rows();
            let fields = [fields, &[("form_token", token.as_str())]].concat();
            let path = format!("/admin/users/2/{what}");
            let answer = admin.post_while(&path, &fields, async move { rows.execute(statement) }).await;
            let refused = answer.status == StatusCode::NOT_FOUND || answer.location().starts_with("/login");
            assert!(refused, "{what} {statement}: {answer:?}");
            assert_eq!(standing(&app, 2), "active user", "{what} {statement}");
            assert!(grace.is_signed_in().await, "{what} {statement}");
            let done = "SELECT count(*) FROM auth_events WHERE details LIKE '%administrator%'";
            assert_eq!(app.rows().number(done), 0, "{what} {statement}");
        }
    }
}

#[actix_web::test]
async fn every_act_wants_the_password_again_and_the_form_is_kept_meanwhile() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    app.advance(Duration::minutes(11));
    for page in ["/admin", "/admin/users", "/admin/users/2"] {
        assert_eq!(admin.get(page).await.status, StatusCode::OK, "{page}: whoever only looks is not asked");
    }
    for (what, fields) in ACTS {
        let answer = act(&admin, 2, what, fields).await;
        assert!(answer.location().starts_with("/reauthenticate?next=%2Frescue%2F"), "{what}: {answer:?}");
        // Few are kept for one user.
        app.rows().execute("DELETE FROM kept_forms");
    }
    assert_eq!(standing(&app, 2), "active user");
    let answer = act(&admin, 2, "deactivate", &[]).await;
    let kept = answer.location().strip_prefix("/reauthenticate?next=").unwrap().replace("%2F", "/");
    let fields = [("password", crate::support::PASSWORD), ("next", kept.as_str())];
    let answer = admin.submit("/reauthenticate", "/reauthenticate", &fields).await;
    assert_eq!(answer.location(), kept);
    let page = admin.get(&kept).await;
    assert!(page.says("Deactivate an account"), "{}", page.body());
    let answer = admin.submit(&kept, "/admin/users/2/deactivate", &[]).await;
    assert_done(&admin, 2, &answer, "The account is deactivated").await;
}

#[actix_web::test]
async fn a_second_click_does_nothing_and_says_so() {
    let app = TestApp::start().await;
    let (admin, _) = two(&app).await;
    let token = admin.token("/devices", "/logout").await;
    let fields = [("form_token", token.as_str())];
    let (one, two) = tokio::join!(
        admin.post("/admin/users/2/deactivate", &fields),
        admin.post("/admin/users/2/deactivate", &fields)
    );
    assert_eq!((one.location(), two.location()), ("/admin/users/2", "/admin/users/2"));
    assert_eq!(app.rows().count_events("user_deactivated"), 1);
}

#[actix_web::test]
async fn nobody_but_an_administrator_acts_whatever_form_they_send() {
    let app = TestApp::start().await;
    let (_, grace) = two(&app).await;
    let mallory = register(&app, "Mallory", "mallory@example.org").await;
    let send = async |browser: &Browser| {
        for (what, fields) in ACTS {
            let answer = act(browser, 1, what, fields).await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND, "{what}");
        }
    };
    send(&grace).await;
    send(&mallory).await;
    assert_eq!(standing(&app, 1), "active admin");
}

#[actix_web::test]
async fn an_account_is_made_by_an_invitation_while_registration_is_closed() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let app = app.restart_with(|arguments| arguments.registration = Some("closed".to_owned())).await;
    let admin = app.browser();
    admin.sign_in().await;
    let page = admin.get("/admin/invitations").await;
    assert!(page.says("Nobody can register without an invitation"), "{}", page.body());
    let send = |name: &'static str, email: &'static str, role: &'static str| {
        let admin = admin.clone();
        async move {
            let fields = [("full_name", name), ("email", email), ("role", role)];
            admin.submit("/admin/invitations", "/admin/invitations", &fields).await
        }
    };
    let answer = send("Grace Hopper", "Grace@example.org", "user").await;
    assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/admin/users/2"), "{}", answer.body());
    let mail = app.mail().pop().unwrap();
    assert_eq!(mail.to.as_str(), "grace@example.org");
    let link = mail.text.lines().find(|line| line.contains("/password-reset/")).unwrap().trim().to_owned();
    let grace = app.browser();
    grace.get(link.strip_prefix(app.origin()).unwrap()).await;
    grace.submit("/password-reset/new", "/password-reset/new", &[("password", OTHER_PASSWORD)]).await;
    assert_eq!(signs_in(&app).await, StatusCode::SEE_OTHER);
    let event = app.rows().events_of("registered").remove(1);
    assert_eq!((event.user_id, event.detail("by").as_str()), (Some(2), "administrator"));
    for (name, email, role, field) in [
        ("Grace", "grace@example.org", "user", "email"),
        ("Grace", "nobody", "user", "email"),
        (" ", "new@example.org", "user", "full_name"),
        ("Grace", "new@example.org", "Admin", "role"),
    ] {
        let answer = send(name, email, role).await;
        assert_refused(&answer, &format!("id=\"{field}-error\""));
    }
    assert_eq!(app.rows().count("users"), 2);
}
