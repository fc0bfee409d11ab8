//! Paths as they may stand in a log.

/// Characters from which on a segment of a path may be a secret: the token of a mailed link has 43, the name of a sign-in
/// 36 and that of an embedded file fewer.
const SECRET_LENGTH: usize = 40;

/// Characters kept of a path: enough for every one of ours, too little to fill a disk.
const PATH_LENGTH: usize = 300;

/// Returns a path as it may stand in a log: without the query, since that holds what people type and the tokens of links,
/// and without a segment that may be the token of a link.
pub(crate) fn loggable(path: &str) -> String {
    let segments = path.split('/').map(|segment| if segment.len() < SECRET_LENGTH { segment } else { "…" });
    let mut shown = segments.collect::<Vec<_>>().join("/");
    if let Some((end, _)) = shown.char_indices().nth(PATH_LENGTH) {
        shown.truncate(end);
        shown.push('…');
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_shown_without_what_may_be_the_token_of_a_link() {
        for path in [
            "/",
            "/dashboard",
            "/devices/01a1ff61-6b68-7192-8174-1b3dd5640274/revoke",
            "/static/style.yKZ3nQ2wT0aB.css",
        ] {
            assert_eq!(loggable(path), path);
        }
        let token = "mZyGf4bJYx0oS1sXc3Yw9kQq2uVdR7tEaLhNpB5iC8D";
        assert_eq!(loggable(&format!("/password-reset/{token}")), "/password-reset/…");
        assert_eq!(loggable(&format!("/devices/end/{token}/x")), "/devices/end/…/x");
        assert_eq!(loggable(&"/a".repeat(4000)).chars().count(), PATH_LENGTH + 1);
    }
}
