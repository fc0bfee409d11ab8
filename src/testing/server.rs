//! An application on the Actix test harness.

use std::pin::Pin;
use std::rc::Rc;

use actix_http::Request;
use actix_service::IntoServiceFactory;
use actix_web::Error;
use actix_web::body::MessageBody;
use actix_web::dev::{AppConfig, Payload, ServiceFactory, ServiceResponse};
use actix_web::error::PayloadError;
use actix_web::test::{TestRequest, init_service, try_call_service};
use actix_web::web::{Bytes, Data};
use futures_util::Stream;
use futures_util::future::LocalBoxFuture;

use crate::app::Application;
use crate::web::Site;

/// A body on its way.
pub type BoxedPayloadStream = Pin<Box<dyn Stream<Item = Result<Bytes, PayloadError>>>>;

/// Answers a request the way the server would; a body that arrives bit by bit comes beside it.
pub type Serve = Rc<dyn Fn(TestRequest, Option<BoxedPayloadStream>) -> LocalBoxFuture<'static, ServiceResponse>>;

/// An application that answers the browsers of a test; clones are the same one.
#[derive(Clone)]
pub struct TestServer {
    serve: Serve,
    site: Data<Site>,
}

impl TestServer {
    /// Starts an application that Perennial is mounted in, as [`actix_web::test::init_service`] does.
    pub async fn start<F, S, B>(perennial: &Application, app: F) -> Self
    where
        F: IntoServiceFactory<S, Request> + 'static,
        S: ServiceFactory<Request, Config = AppConfig, Response = ServiceResponse<B>, Error = Error> + 'static,
        S::InitError: std::fmt::Debug,
        S::Service: 'static,
        B: MessageBody + 'static,
    {
        let service = Rc::new(init_service(app).await);
        let serve: Serve = Rc::new(move |request, stream| {
            let service = Rc::clone(&service);
            let mut request = request.to_request();
            if let Some(payload) = stream {
                request = request.replace_payload(Payload::Stream { payload }).0;
            }
            Box::pin(async move {
                match try_call_service(&*service, request).await {
                    Ok(response) => response.map_into_boxed_body(),
                    // As the server does with what a middleware has made an error of.
                    Err(error) => ServiceResponse::new(TestRequest::default().to_http_request(), error.into()),
                }
            })
        });
        Self { serve, site: perennial.site().clone() }
    }

    /// Returns how requests are answered, for a client that is no browser.
    pub fn serve(&self) -> Serve {
        Rc::clone(&self.serve)
    }

    /// Returns the state of the web floor.
    pub(super) fn site(&self) -> &Data<Site> {
        &self.site
    }
}

impl std::fmt::Debug for TestServer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestServer")
    }
}
