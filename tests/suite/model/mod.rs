//! The promise, explored: never signed out by accident, never kept in by theft.
//!
//! The table tests beside `decide` show what it answers; this shows that its answers, carried out as the server carries
//! them out, keep the promise whatever happens around them. The model has one sign-in, a browser with several tabs and
//! several cookies, a network that delays, reorders, repeats and loses requests and answers, crashes that bring the jar
//! of half a minute ago back, processes that read, decide and swap in any interleaving, of which some sleep, have a wrong
//! clock or run the version before, a database that is put back, a thief, revocations, and time.
//!
//! The decision and the row that it leads to always come from the shipped
//! [`decide`](perennial::domain::rotation::decide) and [`Transition`](perennial::domain::rotation::Transition); the
//! model holds no copy of either. What `version1` holds is the protocol of the version before, which the program itself
//! no longer knows.
//!
//! # What is shown, and to which bound
//!
//! `exhaustive` visits *every* reachable state of each setting, with no bound on the length of a run: states that differ
//! only in what nothing turns on are one (`canonical`; `sameness` compares them with those they stand for), so there are
//! finitely many. An honest browser sends requests at any time, with no access token to spare it one; its messages take
//! one grace at most; and no more than seven renewals in a row are lost.
//!
//! | setting | requests at once | states |
//! | --- | --- | --- |
//! | several tabs, crashes; a page takes longer than the window | 3 | 7,536 |
//! | every limit at once: clocks a third of a grace apart, unnoticed sleeps of half a grace | 2 | 12,865 |
//! | seven renewals lost in a row, answers that come twice | 2 | 2,075 |
//! | an old cookie beside the current one, and a database that is put back | 2 | 31,302 |
//! | one of two processes sleeps; both do, with one request | 2; 1 | 23,932; 25,416 |
//! | a clock is set wrong by a day or ten years; one of two clocks | 2 | 92,195; 30,901 |
//! | revoked, idle, expired | 2 | 43,907 |
//! | both versions on one database | 2 | 10,490 |
//! | old cookies, a restore, a process that sleeps, wrong clocks and late messages at once | 1 | 569,203 |
//! | owner and thief: each presents anything it ever held, and dead tokens besides; revoked | 2 and 1 | 59,762 |
//! | the same, and the database is put back; a process sleeps; both versions | 1 and 1 | 165,449; 66,280; 118,941 |
//! | owner and a busier thief | 2 and 2 | 224,481 |
//!
//! Owner and thief are freer than browsers: a late, repeated or lost request is one that is made later, again or not
//! at all, and a crash is a return to an older token, so nothing a network or a crash does is left out.
//!
//! `stay` lets an owner visit every twenty minutes at least, and store what comes, beside a thief who knows when, and
//! finds the longest way: nine requests of the owner that ask for something new, five and a half hours with access
//! tokens of a quarter of an hour and pages that take up to a minute.
//!
//! `walks` goes long random ways with the lifetimes that the program starts with, and everything that can happen at once;
//! `on_disk` does so on the real store. `MODEL_WALKS` says how many, and `MODEL_SEED` repeats one; a failure prints its
//! seed. `MODEL_TABS` says how many requests are under way at once in the settings above, where that is 2.
//!
//! `mutants` breaks the protocol in two dozen ways and shows which property notices.
//!
//! # Its words, and their limits
//!
//! `limits` shows what does *not* hold, by a shortest counterexample each:
//!
//! * Property 1 excludes messages that are under way for longer than the grace, eight renewals in a row that are lost or
//!   forgotten, a process that sleeps for longer than half a grace without knowing it, one that goes on beside others
//!   with a wrong clock, and a database that is put back under processes that run.
//! * Beside version 1, it also takes it that an access token outlives what a crash forgets, half a minute, and a thief
//!   may stay: reissues are not counted there.
//! * Property 2 counts rotations in line: a rotation by what the last one gave. A party that never keeps what it is
//!   given may present the predecessor again.
//! * Property 4 is about what is used: the active secret and its predecessor are both good until one of them is used.
//!
//! One thing is outside the model: there is one sign-in, so an answer of an earlier sign-in that arrives after the next
//! one began, and overwrites its cookies, is not looked at.

mod bound;
mod bound_mutants;
mod canonical;
mod exhaustive;
mod explorer;
mod limits;
mod mutants;
mod on_disk;
mod property;
mod protocol;
mod random;
mod sameness;
mod server;
mod settings;
mod stay;
mod steps;
mod version1;
mod walks;
mod words;
mod world;
