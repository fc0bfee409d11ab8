//! Every page in every state, held against the rules of axe-core in Chromium: on a wide screen and a narrow one, light
//! and dark.

use std::fs;
use std::path::Path;
use std::time::Duration;

use serde_json::json;

use super::gallery::Gallery;
use crate::support::TestApp;
use crate::support::chromium::{Browser, Driver};
use crate::support::npm::installed;
use crate::support::patience::let_pass;
use crate::support::server::empty_folder;

/// Widths of screens in CSS pixels: the narrowest that WCAG 2.2, 1.4.10 Reflow, knows, and a laptop.
const WIDTHS: [u32; 2] = [320, 1280];

/// Runs every rule that is not an experiment, those of level AAA included, and returns what is against them, and which
/// rules found something to look at.
const RUN: &str = "
    const [scheme, done] = arguments;
    // What changes its colour step by step would be looked at halfway.
    const still = document.createElement('style');
    still.textContent = '*, ::before, ::after { transition: none !important; }';
    document.head.append(still);
    document.documentElement.style.colorScheme = scheme;
    const rules = {};
    for (const rule of axe.getRules()) {
        const off = ['experimental', 'deprecated'].some(tag => rule.tags.includes(tag));
        rules[rule.ruleId] = { enabled: !off };
    }
    axe.reset();
    axe.run(document, { rules }).then(
        found => done({
            against: found.violations.flatMap(rule => rule.nodes.map(node => rule.id + ': ' + node.html.slice(0, 200)
                + ' – ' + node.failureSummary.slice(0, 300))),
            passed: found.passes.map(rule => rule.id),
        }),
        error => done({ against: [String(error)], passed: [] }),
    );
";

/// Checks what is shown, in both colour schemes; returns what is against the rules.
async fn check(browser: &Browser, axe: &str, name: &str) -> Vec<String> {
    browser.run_script(&format!("{axe}; arguments[0](null)"), vec![]).await;
    let mut against = Vec::new();
    for scheme in ["light", "dark"] {
        let found = browser.run_script(RUN, vec![json!(scheme)]).await;
        let passed = found["passed"].as_array().unwrap();
        assert!(passed.contains(&json!("color-contrast-enhanced")), "{name}: contrast was not looked at: {found}");
        let texts = found["against"].as_array().unwrap().iter();
        against.extend(texts.map(|text| format!("{name}, {scheme}: {}", text.as_str().unwrap())));
    }
    against
}

#[actix_web::test]
#[ignore = "needs Chromium, chromedriver and axe-core from npm"]
async fn no_page_in_any_state_is_against_a_rule_of_accessibility() {
    let axe = fs::read_to_string(installed("axe-core/axe.min.js")).unwrap();
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/looks");
    let files = Gallery::visit().await.write(&TestApp::start().await, &folder).await;
    let (driver, profile) = (Driver::start(), empty_folder());
    let browser = driver.open_with_scripts(profile.path()).await;
    let mut against = Vec::new();
    for width in WIDTHS {
        browser.resize(width, 900).await;
        for (name, file) in &files {
            browser.goto(&format!("file://{}", file.display())).await;
            if *name == "devices-over" {
                let_pass(Duration::from_secs(2));
            }
            against.extend(check(&browser, &axe, name).await);
            if *name == "devices" {
                browser.run_script(ASK, vec![]).await;
                against.extend(check(&browser, &axe, "devices, with a dialog open").await);
            }
            if name.starts_with("devices") || name.starts_with("activity") {
                browser.run_script(OPEN, vec![]).await;
                against.extend(check(&browser, &axe, name).await);
            }
        }
    }
    browser.close().await;
    against.sort();
    against.dedup();
    assert!(against.is_empty(), "{}", against.join("\n"));
}

/// Opens a dialog, as its button does.
const ASK: &str = "document.querySelector('button.asks-here').click(); arguments[0](null)";

/// Opens everything that folds.
const OPEN: &str = "document.querySelectorAll('dialog').forEach(dialog => dialog.close());
    document.querySelectorAll('details').forEach(details => { details.open = true; });
    arguments[0](null)";

/// What a browser with scripts makes of a page that breaks rules.
#[tokio::test]
#[ignore = "needs Chromium, chromedriver and axe-core from npm"]
async fn a_page_that_breaks_rules_is_found() {
    let axe = fs::read_to_string(installed("axe-core/axe.min.js")).unwrap();
    let (driver, profile) = (Driver::start(), empty_folder());
    let browser = driver.open_with_scripts(profile.path()).await;
    let page = profile.path().join("page.html");
    let text = "<!doctype html><html lang=en><title>x</title><main><h1>Title</h1><p style='color:#666'>pale<p>text\
                <input></main>";
    fs::write(&page, text).unwrap();
    browser.goto(&format!("file://{}", page.display())).await;
    let against = check(&browser, &axe, "page").await;
    browser.close().await;
    let rules: Vec<_> = against.iter().map(|text| text.split(": ").nth(1).unwrap()).collect();
    assert!(rules.contains(&"color-contrast-enhanced") && rules.contains(&"label"), "{against:#?}");
}
