//! Work on a connection, without the type of what it is and of what it answers.
//!
//! A query is a closure of a type of its own. What carries one to a thread, into a transaction and back would be compiled
//! once for each of them, and it is far larger than most queries; behind a box it is compiled once.

use std::any::Any;

use super::Connection;
use super::error::StoreError;

/// Something to do on a connection.
pub(super) type Work<'a> = Box<dyn FnOnce(&mut Connection) -> Result<Answered, StoreError> + Send + 'a>;

/// What came of it.
pub(super) struct Answered(Box<dyn Any + Send>);

/// Puts a query into a box.
pub(super) fn boxed<'a, T: Send + 'static>(
    work: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'a,
) -> Work<'a> {
    Box::new(move |connection| Ok(Answered(Box::new(work(connection)?))))
}

impl Answered {
    /// Returns it as what it is; it comes from the work that the same caller [boxed].
    pub(super) fn open<T: 'static>(self) -> Result<T, StoreError> {
        self.0.downcast().map(|answer| *answer).map_err(|_| StoreError::Query("the answer is another query's".into()))
    }
}
