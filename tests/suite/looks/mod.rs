//! How pages look: each in every state it can be in, held against what accessibility and HTML ask for.

mod accessibility;
mod administration;
mod gallery;
mod markup;
mod signed_in;
mod signed_out;
