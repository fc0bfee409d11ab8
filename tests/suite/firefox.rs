//! In Firefox: the countdown moves, the form of a page without a referrer is taken, large text fits, and forced colours leave the lines whole.

use serde_json::json;

use crate::support::client::Client;
use crate::support::firefox::{Firefox, Preference};
use crate::support::patience::until;
use crate::support::server::{Launch, Server, empty_folder};

/// The pages of somebody who is signed in.
const PAGES: [&str; 4] = ["/dashboard", "/token-details", "/devices", "/activity"];

/// Sizes of a phone, in CSS pixels.
const PHONE: (u32, u32) = (360, 740);

/// A server, and a browser that is signed in to it.
struct Scene {
    firefox: Firefox,
    client: Client,
    url: String,
    _server: Server,
    _folders: [tempfile::TempDir; 2],
}

impl Scene {
    fn open(preferences: &[Preference]) -> Self {
        let (folder, profile) = (empty_folder(), empty_folder());
        let server = Launch::in_folder(folder.path()).start();
        let url = format!("http://localhost:{}", server.address.port());
        let mut client = Client::of(&server);
        client.register("ada.with.a.long.address.that.has.no.place.to.break");
        let firefox = Firefox::open(profile.path(), preferences);
        Self { firefox, client, url, _server: server, _folders: [folder, profile] }
    }

    fn goto(&mut self, path: &str) {
        self.firefox.goto(&format!("{}{path}", self.url));
    }
}

#[test]
#[ignore = "needs firefox"]
fn the_countdown_moves_in_firefox() {
    let mut scene = Scene::open(&[]);
    scene.firefox.take_cookies(&scene.client);
    scene.goto("/token-details");
    let clock = "document.querySelector('.countdown__clock')";
    let left = format!("Number(getComputedStyle({clock}).getPropertyValue('--remaining'))");
    let place = scene.firefox.read(
        "(countdown => { countdown.scrollIntoView(); const box = countdown.getBoundingClientRect(); \
         return [box.x, box.y, box.width, box.height].join() })(document.querySelector('.countdown'))",
    );
    let place: Vec<f64> = place.as_str().unwrap().split(',').map(|number| number.parse().unwrap()).collect();
    let place: [f64; 4] = place.try_into().unwrap();
    let mut look = || (scene.firefox.read(&left).as_i64().unwrap(), scene.firefox.picture(place));
    let (first, first_picture) = look();
    assert!((800..=900).contains(&first), "{first}");
    let (next, next_picture) = until("another second to be shown", || Some(look()).filter(|seen| seen.0 != first));
    assert!(next < first && next_picture != first_picture, "{first}, then {next}");
    until("one more second to be shown", || Some(look()).filter(|seen| seen.0 < next && seen.1 != next_picture));
}

/// Asserts that a page is as wide as the screen, with text of twice the size.
fn assert_fits(scene: &mut Scene, path: &str) {
    scene.goto(path);
    let size = scene.firefox.read("parseFloat(getComputedStyle(document.documentElement).fontSize)");
    assert_eq!(size, 32, "{path}: the text is not of twice the size");
    let page = "document.documentElement";
    let beyond = scene.firefox.read(&format!("{page}.scrollWidth - {page}.clientWidth"));
    let reaching = scene.firefox.read(&format!(
        "[...document.querySelectorAll('body *')].filter(part => part.getBoundingClientRect().right > \
         {page}.clientWidth).map(part => part.tagName + ' ' + part.className).join()"
    ));
    assert_eq!(beyond, 0, "{path} is wider than the screen by that many pixels: {reaching}");
    let apart = scene.firefox.read(
        "(boxes => boxes.length < 2 || boxes[0].right <= boxes[1].left || boxes[0].bottom <= boxes[1].top)(\
         [...document.querySelectorAll('.brand, .account .button')].map(part => part.getBoundingClientRect()))",
    );
    assert_eq!(apart, true, "{path}: the name of the site and the button beside it cover each other");
}

#[test]
#[ignore = "needs firefox"]
fn text_of_twice_the_size_fits_on_a_phone() {
    // What a text size of 200 % makes of the usual 16 pixels.
    let mut scene = Scene::open(&[("font.size.variable.x-western", json!(32))]);
    scene.firefox.resize(PHONE.0, PHONE.1);
    for path in
        ["/login", "/register", "/password-reset", "/password-reset/check-mail", "/password-reset/new", "/nowhere"]
    {
        assert_fits(&mut scene, path);
    }
    scene.firefox.take_cookies(&scene.client);
    for path in PAGES {
        assert_fits(&mut scene, path);
    }
}

#[test]
#[ignore = "needs firefox"]
fn a_form_of_a_page_that_sends_no_referrer_is_taken() {
    let mut scene = Scene::open(&[]);
    scene.goto("/password-reset");
    scene.firefox.read(
        "(form => { form.email.value = 'grace@example.org'; form.querySelector('button').click(); return 1 })(\
         document.querySelector('main form'))",
    );
    let heading = "document.readyState === 'complete' && document.querySelector('h1').textContent";
    let shown = until("the next page", || {
        Some(scene.firefox.read(heading)).filter(|shown| *shown != "Forgot your password?" && *shown != false)
    });
    assert_eq!(shown, "Check your mail");
}

#[test]
#[ignore = "needs firefox"]
fn forced_colours_leave_the_line_below_the_navigation_whole() {
    let mut scene = Scene::open(&[("browser.display.document_color_use", json!(2))]);
    scene.firefox.take_cookies(&scene.client);
    scene.goto("/devices");
    assert_eq!(scene.firefox.read("matchMedia('(forced-colors: active)').matches"), true);
    // In forced colours every border is painted, and what is painted in the colour of the page cuts what is below it.
    let over = scene.firefox.read(
        "(line => [...document.querySelectorAll('.site-nav__link')].filter(link => \
         link.getBoundingClientRect().bottom > line).length)(\
         document.querySelector('.site-header').getBoundingClientRect().bottom - 1)",
    );
    assert_eq!(over, 0, "so many links of the navigation reach over the line");
}
