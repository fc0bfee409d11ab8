//! Random bytes, from the operating system alone.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::SecretString;

/// Says that the operating system gave no random bytes; nothing safe can be done without them.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes: {0}")]
pub struct RandomError(#[from] getrandom::Error);

/// Bytes of a secret that [`fresh_secret`] makes: half more than HS256 needs.
const FRESH_SECRET_BYTES: usize = 48;

/// Returns `N` random bytes.
///
/// # Errors
/// If the operating system has none to give.
pub fn random_bytes<const N: usize>() -> Result<[u8; N], RandomError> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)?;
    Ok(bytes)
}

/// Makes a secret fit for `JWT_SECRET_KEY`: 48 random bytes in 64 characters of base64url, so without a comma.
///
/// # Errors
/// If the operating system has no random bytes to give.
pub fn fresh_secret() -> Result<SecretString, RandomError> {
    Ok(SecretString::from(URL_SAFE_NO_PAD.encode(random_bytes::<FRESH_SECRET_BYTES>()?)))
}
