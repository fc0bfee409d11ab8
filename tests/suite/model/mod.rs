//! The promise, explored: never signed out by accident, never kept in by theft.
//!
//! `tests` beside `decide` show what it answers; this shows that its answers, carried out as the server carries them
//! out, keep the promise whatever happens around them. The model has one sign-in, a browser with several tabs that
//! share a jar, a network that delays, reorders, repeats and loses requests and answers, crashes that bring the jar of
//! half a minute ago back, nodes that read, decide and swap in any interleaving, a thief, revocations, and time. The
//! decision is always made by the real [`perennial::domain::rotation::decide`].
//!
//! # What is shown, and to which bound
//!
//! [`exhaustive`] visits *every* reachable state of three settings, with no bound on the length of a run: states that
//! differ only in what nothing turns on are one ([`world::World::canonical`]), so there are finitely many.
//!
//! | setting | bound | properties |
//! | --- | --- | --- |
//! | an honest browser | three requests under way at once; time in steps of half a grace; a page takes up to twice the grace; the access token lives for two and a half graces | 1, 4 |
//! | the same with an end | two requests; a page takes up to one grace; revocation at any moment, idle and expired after some graces | 1, 3, 4 |
//! | owner and thief | two requests of the owner and one of the thief; each presents anything it ever held, and dead tokens besides; revocation at any moment | 2, 3, 4 |
//!
//! These are 52,167, 43,890 and 63,702 states; the tests print them.
//!
//! Owner and thief are freer than browsers: a late, repeated or lost request is one that is made later, again or not
//! at all, and a crash is a return to an older token, so nothing a network or a crash does is left out. Wider bounds
//! (four tabs; two requests of the thief) run with `cargo test --test suite model -- --ignored`.
//!
//! [`walks`] then goes long random ways with the lifetimes that the program starts with, on the real store: one SQLite
//! file, two `Database` handles. `MODEL_WALKS` says how many (a failure prints its seed).
//!
//! [`mutants`] breaks the protocol in six ways and shows which property notices.
//!
//! # Its words, and their limits
//!
//! [`limits`] shows what does *not* hold, by a shortest counterexample each:
//!
//! * Property 1 excludes every message that was sent before a rotation's answer was stored and arrives when the grace
//!   of that rotation is over: an answer that is under way for longer than the grace, and also a *request*. Each kills,
//!   or brings back, a branch of which the browser holds the wrong end.
//! * Property 1 also takes it that an access token outlives what a crash forgets, half a minute.
//! * Property 2 counts rotations in line: a rotation by what the last one gave. A party that never keeps what it is
//!   given may present the predecessor again and again.
//! * Property 4 is about what is used: the active secret and its predecessor are both good until one of them is used.
//!
//! One thing is outside the model: there is one sign-in, so an answer of an earlier sign-in that arrives after the next
//! one began, and overwrites its cookies, is not looked at.

mod exhaustive;
mod explorer;
mod limits;
mod mutants;
mod property;
mod protocol;
mod random;
mod settings;
mod steps;
mod walks;
mod world;
