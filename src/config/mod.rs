//! Settings: read once, checked at once, passed on as values; there is no global configuration.

mod arguments;
mod parse;
mod settings;
mod warnings;

pub use arguments::Arguments;
pub use settings::{ClientAddressHeader, LogFormat, Registration, SettingError, Settings};
pub use warnings::warnings;

pub use crate::store::url::DatabaseUrl;
