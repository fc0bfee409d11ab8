//! A client of the API: a program that keeps two tokens and no cookie.

use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::body::to_bytes;
use actix_web::http::header::{HeaderName, HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use perennial::testing::Serve;
use serde_json::{Value, json};

use super::app::TestApp;
use super::{Answer, EMAIL, PASSWORD};

/// What every `type` of a problem begins with.
const PROBLEM: &str = "urn:perennial:problem:";

/// A program with its tokens; a clone is a copy that somebody took.
#[derive(Clone)]
pub struct ApiClient {
    serve: Serve,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub address: SocketAddr,
    pub access: String,
    pub refresh: String,
}

impl ApiClient {
    /// Has no token yet.
    pub fn new(app: &TestApp) -> Self {
        let (access, refresh) = (String::new(), String::new());
        Self { serve: app.serve(), headers: Vec::new(), address: "192.0.2.7:50000".parse().unwrap(), access, refresh }
    }

    /// Signs in to the account that [`Browser::register`](super::Browser::register) makes.
    pub async fn signed_in(app: &TestApp) -> Self {
        let mut client = Self::new(app);
        let answer = client.log_in(EMAIL, PASSWORD).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body());
        client
    }

    /// Sends what follows to another process.
    pub fn connect(&mut self, app: &TestApp) {
        self.serve = app.serve();
    }

    /// Returns a copy whose requests carry one more header.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let mut client = self.clone();
        client.headers.push((HeaderName::from_static(name), HeaderValue::from_bytes(value.as_ref()).unwrap()));
        client
    }

    /// Signs in, and keeps the tokens.
    pub async fn log_in(&mut self, email: &str, password: &str) -> Answer {
        let answer = self.post_json("/api/login", &json!({ "email": email, "password": password })).await;
        self.keep(&answer);
        answer
    }

    /// Exchanges the refresh token, and keeps what comes.
    pub async fn exchange(&mut self) -> Answer {
        let answer = self.with_token(Method::POST, "/api/refresh", &self.refresh).await;
        self.keep(&answer);
        answer
    }

    /// Takes the tokens of an answer.
    pub fn keep(&mut self, answer: &Answer) {
        if answer.status == StatusCode::OK {
            let tokens = read(answer);
            self.access = tokens["access_token"].as_str().unwrap().to_owned();
            if let Some(refresh) = tokens["refresh_token"].as_str() {
                self.refresh = refresh.to_owned();
            }
        }
    }

    /// Asks for something with the access token.
    pub async fn ask(&self, method: Method, path: &str) -> Answer {
        self.with_token(method, path, &self.access).await
    }

    /// Reads something with the access token.
    pub async fn get(&self, path: &str) -> Answer {
        self.ask(Method::GET, path).await
    }

    /// Asks for something with any token.
    pub async fn with_token(&self, method: Method, path: &str, token: &str) -> Answer {
        self.send(method, path, &[("authorization", &format!("Bearer {token}"))], "").await
    }

    /// Sends JSON, without a token.
    pub async fn post_json(&self, path: &str, body: &Value) -> Answer {
        self.send(Method::POST, path, &[("content-type", "application/json")], body.to_string()).await
    }

    /// Sends anything, and asserts of the answer what holds for all of them.
    pub async fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &str)],
        body: impl Into<Vec<u8>>,
    ) -> Answer {
        let mut request = TestRequest::with_uri(path).method(method.clone()).peer_addr(self.address);
        request = request.insert_header((USER_AGENT, "curl/8.5.0"));
        for (name, value) in headers {
            request = request.append_header((*name, *value));
        }
        for (name, value) in &self.headers {
            request = request.append_header((name.clone(), value.clone()));
        }
        let serve = Rc::clone(&self.serve);
        let response = serve(request.set_payload(body.into()), None).await;
        let (status, headers) = (response.status(), response.headers().clone());
        let bytes = to_bytes(response.into_body()).await.unwrap().to_vec();
        let answer = Answer { status, headers, bytes };
        if path == "/api" || path.starts_with("/api/") {
            assert_of_the_api(&answer, &format!("{method} {path}"));
        }
        answer
    }

    /// Tells whether the access token opens something.
    pub async fn is_signed_in(&self) -> bool {
        let answer = self.get("/api/protected").await;
        assert!(matches!(answer.status, StatusCode::OK | StatusCode::UNAUTHORIZED), "{}", answer.body());
        answer.status == StatusCode::OK
    }

    /// Returns the name of the sign-in that the refresh token is of.
    pub fn session(&self) -> String {
        self.refresh.split('.').next().unwrap().to_owned()
    }
}

/// Asserts what holds for every answer of the API.
fn assert_of_the_api(answer: &Answer, what: &str) {
    assert!(answer.cookies().is_empty(), "{what}: a cookie");
    assert_eq!(answer.header("cache-control"), "no-store", "{what}");
    let allows_origins = answer.headers.keys().any(|name| name.as_str().starts_with("access-control-"));
    assert!(!allows_origins, "{what}: CORS");
    assert!(!answer.status.is_redirection(), "{what}: {}", answer.status);
    if answer.status.is_client_error() || answer.status.is_server_error() {
        assert_eq!(answer.header("content-type"), "application/problem+json", "{what}");
        let problem = read(answer);
        assert_eq!(problem["status"], answer.status.as_u16(), "{what}");
        assert!(problem["title"].is_string(), "{what}: {problem}");
        let challenge = answer.header("www-authenticate");
        if answer.status == StatusCode::UNAUTHORIZED {
            assert!(challenge.starts_with("Bearer realm="), "{what}: {challenge}");
        }
        if matches!(answer.status.as_u16(), 403 | 429 | 503) {
            assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|seconds| seconds > 0), "{what}");
        }
    }
}

/// Reads an answer in JSON.
pub fn read(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.bytes).unwrap_or_else(|_| panic!("{} {}", answer.status, answer.body()))
}

/// Returns the last word of the `type` of a problem.
pub fn problem(answer: &Answer) -> String {
    let problem = read(answer);
    let named = problem["type"].as_str().unwrap();
    named.strip_prefix(PROBLEM).unwrap_or(named).to_owned()
}

/// Returns the status and the last word of the `type` of a problem.
pub fn refusal(answer: &Answer) -> (u16, String) {
    (answer.status.as_u16(), problem(answer))
}

/// Writes a refusal to compare another with.
pub fn refused(status: u16, problem: &str) -> (u16, String) {
    (status, problem.to_owned())
}
