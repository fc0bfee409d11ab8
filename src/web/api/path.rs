//! Where the API is.

/// Tells whether a path is the API's: `/api` and all that lies below it.
///
/// Ask it of the path that routes are found by, in which `%61pi` is `api`.
pub(crate) fn is_api(path: &str) -> bool {
    path.strip_prefix("/api").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_it_is_the_apis() {
        for path in ["/api", "/api/", "/api/login", "/api//login"] {
            assert!(is_api(path), "{path}");
        }
        for path in ["", "/", "/apis", "/API", "/ap", "/static/api/x", "//api/login"] {
            assert!(!is_api(path), "{path}");
        }
    }
}
