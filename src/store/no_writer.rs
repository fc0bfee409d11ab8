//! What stands for the writer of a file in a build that opens none.

use super::Connection;
use super::error::StoreError;

/// There is none.
#[derive(Debug)]
pub(super) enum Writer {}

impl Writer {
    pub(super) async fn write<T: Send + 'static>(
        &self,
        _: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match *self {}
    }

    pub(super) fn write_blocking<T: Send + 'static>(
        &self,
        _: impl FnOnce(&mut Connection) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        match *self {}
    }
}
