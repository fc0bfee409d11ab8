//! Guessing many accounts' passwords: by client address, and by all addresses together; forms that strangers may send.

use actix_web::http::StatusCode;
use perennial::jobs::Continue;
use time::Duration;

use crate::support::{Answer, Browser, EMAIL, NAME, PASSWORD, TestApp};

/// Failures an hour that a client address may have.
const BY_ADDRESS: usize = 50;

/// Registrations an hour from a client address.
const FORMS: usize = 50;

fn at(app: &TestApp, address: &str) -> Browser {
    let mut browser = app.browser();
    browser.address = (address.parse::<std::net::IpAddr>().unwrap(), 40000).into();
    browser
}

/// Enters a wrong password for the account of a number, which need not be there.
async fn guess(browser: &Browser, number: usize) -> Answer {
    let email = format!("user{number}@example.org");
    browser.submit("/login", "/login", &[("email", &email), ("password", "a wrong one")]).await
}

/// Asserts that a client address has had so many tries before, and no more.
async fn use_up(browsers: &[Browser], from: usize) {
    for number in 0..BY_ADDRESS {
        let answer = guess(&browsers[number % browsers.len()], from + number).await;
        assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "try {number}");
    }
    for browser in browsers {
        assert_throttled(&guess(browser, from + BY_ADDRESS).await, 3600);
    }
}

fn assert_throttled(answer: &Answer, at_most: u64) {
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS, "{}", answer.body());
    let wait: u64 = answer.header("retry-after").parse().unwrap();
    assert!((1..=at_most).contains(&wait), "{wait}");
    assert!(answer.says("Too many tries") && answer.says("ry again"), "{}", answer.body());
}

async fn signs_in(browser: &Browser) -> bool {
    let answer = browser.submit("/login", "/login", &[("email", EMAIL), ("password", PASSWORD)]).await;
    assert!([StatusCode::SEE_OTHER, StatusCode::TOO_MANY_REQUESTS].contains(&answer.status), "{}", answer.body());
    answer.status == StatusCode::SEE_OTHER
}

#[actix_web::test]
async fn one_try_at_each_of_many_accounts_is_noticed_by_the_address() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    let sprayer = at(&app, "198.51.100.1");
    use_up(std::slice::from_ref(&sprayer), 0).await;
    let (work, events) = (app.password_work(), app.rows().count("auth_events"));
    assert!(!signs_in(&sprayer).await, "not even with the right password");
    assert_eq!((app.password_work(), app.rows().count("auth_events")), (work, events), "no hash and no event");
    assert!(signs_in(&at(&app, "198.51.100.2")).await, "others are at ease");
    let mut known = owner.clone();
    known.address = sprayer.address;
    assert!(signs_in(&known).await, "and so is who is known, behind the same address");
    app.advance(Duration::minutes(59));
    assert!(!signs_in(&sprayer).await);
    app.advance(Duration::MINUTE);
    assert!(signs_in(&sprayer).await);
}

#[actix_web::test]
async fn a_network_of_ipv6_is_one_address() {
    let app = TestApp::start().await;
    let network: Vec<_> = (1..10).map(|host| at(&app, &format!("2001:db8:1:2:{host}::{host}"))).collect();
    use_up(&network, 0).await;
    assert_eq!(guess(&at(&app, "2001:db8:1:3::1"), 100).await.status, StatusCode::UNAUTHORIZED, "the next network");
}

#[actix_web::test]
async fn an_address_that_a_client_makes_up_does_not_count() {
    let app = TestApp::start().await;
    let sprayer = at(&app, "198.51.100.1");
    let masks: Vec<_> =
        (1..10).map(|host| sprayer.with_header("x-forwarded-for", format!("203.0.113.{host}"))).collect();
    use_up(&masks, 0).await;
    let forwarded = sprayer.with_header("forwarded", "for=203.0.113.99");
    assert_throttled(&guess(&forwarded, 100).await, 3600);
}

#[actix_web::test]
async fn behind_a_trusted_proxy_every_client_has_its_own_count() {
    let app = TestApp::with(|arguments| arguments.trusted_proxies = Some("192.0.2.0/24".to_owned())).await;
    let proxied = |value: &str| app.browser().with_header("x-forwarded-for", value);
    // What the client itself wrote stands before what the proxy added.
    let masks: Vec<_> = (1..5).map(|host| proxied(&format!("203.0.113.{host}, 198.51.100.1"))).collect();
    use_up(&masks, 0).await;
    assert_eq!(guess(&proxied("198.51.100.2"), 100).await.status, StatusCode::UNAUTHORIZED);
}

#[actix_web::test]
async fn who_gets_in_uses_nothing_up() {
    let app = TestApp::start().await;
    app.signed_in().await;
    let address = "198.51.100.1";
    for _ in 0..BY_ADDRESS + 10 {
        assert!(signs_in(&at(&app, address)).await);
    }
    let left = "SELECT max(tries) FROM throttle_counters WHERE tries <> 1";
    assert_eq!(app.rows().number(left), 0, "one registration, and nothing of the address, the account and all");
    use_up(&[at(&app, address)], 0).await;
}

#[actix_web::test]
async fn where_everybody_fails_strangers_wait_and_known_devices_get_in() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    // One failure of one address, as if nine hundred and ninety-nine others had had theirs.
    guess(&at(&app, "198.51.100.1"), 0).await;
    app.rows().execute("UPDATE throttle_counters SET tries = 999 WHERE account_hash IS NULL AND tries = 1");
    assert_eq!(guess(&at(&app, "198.51.100.2"), 1).await.status, StatusCode::UNAUTHORIZED, "the thousandth");
    let stranger = at(&app, "198.51.100.3");
    assert_throttled(&guess(&stranger, 2).await, 600);
    assert!(!signs_in(&stranger).await);
    assert!(signs_in(&owner).await);
    app.advance(Duration::minutes(10));
    assert!(signs_in(&stranger).await);
}

#[actix_web::test]
async fn an_address_makes_so_many_accounts_an_hour() {
    let app = TestApp::start().await;
    let register = async |address: &str, number: usize| {
        let email = format!("user{number}@example.org");
        let fields = [("full_name", NAME), ("email", &email), ("password", PASSWORD)];
        at(&app, address).submit("/register", "/register", &fields).await
    };
    for number in 0..FORMS {
        // Whatever comes of it: a hash is computed for an address that is taken, too.
        let expected = if number % 2 == 0 { StatusCode::SEE_OTHER } else { StatusCode::UNPROCESSABLE_ENTITY };
        assert_eq!(register("198.51.100.1", number / 2).await.status, expected, "{number}");
    }
    let work = app.password_work();
    let answer = register("198.51.100.1", 100).await;
    assert_throttled(&answer, 3600);
    assert!(answer.says("Try again in 1 hour."), "{}", answer.body());
    assert_eq!((app.password_work(), app.rows().count("users")), (work, (FORMS / 2) as i64));
    assert_eq!(register("198.51.100.2", 101).await.status, StatusCode::SEE_OTHER);
    assert!(
        guess(&at(&app, "198.51.100.1"), 0).await.status == StatusCode::UNAUTHORIZED,
        "signing in is another thing"
    );
    app.advance(Duration::minutes(59));
    assert!(register("198.51.100.1", 102).await.says("Try again in 1 minute."));
    app.advance(Duration::MINUTE);
    assert_eq!(register("198.51.100.1", 103).await.status, StatusCode::SEE_OTHER);
}

#[actix_web::test]
async fn counters_that_are_over_go_and_the_failures_of_an_account_stay() {
    let app = TestApp::start().await;
    let owner = app.signed_in().await;
    owner.sign_out().await;
    for number in 0..5 {
        let browser = at(&app, &format!("198.51.100.{number}"));
        for email in [EMAIL, "eve@example.org"] {
            let answer = browser.submit("/login", "/login", &[("email", email), ("password", "x")]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED);
        }
    }
    let sweep = |app: &TestApp| {
        let retention = app.retention();
        std::thread::scope(|scope| scope.spawn(|| retention.sweep(|_| Continue::Yes).unwrap()).join().unwrap());
        app.rows().count("throttle_counters")
    };
    // Two addresses of accounts, the device of the owner, five client addresses and one of a form, and all.
    assert_eq!(sweep(&app), 2 + 1 + 5 + 1 + 1);
    app.advance(Duration::days(2));
    assert_eq!(sweep(&app), 2 + 1, "what counts for an hour");
    app.advance(Duration::days(180));
    assert_eq!(sweep(&app), 1 + 1, "an account that is not there");
    app.advance(Duration::days(200));
    assert_eq!(sweep(&app), 1, "the device");
    let wrong = [("email", EMAIL), ("password", "x")];
    assert_eq!(owner.submit("/login", "/login", &wrong).await.status, StatusCode::UNAUTHORIZED);
    let locked = owner.submit("/login", "/login", &wrong).await;
    assert_eq!((locked.status, locked.header("retry-after")), (StatusCode::FORBIDDEN, "60"), "the sixth in a row");
}
