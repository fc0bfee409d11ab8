//! What the pages may load and do.

/// What a page may load and do: its own styles and images and nothing else; no script has a source.
///
/// `connect-src` serves no page, since only scripts connect; it lets tools that audit a page (Lighthouse) read
/// `robots.txt` from within it.
pub(crate) const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                                 form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
