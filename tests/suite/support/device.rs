//! A device that holds a key and answers challenges, as a browser with device-bound sessions does by itself.

use std::cell::RefCell;

use actix_web::http::StatusCode;
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use serde_json::{Value, json};

use super::Answer;
use super::app::TestApp;
use super::browser::Browser;

/// What a browser is asked in the answer to a password.
#[derive(Debug, Clone)]
pub struct Asked {
    pub path: String,
    pub challenge: String,
    pub authorization: String,
}

impl Asked {
    /// Reads the answer to a password; nothing where it asks for no key.
    pub fn of(answer: &Answer) -> Option<Self> {
        let header = answer.headers.get("secure-session-registration")?.to_str().unwrap();
        let parameter = |name: &str| header.split(&format!("{name}=\"")).nth(1).unwrap().split('"').next().unwrap();
        assert!(header.starts_with("(ES256);"), "{header}");
        Some(Self {
            path: parameter("path").to_owned(),
            challenge: parameter("challenge").to_owned(),
            authorization: parameter("authorization").to_owned(),
        })
    }
}

/// A key that never leaves its device, and what its browser keeps beside it.
pub struct Device {
    key: EcdsaKeyPair,
    session: RefCell<String>,
    challenge: RefCell<Option<String>>,
}

impl Device {
    pub fn new() -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, &random).unwrap();
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_FIXED_SIGNING, pkcs8.as_ref(), &random).unwrap();
        Self { key, session: RefCell::default(), challenge: RefCell::default() }
    }

    /// Registers the first account, kept signed in, with the key of a device.
    pub async fn bound(app: &TestApp) -> (Browser, Self) {
        let (browser, device) = (app.browser(), Self::new());
        let answer = browser.register().await;
        assert_eq!(device.register(&browser, &answer).await.status, StatusCode::OK);
        (browser, device)
    }

    /// Does the same, and lets the device prove itself for the first time.
    pub async fn proved(app: &TestApp) -> (Browser, Self) {
        let (browser, device) = Self::bound(app).await;
        assert_eq!(device.renew(&browser).await.status, StatusCode::OK);
        (browser, device)
    }

    /// Signs a JWT.
    pub fn sign(&self, header: &Value, claims: &Value) -> String {
        let part = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let text = format!("{}.{}", part(header), part(claims));
        let signature = self.key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// Returns its public key.
    pub fn jwk(&self) -> Value {
        let (x, y) = self.key.public_key().as_ref()[1..].split_at(32);
        json!({ "kty": "EC", "crv": "P-256", "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y) })
    }

    /// Returns x and y of its public key.
    pub fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref()[1..].to_vec()
    }

    /// Writes the proof that registers its key.
    pub fn registration(&self, asked: &Asked) -> String {
        let header = json!({ "typ": "dbsc+jwt", "alg": "ES256", "jwk": self.jwk() });
        self.sign(&header, &json!({ "jti": asked.challenge, "authorization": asked.authorization }))
    }

    /// Writes a proof over a challenge.
    pub fn proof(&self, challenge: &str) -> String {
        self.sign(&json!({ "typ": "dbsc+jwt", "alg": "ES256" }), &json!({ "jti": challenge }))
    }

    /// Registers its key for the sign-in that an answer to a password began, and takes in what the browser keeps.
    pub async fn register(&self, browser: &Browser, answer: &Answer) -> Answer {
        let asked = Asked::of(answer).expect("the answer to the password asks for a key");
        let bound = browser.post_alone(&asked.path, &[("secure-session-response", &self.registration(&asked))]).await;
        if bound.status == StatusCode::OK {
            self.take_in(&bound);
        }
        bound
    }

    /// Renews as a browser does: with a proof over the challenge that it has, or over the one that it is given.
    pub async fn renew(&self, browser: &Browser) -> Answer {
        let mut last = None;
        for _ in 0..3 {
            let challenge = self.challenge.borrow().clone();
            let answer = match challenge {
                Some(challenge) => self.renew_with(browser, &self.proof(&challenge)).await,
                None => self.ask(browser).await,
            };
            if answer.status != StatusCode::FORBIDDEN {
                return answer;
            }
            last = Some(answer);
        }
        last.unwrap()
    }

    /// Asks for a challenge.
    pub async fn ask(&self, browser: &Browser) -> Answer {
        let session = self.session.borrow().clone();
        let answer =
            browser.post_alone("/session/renew", &[("sec-secure-session-id", &format!("\"{session}\""))]).await;
        self.take_challenge(&answer);
        answer
    }

    /// Renews with a proof that is made already.
    pub async fn renew_with(&self, browser: &Browser, proof: &str) -> Answer {
        let session = format!("\"{}\"", self.session.borrow());
        let headers = [("sec-secure-session-id", session.as_str()), ("secure-session-response", proof)];
        let answer = browser.post_alone("/session/renew", &headers).await;
        self.take_challenge(&answer);
        answer
    }

    /// Returns the challenge that it has.
    pub fn challenge(&self) -> String {
        self.challenge.borrow().clone().expect("a challenge")
    }

    /// Goes back to a challenge: what came since never arrived.
    pub fn set_challenge(&self, challenge: &str) {
        *self.challenge.borrow_mut() = Some(challenge.to_owned());
    }

    /// Returns the session as the browser names it.
    pub fn session(&self) -> String {
        self.session.borrow().clone()
    }

    fn take_in(&self, answer: &Answer) {
        let description: Value = serde_json::from_slice(&answer.bytes).unwrap();
        *self.session.borrow_mut() = description["session_identifier"].as_str().unwrap().to_owned();
        self.take_challenge(answer);
    }

    fn take_challenge(&self, answer: &Answer) {
        if let Some(challenge) = answer.headers.get("secure-session-challenge") {
            let header = challenge.to_str().unwrap();
            assert!(header.ends_with(&format!(";id=\"{}\"", self.session.borrow())), "{header}");
            *self.challenge.borrow_mut() = Some(header.split('"').nth(1).unwrap().to_owned());
        }
    }
}
