//! A browser, or whoever pretends to be one.

use std::cell::RefCell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;

use actix_web::body::{MessageBody, to_bytes};
use actix_web::http::header::{
    ACCEPT, CONTENT_TYPE, COOKIE, HeaderMap, HeaderName, HeaderValue, LOCATION, ORIGIN, USER_AGENT,
};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};
use perennial::domain::clock::{Clock, ManualClock};

use super::app::{BoxedPayloadStream, Serve, TestApp};
use super::jar::{Jar, SetCookie};
use super::{EMAIL, NAME, PASSWORD};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// How browsers send forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// What Firefox on Linux says it is.
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// What came back.
#[derive(Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub bytes: Vec<u8>,
}

impl Answer {
    /// Returns the page.
    pub fn body(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }

    /// Tells whether the page says `text`.
    pub fn says(&self, text: &str) -> bool {
        self.body().contains(text)
    }

    /// Returns a header, empty where it is missing.
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    /// Returns it without the name of its request, which alone tells apart what a visitor must not be able to.
    pub fn without_name(&self) -> Self {
        let mut headers = self.headers.clone();
        headers.remove("x-request-id");
        let name = self.header("x-request-id");
        assert_eq!(name.len(), 16, "{headers:?}");
        Self { status: self.status, headers, bytes: self.body().replace(name, "").into_bytes() }
    }

    /// Returns where a redirect leads.
    pub fn location(&self) -> &str {
        self.header(LOCATION.as_str())
    }

    /// Returns what the answer does to the cookie jar.
    pub fn cookies(&self) -> Vec<SetCookie> {
        SetCookie::all(&self.headers)
    }

    /// Returns the names of the cookies that it sets.
    pub fn set(&self) -> Vec<String> {
        self.cookies().into_iter().filter(|cookie| !cookie.deletes()).map(|cookie| cookie.name).collect()
    }

    /// Returns the names of the cookies that it takes away.
    pub fn cleared(&self) -> Vec<String> {
        self.cookies().into_iter().filter(SetCookie::deletes).map(|cookie| cookie.name).collect()
    }
}

/// Finds the token of the form that goes to `action`; empty where the page has none.
pub fn form_token(page: &str, action: &str) -> String {
    let form = page.split_once(&format!("action=\"{action}\"")).map_or("", |(_, form)| form);
    let token = form.split_once("name=\"form_token\" value=\"").map_or("", |(_, token)| token);
    token.split('"').next().unwrap_or_default().to_owned()
}

/// A browser with its cookie jar; a clone is a thief's copy of it.
#[derive(Clone)]
pub struct Browser {
    serve: Serve,
    clock: Arc<ManualClock>,
    origin: String,
    jar: RefCell<Jar>,
    headers: Vec<(HeaderName, HeaderValue)>,
    pub user_agent: String,
    pub address: SocketAddr,
}

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self {
            serve: app.serve(),
            clock: Arc::clone(&app.clock),
            origin: app.origin().to_owned(),
            jar: RefCell::default(),
            headers: Vec::new(),
            user_agent: FIREFOX.to_owned(),
            address: "192.0.2.1:40000".parse().unwrap(),
        }
    }

    /// Sends what follows to another process.
    pub fn connect(&mut self, app: &TestApp) {
        self.serve = app.serve();
    }

    /// Returns a copy, cookies and all, whose requests carry one more header, or another value of one.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        let mut browser = self.clone();
        let value = HeaderValue::from_bytes(value.as_ref()).unwrap();
        browser.headers.push((HeaderName::from_static(name), value));
        browser
    }

    /// Opens a page.
    pub fn get(&self, path: &str) -> impl Future<Output = Answer> {
        self.send(Method::GET, path, None)
    }

    /// Asks for something by any method, without a body.
    pub fn ask(&self, method: Method, path: &str) -> impl Future<Output = Answer> {
        self.send(method, path, None)
    }

    /// Sends fields as they are.
    pub fn post(&self, path: &str, fields: &[(&str, &str)]) -> impl Future<Output = Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        self.post_body(path, FORM, body)
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

    /// Opens the page at `page` and returns the token of its form that goes to `action`.
    pub async fn token(&self, page: &str, action: &str) -> String {
        form_token(&self.get(page).await.body(), action)
    }

    /// Makes the first account of a public site by the link that its start prints, kept signed in.
    pub async fn register_by_link(&self, page: &str) -> Answer {
        let first = page.split_once("first=").unwrap().1;
        let fields = [("full_name", NAME), ("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
        let fields = [&fields[..], &[("first", first)]].concat();
        self.expect_signed_in(self.submit(page, "/register", &fields).await)
    }

    /// Makes an account, kept signed in.
    pub async fn register(&self) -> Answer {
        let fields = [("full_name", NAME), ("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
        self.expect_signed_in(self.submit("/register", "/register", &fields).await)
    }

    /// Signs in, kept.
    pub async fn sign_in(&self) -> Answer {
        let fields = [("email", EMAIL), ("password", PASSWORD), ("keep_signed_in", "on")];
        self.expect_signed_in(self.submit("/login", "/login", &fields).await)
    }

    /// Signs in until the browser closes.
    pub async fn sign_in_for_this_session(&self) -> Answer {
        let fields = [("email", EMAIL), ("password", PASSWORD)];
        self.expect_signed_in(self.submit("/login", "/login", &fields).await)
    }

    /// Signs out.
    pub async fn sign_out(&self) -> Answer {
        let answer = self.submit("/dashboard", "/logout", &[]).await;
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/login"));
        answer
    }

    fn expect_signed_in(&self, answer: Answer) -> Answer {
        assert_eq!((answer.status, answer.location()), (StatusCode::SEE_OTHER, "/dashboard"), "{}", answer.body());
        answer
    }

    /// Tells whether the dashboard opens; otherwise it leads to the sign-in page.
    pub async fn is_signed_in(&self) -> bool {
        let answer = self.get("/dashboard").await;
        if answer.status == StatusCode::SEE_OTHER {
            assert_eq!(answer.location(), "/login?next=%2Fdashboard");
            return false;
        }
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.body());
        true
    }

    /// Returns a cookie's value; it must be there.
    pub fn cookie(&self, name: &str) -> String {
        self.jar.borrow().get(name).unwrap_or_else(|| panic!("the jar holds no {name}"))
    }

    /// Returns the name of the sign-in that the refresh cookie is of, which stands behind its signature.
    pub fn session(&self) -> String {
        self.cookie("keep_signed_in")[44..].split('.').next().unwrap().to_owned()
    }

    /// Tells whether the jar holds a cookie.
    pub fn holds(&self, name: &str) -> bool {
        self.jar.borrow().get(name).is_some()
    }

    /// Returns the names and values of a `Cookie` header, as this browser would send it.
    pub fn cookie_header(&self) -> String {
        self.jar.borrow().header(self.clock.now()).unwrap_or_default()
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

    /// Sends an empty body by itself, from no page: without `Origin` and `Sec-Fetch-Site`, and with some more headers.
    pub fn post_alone(&self, path: &str, headers: &[(&'static str, &str)]) -> impl Future<Output = Answer> {
        let mut request = TestRequest::with_uri(path)
            .method(Method::POST)
            .peer_addr(self.address)
            .insert_header((USER_AGENT, self.user_agent.as_bytes()));
        if let Some(cookies) = self.jar.borrow().header(self.clock.now()) {
            request = request.insert_header((COOKIE, cookies));
        }
        for (name, value) in headers {
            request = request.insert_header((HeaderName::from_static(name), HeaderValue::from_str(value).unwrap()));
        }
        self.exchange(request, None)
    }

    /// Sends a form of which four bytes arrive at once, and the rest only after `meanwhile`: by then the server has found
    /// out who sent it, and waits.
    pub fn post_while(
        &self,
        path: &str,
        fields: &[(&str, &str)],
        meanwhile: impl Future<Output = ()> + 'static,
    ) -> impl Future<Output = Answer> {
        let body = form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let mut first = Bytes::from(body);
        let rest = first.split_off(4);
        let arrived = stream::once(async { Ok(first) });
        let outstanding = stream::once(async move {
            meanwhile.await;
            Ok(rest)
        });
        let request = self.request(&Method::POST, path).insert_header((CONTENT_TYPE, FORM));
        self.exchange(request, Some(Box::pin(arrived.chain(outstanding))))
    }

    /// Opens a page, and does something once the first part of it has come; returns how many lines came in all, and
    /// whether that was the end of it or it broke off.
    pub async fn read_while(&self, path: &str, meanwhile: impl FnOnce()) -> (i64, bool) {
        let response = (self.serve)(self.request(&Method::GET, path), None).await;
        let mut body = std::pin::pin!(response.into_body());
        let (mut lines, mut meanwhile) = (0, Some(meanwhile));
        loop {
            match std::future::poll_fn(|context| body.as_mut().poll_next(context)).await {
                None => return (lines, true),
                Some(Err(_)) => return (lines, false),
                Some(Ok(part)) => lines += part.iter().filter(|byte| **byte == b'\n').count() as i64,
            }
            if let Some(meanwhile) = meanwhile.take() {
                meanwhile();
            }
        }
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
    fn request(&self, method: &Method, path: &str) -> TestRequest {
        let mut request = TestRequest::with_uri(path)
            .method(method.clone())
            .peer_addr(self.address)
            .insert_header((USER_AGENT, self.user_agent.as_bytes()))
            .insert_header((ACCEPT, "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"))
            .insert_header((SEC_FETCH_SITE, "same-origin"));
        if let Some(cookies) = self.jar.borrow().header(self.clock.now()) {
            request = request.insert_header((COOKIE, cookies));
        }
        if *method == Method::POST {
            request = request.insert_header((ORIGIN, self.origin.as_str()));
        }
        for (name, value) in &self.headers {
            request = request.insert_header((name.clone(), value.clone()));
        }
        request
    }

    fn exchange(&self, request: TestRequest, body: Option<BoxedPayloadStream>) -> impl Future<Output = Answer> {
        let serve = Rc::clone(&self.serve);
        async move {
            let response = serve(request, body).await;
            let (status, headers) = (response.status(), response.headers().clone());
            self.jar.borrow_mut().take_in(&SetCookie::all(&headers), self.clock.now());
            let bytes = to_bytes(response.into_body()).await.unwrap().to_vec();
            Answer { status, headers, bytes }
        }
    }
}
