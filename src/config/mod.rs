//! Settings: read once, checked at once, passed on as values; there is no global configuration.

mod arguments;
mod files;
mod parse;
mod settings;
mod warnings;

pub use arguments::Arguments;
pub use files::{Filled, fill_from_files};
pub use settings::{ClientAddressHeader, DeviceBinding, LogFormat, Registration, SettingError, Settings};
pub use warnings::warnings;

pub use crate::store::url::DatabaseUrl;
