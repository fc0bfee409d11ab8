//! Every page in every state, held against the HTML standard by the W3C's validator.

use std::process::Command;

use super::gallery::Gallery;
use crate::support::TestApp;
use crate::support::chromium::find_program;
use crate::support::npm::installed;
use crate::support::server::empty_folder;

#[actix_web::test]
#[ignore = "needs Java and the W3C's validator from npm"]
async fn the_validator_has_nothing_to_say_about_any_page() {
    let (java, validator) = (find_program(&["java"]), installed("vnu-jar/build/dist/vnu.jar"));
    let folder = empty_folder();
    let files = Gallery::visit().await.write(&TestApp::start().await, &folder.path().join("pages")).await;
    let check = |files: &[&std::path::Path]| {
        let output = Command::new(&java).arg("-jar").arg(&validator).arg("--Werror").args(files).output().unwrap();
        (output.status.success(), String::from_utf8(output.stderr).unwrap())
    };
    // Programs that show mail want attributes that the standard has given up.
    let files: Vec<_> =
        files.iter().filter(|(name, _)| !name.starts_with("mail-")).map(|(_, file)| file.as_path()).collect();
    let (good, said) = check(&files);
    assert!(good && said.is_empty(), "{said}");

    let broken = folder.path().join("broken.html");
    std::fs::write(&broken, "<!doctype html><html lang=en><title>x</title><p id=a><p id=a>").unwrap();
    let (good, said) = check(&[&broken]);
    assert!(!good && said.contains("Duplicate ID"), "a validator that finds nothing anywhere: {said}");
}
