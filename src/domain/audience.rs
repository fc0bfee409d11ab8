//! What the tokens of a session are for.

/// What the tokens of a session are for; those of one never stand for those of the other.
///
/// A session is begun for one of them and stays so: only a token of its own audience gets it another. So no row says which
/// it is; the key that signed the token does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Audience {
    /// The pages: the tokens travel in cookies.
    Pages,
    /// The API, for clients that are no browser: the tokens travel in `Authorization` headers.
    Api,
}
