//! The operator's own texts of the mails.

use std::fs;

use crate::support::reset::fresh_link;
use crate::support::server::{Finished, Launch, empty_folder};
use crate::support::{EMAIL, TestApp};

/// Starts the program with one file of the operator's, which must keep it from starting.
fn refused(name: &str, text: &str) -> Finished {
    let folder = empty_folder();
    fs::create_dir(folder.path().join("texts")).unwrap();
    fs::write(folder.path().join("texts").join(name), text).unwrap();
    let finished = Launch::in_folder(folder.path()).set("MAIL_TEMPLATE_DIR", "texts").finish();
    assert_eq!(finished.code(), Some(2), "{finished:?}");
    finished
}

#[test]
fn a_text_that_cannot_be_used_stops_the_start_by_one_line_that_names_it() {
    for (name, text, words) in [
        ("new_device.txt", "Subject: x\n\n{{ at.words", "(in new_device.txt:3)"),
        ("new_device.html", "<p>{% if device %}", "new_device.html"),
        (
            "new_device.txt",
            "Subject: x\n\n{{ full_name }}",
            "new_device.txt names full_name, which this mail does not have; it has address, at, at.iso, at.words, device, end_url, reset_url, site_name",
        ),
        ("password_reset_requested.txt", "Subject: x\n\n{{ at.words }}", "password_reset_requested.txt names at.words"),
        ("new_device.txt", "Hello,\n", "new_device.txt does not begin with a line \"Subject: …\""),
        ("new_device.txt", "Subject: \n\nHello,\n", "new_device.txt does not begin with a line"),
        ("new_devices.txt", "Subject: x\n\n", "new_devices.txt is no mail's; there are account_deleted, "),
        ("account_locked.html", "{{ wait + 1 }}", "account_locked.html"),
    ] {
        let finished = refused(name, text);
        let line = finished.complaint();
        assert!(line.starts_with("perennial: MAIL_TEMPLATE_DIR: ") && line.contains(words), "{name}: {line}");
    }
    let folder = empty_folder();
    let missing = Launch::in_folder(folder.path()).set("MAIL_TEMPLATE_DIR", "nowhere").finish();
    assert_eq!(missing.code(), Some(2));
    assert!(missing.complaint().contains("MAIL_TEMPLATE_DIR: takes a folder that exists"), "{missing:?}");
}

#[actix_web::test]
async fn the_operators_text_takes_the_place_of_ours_and_html_is_escaped() {
    let folder = empty_folder();
    let text = "\u{feff}Subject: {{ site_name }}: Neues Passwort\r\n\r\n\r\nGrüße <b>\r\n{{ url }}\r\n";
    fs::write(folder.path().join("password_reset_requested.txt"), text).unwrap();
    fs::write(folder.path().join("new_device.html"), "<b title=\"{{ device }}\">{{ device }}</b> {{ end_url }}")
        .unwrap();
    fs::write(folder.path().join("README.md"), "is no mail").unwrap();
    fs::write(folder.path().join(".new_device.txt"), "of an editor").unwrap();
    let texts = folder.path().to_str().unwrap().to_owned();
    let app = TestApp::with(|arguments| arguments.mail_template_dir = Some(texts)).await;
    app.signed_in().await;
    let link = fresh_link(&app, EMAIL).await;
    let mail = app.mail().pop().unwrap();
    assert_eq!(mail.subject, "Perennial: Neues Passwort");
    assert_eq!(mail.text, format!("Grüße <b>\n{}{link}", app.origin()));
    assert!(
        mail.html.contains("Somebody, probably you, asked for a new password"),
        "ours, where there is none of theirs"
    );
    let mut other = app.browser();
    other.user_agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0".to_owned();
    other.sign_in().await;
    let mail = app.mail().pop().unwrap();
    assert!(
        mail.html.starts_with("<b title=\"Firefox on Linux\">Firefox on Linux</b> http://localhost:8080/devices/end/")
    );
}

#[test]
fn every_placeholder_is_documented() {
    let guide = fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/mail.md")).unwrap();
    let folder = fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/templates/mail")).unwrap();
    for entry in folder {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let row = guide.lines().find(|line| line.starts_with(&format!("| `{name}` ")));
        let row = row.unwrap_or_else(|| panic!("docs/mail.md says nothing of {name}"));
        let text = fs::read_to_string(&path).unwrap();
        for placeholder in text.split("{{ ").skip(1).map(|rest| rest.split(" }}").next().unwrap()) {
            let known = format!("`{placeholder}`");
            assert!(placeholder == "site_name" || row.contains(&known), "{name}: {placeholder}");
        }
    }
}
