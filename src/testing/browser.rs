//! A browser, or whoever pretends to be one.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;

use actix_web::body::to_bytes;
use actix_web::dev::ServiceResponse;
use actix_web::http::Method;
use actix_web::http::header::{
    ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, USER_AGENT,
};
use actix_web::test::TestRequest;
use actix_web::web::Data;
use serde::Serialize;
use time::Duration;

use super::accounts;
use super::answer::{Answer, form_token};
use super::jar::{Jar, SetCookie};
use super::server::{BoxedPayloadStream, Serve, TestServer};
use crate::domain::user::Role;
use crate::web::Site;

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

const SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");

/// How browsers send forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// What stands between the parts of a form with a file (RFC 7578); no test is about a file that contains it.
const BOUNDARY: &str = "----perennial-test-boundary";

const DISPOSITION: &str = "Content-Disposition: form-data";

/// What Firefox on Linux says it is.
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// Redirects that are followed in a row, as many as browsers follow (WHATWG Fetch, "HTTP-redirect fetch").
const MOST_REDIRECTS: usize = 20;

/// A browser with its cookie jar; a clone is a thief's copy of it.
///
/// It sends what a browser sends with a navigation: its cookies, `Accept`, `Sec-Fetch-Site`, and with a form its `Origin`.
/// A redirect is an [`Answer`] like any other; [`follow`](Self::follow) goes on from there.
#[derive(Clone)]
pub struct TestBrowser {
    serve: Serve,
    site: Data<Site>,
    jar: RefCell<Jar>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// How it names itself.
    pub user_agent: String,
    /// Where its connections come from.
    pub address: SocketAddr,
}

impl TestServer {
    /// Opens a browser with an empty cookie jar.
    pub fn browser(&self) -> TestBrowser {
        TestBrowser {
            serve: self.serve(),
            site: self.site().clone(),
            jar: RefCell::default(),
            headers: Vec::new(),
            user_agent: FIREFOX.to_owned(),
            address: SocketAddr::from(([192, 0, 2, 1], 40_000)),
        }
    }

    /// Opens a browser and signs in; see [`TestBrowser::sign_in_as`].
    pub async fn sign_in_as(&self, email: &str) -> TestBrowser {
        let browser = self.browser();
        browser.sign_in_as(email).await;
        browser
    }
}

impl TestBrowser {
    /// Signs in to the account with an address, kept, without a password; one that is not there yet is made.
    ///
    /// It costs no password hash. What it does is what the sign-in page does otherwise: a session is recorded, with its
    /// event, and the jar gets its cookies. An account that is made has the role `user`, and the part of the address before
    /// the `@` for a name.
    ///
    /// # Panics
    /// If the address is none, the account is deactivated, or the database has no answer.
    pub async fn sign_in_as(&self, email: &str) {
        self.sign_in_with(email, None, Duration::ZERO).await;
    }

    /// Does the same, and gives the account a role.
    ///
    /// # Panics
    /// As [`sign_in_as`](Self::sign_in_as), and if the role is none.
    pub async fn sign_in_as_role(&self, email: &str, role: &str) {
        self.sign_in_with(email, Some(role.parse().unwrap()), Duration::ZERO).await;
    }

    /// Does the same, as if the password had been entered some time ago; a [`RecentUser`](crate::RecentUser) asks for it
    /// again after ten minutes.
    ///
    /// # Panics
    /// As [`sign_in_as`](Self::sign_in_as).
    pub async fn sign_in_as_since(&self, email: &str, ago: Duration) {
        self.sign_in_with(email, None, ago).await;
    }

    async fn sign_in_with(&self, email: &str, role: Option<Role>, ago: Duration) {
        let sessions = &self.site.sessions;
        let tokens = accounts::sign_in(sessions, email, role, ago, &self.user_agent, self.address).await;
        let mut headers = HeaderMap::new();
        self.site.jar.set_tokens(&mut headers, &tokens);
        self.take_in(&headers);
    }

    /// Sends what follows to another process.
    pub fn connect(&mut self, server: &TestServer) {
        self.serve = server.serve();
        self.site = server.site().clone();
    }

    /// Returns a copy, cookies and all, whose requests carry one more header, or another value of one.
    ///
    /// # Panics
    /// If the header cannot be sent.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let mut browser = self.clone();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        browser.headers.push((HeaderName::from_static(name), value));
        browser
    }

    /// Asks for a page.
    pub fn get(&self, path: &str) -> impl Future<Output = Answer> {
        self.send(Method::GET, path, None)
    }

    /// Asks for a page and follows its redirects, as somebody does who opens a link.
    ///
    /// # Panics
    /// If there is no end to them.
    pub async fn open(&self, path: &str) -> Answer {
        self.follow(self.get(path).await).await
    }

    /// Follows the redirects of an answer, if it is one.
    ///
    /// # Panics
    /// If there is no end to them.
    pub async fn follow(&self, mut answer: Answer) -> Answer {
        for _ in 0..MOST_REDIRECTS {
            if !answer.status.is_redirection() || !answer.headers.contains_key(LOCATION) {
                return answer;
            }
            let location = answer.location().to_owned();
            let path = location.strip_prefix(self.site.public_url.as_str()).unwrap_or(&location);
            answer = self.get(path).await;
        }
        panic!("redirected without an end, at last to {}", answer.location());
    }

    /// Asks for something by any method, without a body.
    pub fn ask(&self, method: Method, path: &str) -> impl Future<Output = Answer> {
        self.send(method, path, None)
    }

    /// Asks for something as a script of a page does by `fetch`.
    pub async fn fetch(&self, method: Method, path: &str) -> Answer {
        let script = self.with_header("sec-fetch-mode", "cors").with_header("accept", "*/*");
        let answer = script.ask(method, path).await;
        self.restore(&script);
        answer
    }

    /// Sends fields as they are.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> impl Future<Output = Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post_body(path, FORM, body)
    }

    /// Sends a value as JSON, with the token of a form in the header `X-Form-Token`, as a script of a page does.
    ///
    /// # Panics
    /// If it cannot be written.
    pub async fn post_json(&self, path: &str, token: &str, value: &impl Serialize) -> Answer {
        let script = self.with_header("sec-fetch-mode", "cors").with_header("x-form-token", token);
        let answer = script.post_body(path, "application/json", serde_json::to_vec(value).unwrap()).await;
        self.restore(&script);
        answer
    }

    /// Sends a body as it is.
    pub fn post_body(&self, path: &str, kind: &str, body: impl Into<Vec<u8>>) -> impl Future<Output = Answer> {
        self.send(Method::POST, path, Some((kind.to_owned(), body.into())))
    }

    /// Opens the page at `page` and sends its form that goes to `action`, with `fields` filled in.
    pub async fn submit(&self, page: &str, action: &str, fields: &[(&str, &str)]) -> Answer {
        let token = self.token(page, action).await;
        let mut fields = fields.to_vec();
        fields.push(("form_token", &token));
        self.post(action, &fields).await
    }

    /// Opens the page at `page` and sends its form that goes to `action` with a file, in parts: a form that has
    /// `enctype="multipart/form-data"`. The file is the name of its field, its own name, and what is in it.
    pub async fn upload(
        &self,
        page: &str,
        action: &str,
        fields: &[(&str, &str)],
        (field, name, bytes): (&str, &str, &[u8]),
    ) -> Answer {
        let token = self.token(page, action).await;
        let mut body = Vec::new();
        for (name, value) in fields.iter().chain([&("form_token", token.as_str())]) {
            body.extend(format!("--{BOUNDARY}\r\n{DISPOSITION}; name=\"{name}\"\r\n\r\n{value}\r\n").bytes());
        }
        let file = format!("--{BOUNDARY}\r\n{DISPOSITION}; name=\"{field}\"; filename=\"{name}\"\r\n");
        body.extend(file.bytes().chain(*b"Content-Type: application/octet-stream\r\n\r\n"));
        body.extend(bytes.iter().copied().chain(format!("\r\n--{BOUNDARY}--\r\n").bytes()));
        self.post_body(action, &format!("multipart/form-data; boundary={BOUNDARY}"), body).await
    }

    /// Opens the page at `page` and returns the token of its form that goes to `action`; empty where it has none.
    pub async fn token(&self, page: &str, action: &str) -> String {
        form_token(&self.get(page).await.body(), action)
    }

    /// Returns a cookie's value; it must be there.
    ///
    /// # Panics
    /// If it is not.
    pub fn cookie(&self, name: &str) -> String {
        self.jar.borrow().get(name).unwrap_or_else(|| panic!("the jar holds no {name}"))
    }

    /// Tells whether the jar holds a cookie.
    pub fn holds(&self, name: &str) -> bool {
        self.jar.borrow().get(name).is_some()
    }

    /// Returns the names and values of a `Cookie` header, as this browser would send it.
    pub fn cookie_header(&self) -> String {
        self.jar.borrow().header(self.site.sessions.now()).unwrap_or_default()
    }

    /// Puts a cookie into the jar.
    pub fn put(&self, name: &str, value: &str) {
        self.jar.borrow_mut().put(name, value);
    }

    /// Takes a cookie out of the jar.
    pub fn forget(&self, name: &str) {
        self.jar.borrow_mut().remove(name);
    }

    /// Closes the browser and opens it again.
    pub fn close(&self) {
        self.jar.borrow_mut().close();
    }

    /// Puts the jar back to what it was in a copy: what happened since never reached this browser.
    pub fn restore(&self, copy: &Self) {
        *self.jar.borrow_mut() = copy.jar.borrow().clone();
    }

    /// Sends a request with the cookies that are in the jar at this moment, and takes in those of the answer.
    fn send(&self, method: Method, path: &str, body: Option<(String, Vec<u8>)>) -> impl Future<Output = Answer> {
        let mut request = self.request(&method, path);
        if let Some((kind, body)) = body {
            request = request.insert_header((CONTENT_TYPE, kind)).set_payload(body);
        }
        self.exchange(request, None)
    }

    /// Writes the head of a request, with the cookies that are in the jar at this moment.
    pub fn request(&self, method: &Method, path: &str) -> TestRequest {
        let mut request = TestRequest::with_uri(path)
            .method(method.clone())
            .peer_addr(self.address)
            .insert_header((USER_AGENT, self.user_agent.as_bytes()))
            .insert_header((ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"))
            .insert_header((SEC_FETCH_SITE, "same-origin"))
            .insert_header((SEC_FETCH_MODE, "navigate"));
        if let Some(cookies) = self.jar.borrow().header(self.site.sessions.now()) {
            request = request.insert_header((COOKIE, cookies));
        }
        if *method == Method::POST {
            request = request.insert_header((ORIGIN, self.site.origin.clone()));
        }
        for (name, value) in &self.headers {
            request = request.insert_header((name.clone(), value.clone()));
        }
        request
    }

    /// Sends a request as it is, its body bit by bit where there is one beside it, and takes in the cookies of the answer.
    ///
    /// # Panics
    /// If the body of the answer breaks off.
    pub fn exchange(&self, request: TestRequest, body: Option<BoxedPayloadStream>) -> impl Future<Output = Answer> {
        let serve = Rc::clone(&self.serve);
        async move {
            let response = serve(request, body).await;
            let (status, headers) = (response.status(), response.headers().clone());
            self.take_in(&headers);
            let bytes = to_bytes(response.into_body()).await.unwrap().to_vec();
            Answer { status, headers, bytes }
        }
    }

    /// Asks for something by any method, and returns the answer without its body, which may have no end.
    pub(super) async fn ask_for_head(&self, method: Method, path: &str) -> Answer {
        let response = self.respond(self.request(&method, path)).await;
        let (status, headers) = (response.status(), response.headers().clone());
        self.take_in(&headers);
        Answer { status, headers, bytes: Vec::new() }
    }

    /// Sends a request as it is, and returns the answer before its body is read; its cookies are not taken in.
    pub fn respond(&self, request: TestRequest) -> impl Future<Output = ServiceResponse> + use<> {
        (self.serve)(request, None)
    }

    fn take_in(&self, headers: &HeaderMap) {
        self.jar.borrow_mut().take_in(&SetCookie::all(headers), self.site.sessions.now());
    }
}

impl std::fmt::Debug for TestBrowser {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestBrowser")
    }
}
