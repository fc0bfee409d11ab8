//! Everything that needs a key or costs CPU: random bytes, the key ring, tokens, password hashes.

mod access_tokens;
mod api_refresh_tokens;
mod device_proofs;
mod first_account;
mod first_secrets;
mod form_tokens;
mod jwt_provider;
mod key_file;
mod key_ring;
mod key_rotation;
mod key_state;
mod password_hasher;
mod password_pool;
mod plain_bcrypt;
mod random;
mod sealed_forms;
mod signed_values;

pub use access_tokens::{AccessTokens, IssueError, Refusal as AccessTokenRefusal};
pub use api_refresh_tokens::ApiRefreshTokens;
pub use device_proofs::{Challenge, DeviceProofs, InvalidProof, UnverifiedProof};
pub use first_account::FirstAccountTokens;
pub use first_secrets::FirstSecrets;
pub use form_tokens::{FormBinding, FormTokens, WrittenFormToken};
pub use key_file::{KeyFileError, KeyFileState, inspect_key_file, read_or_make_key_file};
pub use key_ring::KeyRing;
pub use key_rotation::{RotatedKeys, rotate_key_file};
pub use key_state::{KeyState, NoSigningKey};
pub use password_hasher::{PasswordHasher, Verification};
pub use password_pool::{HashError, PasswordPool};
pub use plain_bcrypt::{NoPlainBcrypt, PlainBcrypt};
pub use random::{RandomError, fresh_secret, random_bytes};
pub use sealed_forms::{FormSeal, SealError};
pub use signed_values::SignedValues;
