//! `perennial user add`.

use std::io::{IsTerminal, Read};

use console::Term;
use zeroize::Zeroizing;

use crate::accounts::{Added, NewAccount, add_account};
use crate::app::{mail_templates, open_database, system_clock};
use crate::cli::output::{Failure, say};
use crate::config::Settings;
use crate::domain::mail_token::RESET_LIFE;
use crate::domain::password::{MAX_BYTES, Password};
use crate::domain::public_url::PublicUrl;
use crate::domain::user::{Email, FullName, Role, User};
use crate::store::Database;

/// Who is to be added, as it was typed.
pub(super) struct Wanted<'a> {
    pub(super) email: &'a str,
    pub(super) name: &'a str,
    pub(super) role: Option<&'a str>,
    pub(super) password_stdin: bool,
}

/// Makes an account, with a password or with a link by mail to set one.
pub(super) fn run(settings: &Settings, wanted: &Wanted<'_>) -> Result<(), Failure> {
    let email: Email = wanted
        .email
        .parse()
        .map_err(|_| Failure::Usage("EMAIL: takes an e-mail address such as name@example.com".to_owned()))?;
    let full_name: FullName = wanted.name.parse().map_err(|_| {
        Failure::Usage("--name: takes a name of at most 200 characters, without control characters".to_owned())
    })?;
    let role: Option<Role> = wanted.role.map(|role| parse_role("--role", role)).transpose()?;
    let password = match wanted.password_stdin {
        true => Some(password(settings.password_min_length)?),
        false => None,
    };
    let texts = mail_templates(settings).map_err(|error| Failure::Usage(error.to_string()))?;
    let by_mail = password.is_none();
    let (database, _) = open_database(settings)?;
    let public_url = settings.public_url.clone().unwrap_or_else(|| PublicUrl::localhost(settings.bind.port()));
    let account = NewAccount { email: email.clone(), full_name, role, password };
    match add_account(
        &database,
        &public_url,
        &settings.site_name,
        &texts,
        settings.bcrypt_cost,
        account,
        system_clock().now(),
    )? {
        Added::User(user) => {
            say(&format!("Added {email} as number {}, with the role {}", user.id, user.role.as_str()))?;
            if by_mail { say_link(settings, &user) } else { Ok(()) }
        }
        Added::EmailTaken => Err(Failure::Failed(format!("{email} has an account already"))),
        Added::WeakPassword(weakness) => Err(Failure::Failed(weakness.to_string())),
    }
}

/// Understands a role, or says what it takes.
pub(super) fn parse_role(argument: &str, role: &str) -> Result<Role, Failure> {
    role.parse().map_err(|problem| Failure::Usage(format!("{argument}: {problem}")))
}

/// Says how the link gets to its user: a server that runs mails it.
fn say_link(settings: &Settings, user: &User) -> Result<(), Failure> {
    let minutes = RESET_LIFE.whole_minutes();
    let there = Database::inspect_nodes(&settings.database)?;
    if there.is_some_and(|there| !there.nodes.is_empty()) {
        return say(&format!(
            "A link to set a password is mailed within seconds; it works once, for {minutes} minutes"
        ));
    }
    say(&format!(
        "No server runs on this database: one that starts within {minutes} minutes mails a link to set a password. \
         perennial user reset-link {} prints one at any time",
        user.id
    ))
}

/// Asks for a password where there is a terminal, and reads it from standard input where there is none: the first line, and
/// nothing after it.
fn password(minimum: usize) -> Result<Password, Failure> {
    let typed = if std::io::stdin().is_terminal() {
        let terminal = Term::stderr();
        let ask = |prompt: &str| -> Result<Zeroizing<String>, Failure> {
            terminal.write_str(prompt)?;
            Ok(Zeroizing::new(terminal.read_secure_line()?))
        };
        let typed = ask("Password: ")?;
        if typed != ask("The same again: ")? {
            return Err(Failure::Failed("the two passwords differ; nobody was added".to_owned()));
        }
        typed
    } else {
        let mut text = Zeroizing::new(String::with_capacity(2 * MAX_BYTES));
        let most = 2 * MAX_BYTES as u64;
        if std::io::stdin().lock().take(most).read_to_string(&mut text).is_err() {
            return Err(Failure::Failed("the password on standard input is not UTF-8; nobody was added".to_owned()));
        }
        let line = text.strip_suffix('\n').unwrap_or(&text);
        Zeroizing::new(line.strip_suffix('\r').unwrap_or(line).to_owned())
    };
    if typed.contains(['\n', '\r']) {
        return Err(Failure::Failed(
            "standard input holds more than one line, and a password is one; nobody was added".to_owned(),
        ));
    }
    Password::new(typed, minimum).map_err(|problem| Failure::Failed(problem.to_string()))
}
