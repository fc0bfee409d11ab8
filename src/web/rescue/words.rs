//! A form in words: what it does, what its fields are called, and which of them a page hides.

/// What the forms of Perennial's own pages do; `*` stands for one segment.
const ACTS: [(&str, &str); 16] = [
    ("/account/name", "Change your name"),
    ("/account/time-zone", "Choose your time zone"),
    ("/account/email", "Change your email address"),
    ("/account/password", "Change your password"),
    ("/account/delete", "Delete your account"),
    ("/devices/others/revoke", "End all other sign-ins"),
    ("/devices/*/revoke", "End a sign-in"),
    ("/logout/everywhere", "Sign out everywhere"),
    ("/theft/acknowledge", "Take note of the warning about a copied sign-in"),
    ("/admin/invitations", "Invite somebody"),
    ("/admin/users/*/deactivate", "Deactivate an account"),
    ("/admin/users/*/activate", "Activate an account"),
    ("/admin/users/*/unlock", "Unlock an account"),
    ("/admin/users/*/revoke", "End the sign-ins of an account"),
    ("/admin/users/*/reset-link", "Send a link to set a new password"),
    ("/admin/users/*/role", "Give somebody a role"),
];

/// Fields that pages hide, by names that are in use everywhere.
const HIDDEN: [&str; 6] = ["action", "id", "next", "return_to", "utf8", "version"];

/// Characters from which on a value in one piece is no word that somebody typed.
const OPAQUE: usize = 32;

/// Says what the form that goes to `path` does; of a page that is not ours, nothing is known.
pub(crate) fn act(path: &str) -> Option<&'static str> {
    let path = path.split('?').next().unwrap_or_default();
    let fits = |pattern: &str| {
        let (mut wanted, mut found) = (pattern.split('/'), path.split('/'));
        loop {
            match (wanted.next(), found.next()) {
                (None, None) => return true,
                (Some("*"), Some(_)) => {}
                (Some(one), Some(other)) if one == other => {}
                _ => return false,
            }
        }
    };
    ACTS.iter().find(|(pattern, _)| fits(pattern)).map(|(_, words)| *words)
}

/// Returns the name of a field as people read it: `full_name` and `fullName` are "Full name".
pub(crate) fn label(name: &str) -> String {
    let mut words = String::with_capacity(name.len());
    let mut before = ' ';
    for letter in name.chars() {
        let parts = !letter.is_alphanumeric();
        if (parts || letter.is_uppercase() && before.is_lowercase()) && !words.is_empty() && !words.ends_with(' ') {
            words.push(' ');
        }
        if !parts {
            let first = words.is_empty();
            words.extend(if first {
                letter.to_uppercase().collect::<Vec<_>>()
            } else {
                letter.to_lowercase().collect()
            });
        }
        before = letter;
    }
    let words = words.trim_end();
    if words.is_empty() { name.to_owned() } else { words.to_owned() }
}

/// Tells whether a field looks like one that its page hides: what a browser sends does not say so.
pub(crate) fn looks_hidden(name: &str, value: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let named = HIDDEN.contains(&name.as_str()) || name.starts_with('_');
    let refers = ["_id", "_token", "-id", "-token"].iter().any(|ending| name.ends_with(ending));
    let opaque =
        value.len() >= OPAQUE && value.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-_/=.".contains(&byte));
    named || refers || opaque
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_forms_have_words() {
        assert_eq!(act("/account/name"), Some("Change your name"));
        assert_eq!(act("/devices/01a1/revoke?x=1"), Some("End a sign-in"));
        assert_eq!(act("/devices/others/revoke"), Some("End all other sign-ins"));
        for foreign in ["/", "/notes", "/devices/revoke", "/devices/a/b/revoke", "/account/name/x"] {
            assert_eq!(act(foreign), None, "{foreign}");
        }
    }

    #[test]
    fn names_are_read_as_words() {
        for (name, words) in [
            ("full_name", "Full name"),
            ("fullName", "Full name"),
            ("user[email-address]", "User email address"),
            ("NOTE", "Note"),
            ("größe", "Größe"),
            ("line1", "Line1"),
            ("", ""),
            ("[]", "[]"),
        ] {
            assert_eq!(label(name), words, "{name}");
        }
    }

    #[test]
    fn what_nobody_typed_is_folded_away() {
        for (name, value) in
            [("next", "/a"), ("note_id", "7"), ("_method", "put"), ("ref", "mZyGf4bJYx0oS1sXc3Yw9kQq2uVdR7tEaL")]
        {
            assert!(looks_hidden(name, value), "{name}");
        }
        let long = "A note of many words, which is longer than any name of anything.";
        for (name, value) in [("note", long), ("title", "x"), ("valid", ""), ("idea", "y")] {
            assert!(!looks_hidden(name, value), "{name}");
        }
    }
}
