//! The limit of open files, which is the limit of open connections.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the soft limit of open files to the hard one.
///
/// The soft limit is 1,024 on most systems for the sake of programs that call `select`, which cannot watch more; a server
/// does not, and is meant to raise it. A system that refuses leaves it as it was. Returns the limit that holds.
pub(crate) fn raise_descriptor_limit() -> usize {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let limit = match setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum }) {
        Ok(()) => maximum,
        Err(error) => {
            tracing::warn!(%error, "the limit of open files could not be raised");
            current
        }
    };
    // No limit at all is `None`.
    limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX)
}
