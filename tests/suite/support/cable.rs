//! The cable to a PostgreSQL server, which can be cut at the worst moment: around a commit.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

/// What libpq sends to commit, up to the end of its message.
const COMMIT: &[u8] = b"COMMIT\0";

/// How a rotation begins, which is one statement and commits by itself. It is prepared under a name, and run by that.
const SWAP: &[u8] = b"UPDATE sessions SET generation";

/// Where a connection is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// The server never hears of the commit.
    BeforeTheCommit,
    /// The server has committed, and its client never hears of it.
    AfterTheCommit,
}

/// Passes everything on, both ways, until it is told to cut.
pub(crate) struct Cable {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

struct State {
    server: SocketAddr,
    /// How to cut next, and whether a rotation alone counts.
    next: Mutex<Option<(Cut, bool)>>,
    cuts: AtomicUsize,
    ended: AtomicBool,
}

impl Cable {
    /// Leads to a server.
    pub(crate) fn to(server: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (cuts, ended) = (AtomicUsize::new(0), AtomicBool::new(false));
        let state = Arc::new(State { server, next: Mutex::new(None), cuts, ended });
        let accepting = {
            let state = Arc::clone(&state);
            thread::spawn(move || {
                for stream in listener.incoming() {
                    if state.ended.load(Ordering::SeqCst) {
                        return;
                    }
                    // A server that is away refuses the client as well.
                    if let Ok(server) = TcpStream::connect(state.server) {
                        state.connect(stream.unwrap(), server);
                    }
                }
            })
        };
        Self { address, state, accepting: Some(accepting) }
    }

    /// Cuts the connection that next commits.
    pub(crate) fn cut_next(&self, cut: Cut) {
        *self.state.next.lock().unwrap() = Some((cut, false));
    }

    /// Cuts the connection that next rotates, whatever commits meanwhile beside the requests.
    pub(crate) fn cut_next_rotation(&self, cut: Cut) {
        *self.state.next.lock().unwrap() = Some((cut, true));
    }

    /// Returns how many connections were cut.
    pub(crate) fn cuts(&self) -> usize {
        self.state.cuts.load(Ordering::SeqCst)
    }
}

impl Drop for Cable {
    fn drop(&mut self) {
        self.state.ended.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(accepting) = self.accepting.take() {
            accepting.join().unwrap();
        }
    }
}

impl State {
    /// Starts to pass bytes between two ends, on a thread for each way.
    fn connect(self: &Arc<Self>, client: TcpStream, server: TcpStream) {
        let mute = Arc::new(AtomicBool::new(false));
        let ends = [client.try_clone().unwrap(), server.try_clone().unwrap()];
        let (state, muted) = (Arc::clone(self), Arc::clone(&mute));
        thread::spawn(move || {
            let mut swaps = Vec::new();
            pass(&client, &server, |bytes| {
                swaps.extend(prepared_swap(bytes));
                let runs_a_swap = swaps.iter().any(|name| contains(bytes, name)) && prepared_swap(bytes).is_none();
                if !contains(bytes, COMMIT) && !runs_a_swap {
                    return true;
                }
                let cut = state.next.lock().unwrap().take_if(|(_, rotation)| runs_a_swap || !*rotation);
                let cut = cut.map(|(cut, _)| cut);
                state.cuts.fetch_add(usize::from(cut.is_some()), Ordering::SeqCst);
                muted.store(cut == Some(Cut::AfterTheCommit), Ordering::SeqCst);
                cut != Some(Cut::BeforeTheCommit)
            });
        });
        let [client, server] = ends;
        // What comes back after a commit that is to be cut says that the server has it; it goes no further.
        thread::spawn(move || pass(&server, &client, |_| !mute.load(Ordering::SeqCst)));
    }
}

fn contains(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Returns the name under which a message prepares a rotation, as it stands in a message that runs it: between the empty
/// name of a portal and the parameters.
fn prepared_swap(bytes: &[u8]) -> Option<Vec<u8>> {
    if !contains(bytes, SWAP) {
        return None;
    }
    // A kind of one byte and a length of four come first.
    let name = bytes[5..].split(|byte| *byte == 0).next()?;
    Some([b"\0", name, b"\0"].concat())
}

/// Passes bytes on until either end goes or `goes_on` says no, and cuts both ends off then.
fn pass(mut from: &TcpStream, mut to: &TcpStream, mut goes_on: impl FnMut(&[u8]) -> bool) {
    let mut chunk = [0; 16 * 1024];
    while let Ok(count @ 1..) = from.read(&mut chunk) {
        if !goes_on(&chunk[..count]) || to.write_all(&chunk[..count]).is_err() {
            break;
        }
    }
    for end in [from, to] {
        // It may have gone by itself.
        drop(end.shutdown(Shutdown::Both));
    }
}
