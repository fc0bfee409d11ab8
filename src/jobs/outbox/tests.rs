//! Every e-mail leaves once: whatever the mail server, the clock or another process does meanwhile.

mod clocks;
mod outcomes;
mod processes;
mod scene;
