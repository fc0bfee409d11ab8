//! Settings: read once, checked at once, passed on as values; there is no global configuration.

mod arguments;
#[cfg(feature = "cli")]
mod files;
mod parse;
mod settings;
#[cfg(feature = "cli")]
mod warnings;

pub use arguments::Arguments;
#[cfg(feature = "cli")]
pub use arguments::Flags;
#[cfg(feature = "cli")]
pub use files::{Filled, fill_from_files};
pub use settings::{ClientAddressHeader, DeviceBinding, LogFormat, Registration, SettingError, Settings};
#[cfg(feature = "cli")]
pub use warnings::warnings;

pub use crate::store::url::DatabaseUrl;
