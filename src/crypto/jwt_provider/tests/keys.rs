//! Keys and signatures that others made: the examples of the RFCs, and OpenSSL where they have none. Private keys and
//! SubjectPublicKeyInfos are DER in base64, all else is base64url.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, AlgorithmFamily, DecodingKey, EncodingKey};
use serde_json::{Value, json};

pub const ALGORITHMS: [Algorithm; 12] = [
    Algorithm::HS256,
    Algorithm::HS384,
    Algorithm::HS512,
    Algorithm::RS256,
    Algorithm::RS384,
    Algorithm::RS512,
    Algorithm::PS256,
    Algorithm::PS384,
    Algorithm::PS512,
    Algorithm::ES256,
    Algorithm::ES384,
    Algorithm::EdDSA,
];

pub fn der(base64: &str) -> Vec<u8> {
    STANDARD.decode(base64).unwrap()
}

pub fn bytes(base64url: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(base64url).unwrap()
}

pub fn jwk(value: Value) -> Jwk {
    serde_json::from_value(value).unwrap()
}

pub fn rsa_jwk() -> Value {
    json!({"kty": "RSA", "n": RSA_N, "e": "AQAB"})
}

pub fn p256_jwk() -> Value {
    json!({"kty": "EC", "crv": "P-256", "x": P256_X, "y": P256_Y})
}

pub fn ed25519_jwk() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": ED25519_X})
}

/// The key that signs with `algorithm`, and the other half in every form that is accepted.
pub fn pair(algorithm: Algorithm) -> (EncodingKey, Vec<DecodingKey>) {
    let (rsa, p256, p384, ed25519) = (der(RSA_SPKI), der(P256_SPKI), der(P384_SPKI), der(ED25519_SPKI));
    let from_jwk = |value| DecodingKey::from_jwk(&jwk(value)).unwrap();
    match algorithm.family() {
        AlgorithmFamily::Hmac => {
            let secret = bytes(SECRET);
            (
                EncodingKey::from_secret(&secret),
                vec![DecodingKey::from_secret(&secret), from_jwk(json!({"kty": "oct", "k": SECRET}))],
            )
        }
        AlgorithmFamily::Rsa => (
            EncodingKey::from_rsa_der(&der(RSA_PKCS1)),
            vec![
                // PKCS#1 is what an SPKI has after its first 24 bytes.
                DecodingKey::from_rsa_der(&rsa[24..]),
                DecodingKey::from_rsa_der(&rsa),
                DecodingKey::from_rsa_components(RSA_N, "AQAB").unwrap(),
                DecodingKey::from_rsa_raw_components(&[vec![0], bytes(RSA_N)].concat(), &[0, 1, 0, 1]),
                from_jwk(rsa_jwk()),
            ],
        ),
        AlgorithmFamily::Ec if algorithm == Algorithm::ES256 => (
            EncodingKey::from_ec_der(&der(P256_PKCS8)),
            vec![
                DecodingKey::from_ec_der(&p256[26..]),
                DecodingKey::from_ec_der(&p256),
                DecodingKey::from_ec_components(P256_X, P256_Y).unwrap(),
                from_jwk(p256_jwk()),
            ],
        ),
        AlgorithmFamily::Ec => (
            EncodingKey::from_ec_der(&der(P384_PKCS8)),
            vec![DecodingKey::from_ec_der(&p384[23..]), DecodingKey::from_ec_der(&p384)],
        ),
        AlgorithmFamily::Ed => (
            EncodingKey::from_ed_der(&der(ED25519_PKCS8)),
            vec![
                DecodingKey::from_ed_der(&ed25519[12..]),
                DecodingKey::from_ed_der(&ed25519),
                DecodingKey::from_ed_components(ED25519_X).unwrap(),
                from_jwk(ed25519_jwk()),
            ],
        ),
    }
}

/// The claims that the examples of RFC 7515 sign.
pub const JOE: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// What OpenSSL signed below.
pub const OPENSSL: &str = "eyJhbGciOiJQUzI1NiJ9.eyJzdWIiOiJqb2UifQ";

/// The secret of RFC 7515 appendix A.1.
pub const SECRET: &str = "\
    AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";

/// The signature of RFC 7515 appendix A.1.
pub const HS256: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

/// The RSA key of RFC 7515 appendix A.2, as PKCS#1.
pub const RSA_PKCS1: &str = "\
    MIIEowIBAAKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw+4qPCJrcS2mJPMEzP1Pt0Bm4d4Ql\
    L+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5z5rexMdbBYUsLA9e+KXBdQOS+UTo\
    7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NAco9/h9iaGNj8q2ethFkMLs91kzk2\
    PAcDTW9gb54h4FRWyuXpoQIDAQABAoIBABKucaRpzQorw35SbEUAVx8dYXUdZOlJcHtiWQ+dC6V8ljxAHj/PLyzTveyI5QO/xkObCyjIL303l2cf\
    UhPu2MFaJdjVzqACXuOrLot/eSFvxjvqVidTtAZExqFRJ9mylUVAoLvhowVWmC1On95fZCXxTUtxNEG1Xcc7m0rtzJKs45J+N/V9DP1edYH6USyP\
    SWGp6wuA+KgHRnKKVf9GRx80JQY7nVNkL17eHoTWEwga+lwi0FEoW9Y7lDtWXYmKBWhUE+U8PGxlJf8f40493HDw1WRQ/aSLoS4QTp3rn7gYgeHE\
    vfJdkkf0UMhlknlo53M09EFPdadQ4TlUbjqKc50CgYEA4BzEEOtIpmVdVEZNCqS7baC4crd0pqnRH/5IB3jw3bcxGn6QLvnEtfdUdiYrqBdss1l5\
    8BQ3KhooKeQTa9AB0Hw/Py5PJdTJNPY8cQn7ouZ2KKDcmnPGBY5t7yLc1QlQ5xHdwW1VhvKn+nXqhJTBgIPgtldC+KDV5z+y2XDwGUcCgYEAuQPE\
    fgmVtjL0Uyyx88GZFF1fOunH3+7cepKmtH4pxhtCoHqpWmT8YAmZxaewHgHAjLYsp1ZSe7zFYHj7C6ul7TjeLQeZD/YwD66t62wDmpe/HlB+TnBA\
    +njbglfIsRLtXlnDzQkv5dTltRJ11BKBBypeeF6689rjcJIDEz9RWdcCgYAHAp9XcCSrn8wVkMVkKdb7DOX4IKjzdahm+ctDAJN4O/y7OW5FKebv\
    UjdAIt2GuoTZ71iTG+7F0F+lP88jtjP4U4qe7VHoewl4MKOfXZKTe+YCS1XbNvfgwJ3Ltyl1OH9hWvu2yza7q+d5PCsDzqtm27kxuvULVeya+TEd\
    AB1ijQKBgQCH/3r6YrVH/uCWGy6bzV1nGNOdjKc9tmkfOJmN54dxdixdpozCQ6U4OxZrsj3FcOhHBsqAHvX2uuYjagqvo3cOj1TRqNocX40omfCC\
    Mx3bD1yPPf/6TI2XECva/ggqEY2mYzmIiA5LVVmc5nrybr+lssFKneeyxN2Wq93S0iJMdQKBgCGHewxzoa1r8ZMD0LETNrToK423K377UCYqXfg5\
    XMclbrjPbEC3YI1ZNqMtuhdBJqUnBi6tjKMF+34Xf0CUN8ncuXGO2CAYvO8PdyCixHX52ybaDjy1FtCE6yUXjoKNXKvUm7MWGsAYH6f4IegOetN5\
    NvmUMFStCSkh7ixZLkN1";

/// Its public half.
pub const RSA_SPKI: &str = "\
    MIIBIjANBgkqhkiG9w0BAQEFAAOCAQ8AMIIBCgKCAQEAofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd/wWJcyQoTbji9k0l8W26mPddxHmfHQp+Vaw\
    +4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL+yRT+SFd2lZS+pCgNMsD1W/YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb/7OMg0LOL+bSf63kpaSHSXndS5\
    z5rexMdbBYUsLA9e+KXBdQOS+UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6/I5IhlJH7aGhyxXFvUK+DWNmoudF8NA\
    co9/h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQIDAQAB";

/// Its modulus, as the RFC prints it; the exponent is `AQAB`.
pub const RSA_N: &str = "\
    ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-\
    pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-\
    UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-\
    DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ";

/// The signature of RFC 7515 appendix A.2.
pub const RS256: &str = "\
    cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-\
    0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--\
    f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-\
    eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw";

/// The P-256 key of RFC 7515 appendix A.3, as PKCS#8.
pub const P256_PKCS8: &str = "\
    MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgjpsQnnGQmL+YBIffH1136cspYG6+0iY7X1fCE9+E9LKhRANCAAR/zc4ncPbEXUGD\
    y+5v20t7WAczNXvp7xO6z248e9FURcfxRM0bvZt+hyzf7bnuufSzaV1uqQskrYpGIyiFiOWt";

/// Its public half.
pub const P256_SPKI: &str = "\
    MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEf83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEXH8UTNG72bfocs3+257rn0s2ldbqkLJK2K\
    RiMohYjlrQ==";

/// Its coordinates, as the RFC prints them.
pub const P256_X: &str = "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU";

/// Its coordinates, as the RFC prints them.
pub const P256_Y: &str = "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0";

/// The signature of RFC 7515 appendix A.3.
pub const ES256: &str = "\
    DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";

/// The same key as PKCS#8 without its public half, which RFC 5915 section 3 leaves optional.
pub const P256_WITHOUT_PUBLIC_KEY: &str = "\
    MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCCOmxCecZCYv5gEh98fXXfpyylgbr7SJjtfV8IT34T0sg==";

/// The Ed25519 key of RFC 8037 appendix A.1, as PKCS#8 version 1.
pub const ED25519_PKCS8: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

/// The same key as PKCS#8 version 2 (RFC 8410 section 10.3), which has the public half.
pub const ED25519_PKCS8_V2: &str = "\
    MFECAQEwBQYDK2VwBCIEIJ1hsZ3v/VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9ggSEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// Its public half.
pub const ED25519_SPKI: &str = "MCowBQYDK2VwAyEA11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=";

/// Its public half, as RFC 8037 appendix A.2 prints it.
pub const ED25519_X: &str = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";

/// The signature of RFC 8037 appendix A.4.
pub const EDDSA: &str = "\
    hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";

/// A P-384 key, as PKCS#8.
pub const P384_PKCS8: &str = "\
    MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDD9wQlAdcMWt8sQWXYLHfsh4UENys/jSbS6H3zZqog+8Et5ofGBEH60Lf1Bkc2avruh\
    ZANiAAQGioDDVLGOgQFXZ/KI9zxie2OR3He3LJhzEtgMOrCY1de4OdviwNwzoRIqR92+/SKA2g+LBX2AUwD1lWfl596ssKFWzikOrhQMCHiVLMeh\
    D3XJ9K2PuGU8OBSAunnEpkQ=";

/// Its public half.
pub const P384_SPKI: &str = "\
    MHYwEAYHKoZIzj0CAQYFK4EEACIDYgAEBoqAw1SxjoEBV2fyiPc8Yntjkdx3tyyYcxLYDDqwmNXXuDnb4sDcM6ESKkfdvv0igNoPiwV9gFMA9ZVn\
    5eferLChVs4pDq4UDAh4lSzHoQ91yfStj7hlPDgUgLp5xKZE";

/// OpenSSL's ES384 signature over `OPENSSL` by the P-384 key.
pub const ES384: &str = "\
    tbIyb5d8rnL1MgVbrsfe0kIejXRIORrUu4hxH3OQjxxqEWj9Ve99erXc2s56I7IcnA4M7lLET1iP-\
    rXak4bA97_LauJVEv7Bljy4gqJ0ZVk53tHJHHGOAzWb3T3iDtpm";

/// OpenSSL's PS256 signature over `OPENSSL` by the RSA key, with 32 bytes of salt (RFC 7518 section 3.5).
pub const PS256: &str = "\
    BXtNbiGp5tlAU9IjPs5nkmbnirbty0VMFv5D9JPyH30x9DajlNxmcs0wFLjUUaWPWnipDPz7d5dvqgMzWS7wBucUByqO3hO-4rN-6oCjBAZ7-4n-\
    XUdf5DjbfuXDI-k9fQP7rzWgktg_TM5CXaYDyRn6Q7mM6ARs_zH9yFClWIBdHGHFsBNf5ythRloyX-aa4FZJh45KHy-di6Vmo5_GKA48tLzucAG-\
    K2dKfI1X1YiWrv6HoYzTJbZqL-c8fsDNwydRNvqPWqmY2GHYBGlm_ASwzpEzYJQnwA9vIBpDXYl7p-\
    2jYgXTf0hp5b6vcCoHNEWO_qtPPSpCfuPZNXSwsQ";

/// The same with 20 bytes of salt, which is not PS256.
pub const PS256_SHORT_SALT: &str = "\
    BlIFowDyFPJ1sMayFeDlmVtqEY96D-\
    zXijvzgTJmnbzbdCb0FdiFl2MsQwf2zyn93e09kQUFqQKp85CRXBxSw59nwN4toXOrfpaXES7ZwMi7wzrlO3cTzv7b7kPtNf66DmaacNNRiKTd5W\
    UxU4Wsk2HiJo3-BIEazp7w0vHX-CVol60NPB6OUL9OMBkwD9mSF-2O0ZXoTdI5oyVGR82kIurWrdoJczmjRbmUGoCPMW-\
    glBRTzX_7P_sj0dixiecvuSxq8xbYTSdbWFYrff41CaDNsc3h1Iauu3djrpOT_42v_fiC0O1Sjg6Sisn6bavibs8rZSB5FQ236AVUEUA-gQ";

/// A public RSA key of 1,024 bits, as PKCS#1 in base64.
pub const RSA_1024: &str = "\
    MIGJAoGBAL0SPSFlLzNpZxP8qKlnpvn88tuy2np36cy/P4BreULXeBaemw4KxNOcQzL1SJHnY3clPj17JBDU4VlW7AvEnJCGJ3GNonTZMmvo+4d1\
    zS8mFgxIJZ8SSBr10Djn1aTQRV4Xy7o+Vs5zJYllGaqTxDp+OWZCAYq7PpkOkXx5sawDAgMBAAE=";

/// OpenSSL's RS256 signature over `OPENSSL` by the key of 1,024 bits.
pub const RS256_1024: &str = "\
    Axp8UYNR8bjXbP43NwyqdudvaDaKu6hnhd8vgPkV0Cfz4HKCbO3lCb7ffMv0RfVgJE0YO5I-E5IiK7b-\
    gS21hf7PDrQ_nnoEPSKSIw4JYrlO6rPz7FKYyYwx8XlGVmsHq7Z6U79_1bbirhaQtSDXQOYCQm60uVVKOhF9OYOPu_I";

/// The modulus of the example of RFC 7638 section 3.1.
pub const RFC7638_N: &str = "\
    0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknj\
    hMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-\
    65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-\
    bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw";
