//! "Welcome back": once after a pause, of all tabs and processes.

use futures_util::future::join_all;
use time::Duration;

use crate::support::{Browser, TestApp};

/// How long somebody is away.
const PAUSE: Duration = Duration::hours(9);

/// Opens the dashboard in all tabs at once; returns how many of them welcome the user back.
async fn welcomes(tabs: &[Browser]) -> usize {
    let pages = join_all(tabs.iter().map(|tab| tab.get("/dashboard"))).await;
    assert!(pages.iter().all(|page| page.says("<h1>Welcome, Ada Lovelace</h1>")));
    pages.iter().filter(|page| page.says("Welcome back")).count()
}

/// Opens tabs with the same jar, at each of the processes in turn.
fn tabs(browser: &Browser, processes: &[&TestApp], count: usize) -> Vec<Browser> {
    let tab = |number: usize| {
        let mut tab = browser.clone();
        tab.connect(processes[number % processes.len()]);
        tab
    };
    (0..count).map(tab).collect()
}

#[actix_web::test]
async fn six_parallel_tabs_welcome_once() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    for _ in 0..3 {
        app.advance(PAUSE);
        let tabs = tabs(&browser, &[&app], 6);
        assert_eq!(welcomes(&tabs).await, 1);
        assert_eq!(welcomes(&tabs).await, 0, "and never again");
        // The browser keeps what the winner brought.
        let held = tabs.iter().find(|tab| tab.cookie("keep_signed_in") != browser.cookie("keep_signed_in")).unwrap();
        browser.restore(held);
    }
}

#[actix_web::test]
async fn tabs_that_are_answered_by_several_processes_welcome_once() {
    let app = TestApp::start().await;
    let processes = [&app, &app.another_process().await, &app.another_process().await];
    let browser = app.signed_in().await;
    app.advance(PAUSE);
    processes.iter().for_each(|process| process.catch_up());
    let tabs = tabs(&browser, &processes, 6);
    assert_eq!(welcomes(&tabs).await, 1);
    for late in 0..3 {
        app.advance(Duration::seconds(30));
        processes.iter().for_each(|process| process.catch_up());
        assert_eq!(welcomes(&tabs[late..=late]).await, 0);
    }
}

#[actix_web::test]
async fn a_tab_that_comes_late_with_the_token_just_replaced_is_not_welcomed_again() {
    let app = TestApp::start().await;
    let browser = app.signed_in().await;
    app.advance(PAUSE);
    let late = browser.clone();
    assert_eq!(welcomes(std::slice::from_ref(&browser)).await, 1);
    app.advance(Duration::minutes(2));
    assert_eq!(welcomes(std::slice::from_ref(&late)).await, 0);
}

#[actix_web::test]
async fn each_of_several_devices_is_welcomed_for_itself() {
    let app = TestApp::start().await;
    let (desk, phone) = (app.signed_in().await, app.browser());
    phone.sign_in().await;
    app.advance(PAUSE);
    assert_eq!(welcomes(&[desk, phone]).await, 2);
}
