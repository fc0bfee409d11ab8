//! What watches the connections of one worker.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use actix_web::web;
use slab::Slab;

use super::connection::{Connection, PERIOD};
use crate::web::Site;

/// The connections of one worker.
///
/// One task looks at all of them four times a second, so that a request sets no timer: the timers that Actix sets for
/// each cost more than the cookies do, and cover less.
#[derive(Debug)]
pub(super) struct Monitor {
    period: Cell<u64>,
    connections: RefCell<Slab<Rc<Connection>>>,
    site: web::Data<Site>,
    stopping: Arc<AtomicBool>,
}

impl Monitor {
    /// Starts to watch, on the runtime of a worker, until nobody holds it any more.
    pub(super) fn start(site: web::Data<Site>, stopping: Arc<AtomicBool>) -> Rc<Self> {
        let monitor = Rc::new(Self { period: Cell::new(0), connections: RefCell::default(), site, stopping });
        actix_web::rt::spawn(watch(Rc::downgrade(&monitor)));
        monitor
    }

    /// Returns how many periods have passed.
    pub(super) fn now(&self) -> u64 {
        self.period.get()
    }

    /// Returns the site whose connections these are.
    pub(super) fn site(&self) -> &web::Data<Site> {
        &self.site
    }

    /// Begins to watch a connection; returns it with the key to end that.
    pub(super) fn add(&self, from_proxy: bool) -> (usize, Rc<Connection>) {
        let connection = Rc::new(Connection::new(from_proxy, self.now()));
        (self.connections.borrow_mut().insert(Rc::clone(&connection)), connection)
    }

    /// Ends watching a connection.
    pub(super) fn remove(&self, key: usize) {
        let mut connections = self.connections.borrow_mut();
        connections.try_remove(key);
        if connections.is_empty() {
            connections.shrink_to_fit();
        }
    }

    fn look(&self) {
        let now = self.period.get() + 1;
        self.period.set(now);
        let stopping = self.stopping.load(Ordering::Relaxed);
        for (_, connection) in &*self.connections.borrow() {
            connection.watch(now, stopping);
        }
    }
}

async fn watch(monitor: Weak<Monitor>) {
    loop {
        // Not an interval: a worker that was busy does not make up for the periods that it missed.
        tokio::time::sleep(PERIOD).await;
        match monitor.upgrade() {
            Some(monitor) => monitor.look(),
            None => return,
        }
    }
}
