//! `perennial man` and `perennial completions`.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::support::server::{Launch, empty_folder, files};

#[test]
fn the_manual_names_every_command_and_setting() {
    let folder = empty_folder();
    let page = Launch::in_folder(folder.path()).argument("man").finish();
    assert_eq!((page.code(), page.stderr.as_str()), (Some(0), ""), "{page:?}");
    assert!(page.stdout.contains(".TH perennial 1"), "{}", page.stdout);
    for words in [
        "user add EMAIL \\-\\-name NAME [\\-\\-role ROLE] [\\-\\-password\\-stdin]",
        "user show USER",
        "session revoke [ID] [\\-\\-user USER] [\\-\\-all]",
        "event follow",
        "token stats",
        "secret drop KEYID",
        "\\-\\-access\\-token\\-ttl",
        "EXIT STATUS",
    ] {
        assert!(page.stdout.contains(words), "{words} is not in {}", page.stdout);
    }
    assert_eq!(files(folder.path()), [""; 0]);
}

#[test]
fn completions_are_those_of_the_shell() {
    let folder = empty_folder();
    let complete = |shell: &str| Launch::in_folder(folder.path()).argument("completions").argument(shell).finish();
    for (shell, words) in [("bash", "complete -F"), ("zsh", "#compdef perennial"), ("fish", "complete -c perennial")] {
        let script = complete(shell);
        assert_eq!((script.code(), script.stderr.as_str()), (Some(0), ""), "{shell}");
        assert!(script.stdout.contains(words) && script.stdout.contains("reset-link"), "{shell}");
    }
    for wrong in ["powershell", "elvish", "Bash", ""] {
        assert_eq!(complete(wrong).code(), Some(2), "{wrong}");
    }
    let mut bash = Command::new("bash").args(["-n"]).stdin(Stdio::piped()).spawn().unwrap();
    bash.stdin.take().unwrap().write_all(complete("bash").stdout.as_bytes()).unwrap();
    assert!(bash.wait().unwrap().success());
    assert_eq!(files(folder.path()), [""; 0]);
}
