//! Words for people, in pages, mails and on the command line: times, durations and devices.

pub mod device;
pub mod duration;
pub mod time;
