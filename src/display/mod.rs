//! Words for people, in pages, mails and on the command line: times, durations, devices and places.

pub mod device;
pub mod duration;
pub mod place;
pub mod time;
