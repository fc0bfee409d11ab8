//! Everything that needs a key or costs CPU: random bytes, the key ring, tokens, password hashes.

mod access_tokens;
mod form_tokens;
mod hs256;
mod key_file;
mod key_ring;
mod password_hasher;
mod password_pool;
mod random;
mod signed_values;

pub use access_tokens::{AccessTokens, IssueError, Refusal};
pub use form_tokens::{FormBinding, FormTokens, WrittenFormToken};
pub use key_file::{KeyFileError, KeyFileState, inspect_key_file, read_or_make_key_file};
pub use key_ring::KeyRing;
pub use password_hasher::{PasswordHasher, Verification};
pub use password_pool::{HashError, PasswordPool, Place};
pub use random::{RandomError, fresh_secret, random_bytes};
pub use signed_values::SignedValues;
