//! A password that was typed is nowhere in the memory of the program once it is checked.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::FileExt;

use rustix::param::page_size;

use crate::support::client::{Answer, Client, connect, read_answer};
use crate::support::server::{Launch, Server, empty_folder};

/// As no other text in the memory of the program.
const PASSWORD: &str = "tangerine-Quixote_4711~unmistakable";

/// Writes a text with every byte escaped.
fn escaped(text: &str) -> String {
    text.bytes().map(|byte| format!("%{byte:02X}")).collect()
}

/// Sends a form in pieces of three bytes, so that neither the password nor what it is written as lies in one piece in the
/// read buffer of the connection: only what the program itself puts together is found.
fn send(client: &Client, path: &str, body: &str) -> Answer {
    let kind = "Content-Type: application/x-www-form-urlencoded\r\nTransfer-Encoding: chunked\r\n";
    let mut request = client.head("POST", path, kind).into_bytes();
    for piece in body.as_bytes().chunks(3) {
        request.extend(format!("{:x}\r\n", piece.len()).bytes());
        request.extend(piece);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    let mut stream = connect(client.address).unwrap();
    stream.write_all(&request).unwrap();
    read_answer(&mut stream).unwrap()
}

/// Returns where a text is in what a process can write to.
fn found(server: &Server, text: &str) -> Vec<String> {
    let (process, size) = (server.id(), page_size() as u64);
    let open = |file: &str| File::open(format!("/proc/{process}/{file}")).unwrap();
    let (memory, pages) = (open("mem"), open("pagemap"));
    let mut places = Vec::new();
    for line in fs::read_to_string(format!("/proc/{process}/maps")).unwrap().lines() {
        let (range, rights) = line.split_once(' ').unwrap();
        if !rights.starts_with("rw") {
            continue;
        }
        let (from, to) = range.split_once('-').unwrap();
        let [from, to] = [from, to].map(|end| u64::from_str_radix(end, 16).unwrap() / size);
        let mut entries = vec![0; usize::try_from((to - from) * 8).unwrap()];
        // What was unmapped meanwhile holds nothing.
        let known = pages.read_at(&mut entries, from * 8).unwrap_or(0);
        // Present, or swapped out (the kernel's admin-guide/mm/pagemap); the rest of the range was never touched.
        let used: Vec<bool> = entries[..known].chunks(8).map(|entry| entry[7] & 0xc0 != 0).collect();
        let mut page = 0;
        for run in used.chunk_by(|one, next| one == next) {
            let start = (from + page) * size;
            page += run.len() as u64;
            if run[0] {
                let mut content = vec![0; run.len() * page_size()];
                let read = memory.read_at(&mut content, start).unwrap_or(0);
                let hits = memchr::memmem::find_iter(&content[..read], text.as_bytes());
                places.extend(hits.map(|at| format!("{:x} in {line}", start + at as u64)));
            }
        }
    }
    places
}

#[cfg(target_os = "linux")]
#[test]
fn a_password_is_nowhere_in_memory_once_it_was_checked() {
    let folder = empty_folder();
    let server = Launch::in_folder(folder.path()).start();
    let mut client = Client::of(&server);
    let token = client.form_token("/register");
    let password = escaped(PASSWORD);
    // A buffer that grew would move after the password is in it.
    let rest = "x".repeat(3000);
    let body = format!("full_name=Ada&email=ada%40example.org&password={password}&form_token={token}&rest={rest}");
    assert_eq!(send(&client, "/register", &body).status, 303);
    let token = client.form_token("/login");
    for (name, typed, status) in
        [("ada", &password, 303), ("ada", &(password.clone() + "x"), 401), ("b", &password, 401)]
    {
        let body = format!("email={name}%40example.org&password={typed}&form_token={token}&rest={rest}");
        assert_eq!(send(&client, "/login", &body).status, status, "{name}");
    }
    // Refused before anything is hashed, by its token.
    assert_eq!(send(&client, "/login", &format!("password={password}&form_token=x")).status, 403);
    assert_ne!(found(&server, "ada@example.org"), [""; 0], "the memory of the program is not read");
    assert_eq!(found(&server, PASSWORD), [""; 0]);
    assert_eq!(found(&server, &password), [""; 0]);
}
