//! What stands for the writer of a file in a build that opens none.

use super::error::StoreError;
use super::work::{Answered, Work};

/// There is none.
#[derive(Debug)]
pub(super) enum Writer {}

impl Writer {
    pub(super) async fn write(&self, _: Work<'static>) -> Result<Answered, StoreError> {
        match *self {}
    }

    pub(super) fn write_blocking(&self, _: Work<'static>) -> Result<Answered, StoreError> {
        match *self {}
    }
}
