//! A sign-in in Chromium through the nginx and the HAProxy that `perennial deploy` prints, with TLS.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::support::certificate::certificate;
use crate::support::chromium::{Driver, find_program};
use crate::support::client::PASSWORD;
use crate::support::patience::until;
use crate::support::server::{Launch, empty_folder, free_port};

/// A proxy; it is ended when this goes, and its workers with it.
struct Proxy(Child);

impl Proxy {
    fn start(program: &str, arguments: &[&str], port: u16) -> Self {
        let mut command = Command::new(find_program(&[program]));
        let child = command.args(arguments).stdin(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        let proxy = Self(child);
        until("the proxy", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        proxy
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        let process = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(process, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap();
    }
}

/// Signs in through a proxy that `start` starts in a folder, from what is printed for it, on a port.
fn sign_in_through(target: &str, start: impl Fn(&Path, &str, u16) -> Proxy) {
    let (folder, profile) = (empty_folder(), empty_folder());
    let driver = Driver::start_with(vec!["--ignore-certificate-errors"]);
    let (port, own) = (free_port(), free_port());
    let url = format!("https://localhost:{port}");
    let launch = Launch::in_folder(folder.path()).on_port(own).set("PUBLIC_URL", &url).without("BCRYPT_COST");
    let launch = launch.set("BCRYPT_COST", "10").set("TRUSTED_PROXIES", "127.0.0.1,::1").set("LOG_REQUESTS", "true");
    let printed = launch.clone().words("deploy").argument(target).finish();
    assert_eq!((printed.code(), printed.stderr.as_str()), (Some(0), ""), "{printed:?}");
    let server = launch.start();
    let proxy = start(folder.path(), &printed.stdout, port);
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
        let browser = driver.open(profile.path()).await;
        browser.goto(&format!("{url}/register")).await;
        browser.type_in("#full_name", "Ada Lovelace").await;
        browser.type_in("#email", "ada@example.org").await;
        browser.type_in("#password", PASSWORD).await;
        browser.send("main button[type=submit]").await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
        let cookies = browser.cookies().await;
        for name in ["__Host-access_token=", "__Host-keep_signed_in="] {
            assert!(cookies.contains(name), "{cookies}");
        }
        browser.goto(&format!("{url}/dashboard")).await;
        assert_eq!(browser.text("h1").await, "Welcome, Ada Lovelace");
        browser.send("form[action='/logout'] button").await;
        assert_eq!(browser.text("#ended-title").await, "You have signed out");
        browser.close().await;
    });
    drop(proxy);
    let log = server.stop().stderr;
    assert!(log.contains("path=\"/register\" status=303"), "{log}");
}

#[test]
#[ignore = "needs nginx, openssl, Chromium and chromedriver"]
fn somebody_signs_in_through_nginx_with_tls() {
    sign_in_through("nginx", |folder, site, port| {
        let shown = folder.display();
        let [certificate, key, _] = certificate(folder, "localhost");
        let site = site.replace("/etc/letsencrypt/live/localhost/fullchain.pem", &certificate);
        let site = site.replace("/etc/letsencrypt/live/localhost/privkey.pem", &key);
        let file = folder.join("nginx.conf");
        let around = format!(
            "daemon off;\nworker_processes 1;\npid {shown}/nginx.pid;\nerror_log {shown}/nginx.log;\nevents {{}}\n\
             http {{\naccess_log off;\nclient_body_temp_path {shown}/body;\nproxy_temp_path {shown}/proxy;\n{site}}}\n"
        );
        std::fs::write(&file, around).unwrap();
        Proxy::start("nginx", &["-c", file.to_str().unwrap()], port)
    });
}

#[test]
#[ignore = "needs haproxy, openssl, Chromium and chromedriver"]
fn somebody_signs_in_through_haproxy_with_tls() {
    sign_in_through("haproxy", |folder, written, port| {
        let [_, _, both] = certificate(folder, "localhost");
        let file = folder.join("haproxy.cfg");
        std::fs::write(&file, written.replace("/etc/haproxy/localhost.pem", &both)).unwrap();
        Proxy::start("haproxy", &["-db", "-f", file.to_str().unwrap()], port)
    });
}
