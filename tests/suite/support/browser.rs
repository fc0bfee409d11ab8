//! A browser as the tests of Perennial itself use it: it registers and signs in by the pages, with one account.

use std::ops::{Deref, DerefMut};

use actix_web::body::MessageBody;
use actix_web::http::header::{CONTENT_TYPE, COOKIE, HeaderName, HeaderValue, USER_AGENT};
use actix_web::http::{Method, StatusCode};
use actix_web::test::TestRequest;
use actix_web::web::Bytes;
use futures_util::{StreamExt, stream};
use perennial::testing::{Answer, TestBrowser};

use super::app::TestApp;
use super::{EMAIL, NAME, PASSWORD};

/// How browsers send forms.
const FORM: &str = "application/x-www-form-urlencoded";

/// A browser with its cookie jar; a clone is a thief's copy of it.
#[derive(Clone)]
pub struct Browser(TestBrowser);

impl Deref for Browser {
    type Target = TestBrowser;

    fn deref(&self) -> &TestBrowser {
        &self.0
    }
}

impl DerefMut for Browser {
    fn deref_mut(&mut self) -> &mut TestBrowser {
        &mut self.0
    }
}

impl Browser {
    pub fn new(app: &TestApp) -> Self {
        Self(app.server().browser())
    }

    /// Sends what follows to another process.
    pub fn connect(&mut self, app: &TestApp) {
        self.0.connect(app.server());
    }

    /// Returns a copy, cookies and all, whose requests carry one more header, or another value of one.
    #[must_use]
    pub fn with_header(&self, name: &'static str, value: impl AsRef<[u8]>) -> Self {
        Self(self.0.with_header(name, value))
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

    /// Returns the name of the sign-in that the refresh cookie is of, which stands behind its signature.
    pub fn session(&self) -> String {
        self.cookie("keep_signed_in")[44..].split('.').next().unwrap().to_owned()
    }

    /// Puts the jar back to what it was in a copy: what happened since never reached this browser.
    pub fn restore(&self, copy: &Self) {
        self.0.restore(&copy.0);
    }

    /// Sends an empty body by itself, from no page: without `Origin` and `Sec-Fetch-Site`, and with some more headers.
    pub fn post_alone(&self, path: &str, headers: &[(&'static str, &str)]) -> impl Future<Output = Answer> {
        let mut request = TestRequest::with_uri(path)
            .method(Method::POST)
            .peer_addr(self.address)
            .insert_header((USER_AGENT, self.user_agent.as_bytes()));
        let cookies = self.cookie_header();
        if !cookies.is_empty() {
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
        let response = self.respond(self.request(&Method::GET, path)).await;
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
}
