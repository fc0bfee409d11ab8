//! Words for people, in pages, mails and on the command line: times, durations, devices, places and events.

pub mod device;
pub mod duration;
pub mod event;
pub mod number;
pub mod operator_event;
pub mod place;
pub mod time;
