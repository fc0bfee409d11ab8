//! What notes on a connection how far each of its requests is.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use actix_http::{ConnectionType, HttpMessage, Request, Response};
use actix_service::{Service, ServiceFactory};
use actix_web::Error;
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::ServiceResponse;
use actix_web::http::header::CONTENT_LENGTH;
use actix_web::web::Bytes;
use futures_util::future::LocalBoxFuture;
use pin_project_lite::pin_project;

use super::connection::{Body, Connection};
use super::framing::ChunkScanner;
use super::requests::WorkerCounts;

/// The application, with the progress of its requests noted on their connections.
#[derive(Debug)]
pub(super) struct Watched<S> {
    pub(super) application: S,
    /// Where they are counted, if they are.
    pub(super) counts: Option<Rc<WorkerCounts>>,
}

impl<S> ServiceFactory<Request> for Watched<S>
where
    S: ServiceFactory<Request, Config = (), Response = ServiceResponse<BoxBody>, Error = Error>,
    S::Future: 'static,
{
    type Response = Response<WatchedBody>;
    type Error = Error;
    type Config = ();
    type Service = Watched<S::Service>;
    type InitError = S::InitError;
    type Future = LocalBoxFuture<'static, Result<Self::Service, S::InitError>>;

    fn new_service(&self, (): ()) -> Self::Future {
        let (service, counts) = (self.application.new_service(()), self.counts.clone());
        Box::pin(async move { Ok(Watched { application: service.await?, counts }) })
    }
}

impl<S> Service<Request> for Watched<S>
where
    S: Service<Request, Response = ServiceResponse<BoxBody>, Error = Error>,
{
    type Response = Response<WatchedBody>;
    type Error = Error;
    type Future = Answer<S::Future>;

    fn poll_ready(&self, cx: &mut Context<'_>) -> Poll<Result<(), Error>> {
        self.application.poll_ready(cx)
    }

    fn call(&self, request: Request) -> Self::Future {
        let connection = request.conn_data::<Rc<Connection>>().cloned();
        if let Some(connection) = &connection {
            connection.begin(body_of(&request));
        }
        let counted = self.counts.as_ref().map(|counts| (Rc::clone(counts), counts.now()));
        Answer { future: self.application.call(request), connection, counted }
    }
}

/// Returns what of a request's body is to come, as Actix's parser has understood its head.
fn body_of(request: &Request) -> Body {
    if request.upgrade() {
        return Body::Endless;
    }
    if request.chunked().unwrap_or(false) {
        return Body::Chunks(ChunkScanner::default());
    }
    let length = request.headers().get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.trim().parse().ok());
    match length {
        None | Some(0) => Body::Whole,
        Some(length) => Body::Bytes(length),
    }
}

pin_project! {
    /// The application's answer to one request.
    pub(super) struct Answer<F> {
        #[pin]
        future: F,
        connection: Option<Rc<Connection>>,
        counted: Option<(Rc<WorkerCounts>, Duration)>,
    }
}

impl<F> Future for Answer<F>
where
    F: Future<Output = Result<ServiceResponse<BoxBody>, Error>>,
{
    type Output = Result<Response<WatchedBody>, Error>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        let mut response: Response<BoxBody> = match ready!(this.future.poll(cx)) {
            Ok(response) => {
                if let Some((counts, started)) = this.counted {
                    counts.note(response.request(), response.status(), *started);
                }
                response.into()
            }
            Err(error) => error.into(),
        };
        let connection = this.connection.take();
        if connection.as_ref().is_some_and(|connection| connection.answer()) {
            response.head_mut().set_connection_type(ConnectionType::Close);
        }
        Poll::Ready(Ok(response.map_body(|_, body| WatchedBody { body, connection })))
    }
}

/// The body of an answer. Actix drops it once it has encoded all of it.
#[derive(Debug)]
pub(super) struct WatchedBody {
    body: BoxBody,
    connection: Option<Rc<Connection>>,
}

impl MessageBody for WatchedBody {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(cx)
    }
}

impl Drop for WatchedBody {
    fn drop(&mut self) {
        if let Some(connection) = &self.connection {
            connection.encode();
        }
    }
}
