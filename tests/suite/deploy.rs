//! `perennial deploy`: what it prints is of the settings in force, and the programs it is for take it.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use crate::support::certificate::certificate;
use crate::support::chromium::find_program;
use crate::support::client::Client;
use crate::support::server::{Launch, empty_folder, free_port};

/// Returns what is printed for a target, with settings of a site behind a proxy.
fn printed(target: &str, settings: &[(&str, &str)]) -> String {
    let folder = empty_folder();
    let launch =
        Launch::in_folder(folder.path()).without("BIND").without("BCRYPT_COST").words("deploy").argument(target);
    let launch = launch.set("PUBLIC_URL", "https://sign-in.example.org").set("TRUSTED_PROXIES", "127.0.0.1,::1");
    let launch = settings.iter().fold(launch, |launch, (name, value)| launch.set(name, value));
    let finished = launch.finish();
    assert_eq!((finished.code(), finished.stderr.as_str()), (Some(0), ""), "{finished:?}");
    finished.stdout
}

/// Lets a program check what was printed; it must have nothing to say against it.
fn checked(program: &str, arguments: &[&str], folder: &Path) -> String {
    let output = Command::new(find_program(&[program])).args(arguments).current_dir(folder).output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{said}");
    said
}

/// Puts a site into a whole configuration of nginx in a folder.
fn nginx_file(folder: &Path, site: &str) -> String {
    let shown = folder.display();
    let [certificate, key, _] = certificate(folder, "localhost");
    let host = "/etc/letsencrypt/live/sign-in.example.org";
    let site = site.replace(&format!("{host}/fullchain.pem"), &certificate);
    let site = site.replace(&format!("{host}/privkey.pem"), &key);
    let around = format!(
        "pid {shown}/nginx.pid;\nerror_log {shown}/nginx.log;\nevents {{}}\nhttp {{\naccess_log off;\n\
         client_body_temp_path {shown}/body;\nproxy_temp_path {shown}/proxy;\n{site}}}\n"
    );
    let file = folder.join("nginx.conf");
    std::fs::write(&file, around).unwrap();
    file.display().to_string()
}

#[test]
fn units_hold_the_settings_in_force_and_no_secret() {
    let units = printed(
        "systemd",
        &[
            ("BIND", "127.0.0.1:9000"),
            ("SITE_NAME", "Ada's 100 % shop"),
            ("JWT_SECRET_KEY", "a secret of the test suite of 32 bytes"),
            ("SMTP_URL", "smtp://ada:hunter2@localhost?tls=required"),
            ("BACKUP_EVERY", "6h"),
            ("BACKUP_DIR", "/var/backups/perennial"),
        ],
    );
    for line in [
        "# /etc/systemd/system/perennial.service",
        "# /etc/systemd/system/perennial.socket",
        concat!("ExecStart=", env!("CARGO_BIN_EXE_perennial"), " serve"),
        "Type=notify",
        "Environment=PUBLIC_URL=https://sign-in.example.org",
        "Environment=TRUSTED_PROXIES=127.0.0.1,::1",
        "Environment=\"SITE_NAME=Ada's 100 %% shop\"",
        "ReadWritePaths=-/var/backups/perennial",
        "EnvironmentFile=-/etc/perennial.env",
        "ListenStream=127.0.0.1:9000",
    ] {
        assert!(units.lines().any(|there| there == line), "{line}: {units}");
    }
    assert!(units.contains("# JWT_SECRET_KEY and SMTP_URL may hold secrets"), "{units}");
    assert!(!units.contains("hunter2") && !units.contains("a secret of") && !units.contains("BIND="), "{units}");
    assert!(
        printed("systemd", &[("BIND", "unix:/run/perennial/http.sock")])
            .contains("ListenStream=/run/perennial/http.sock")
    );
}

#[test]
fn a_proxy_is_told_where_the_server_is_and_what_it_believes() {
    let nginx = printed("nginx", &[("BIND", "0.0.0.0:9000")]);
    assert!(nginx.contains("server 127.0.0.1:9000 max_fails=0;") && nginx.contains("X-Forwarded-For"), "{nginx}");
    assert!(nginx.contains("server_name sign-in.example.org;") && !nginx.contains("Forwarded $perennial"), "{nginx}");
    let forwarded = [("CLIENT_ADDRESS_HEADER", "forwarded"), ("BIND", "unix:/run/perennial/http.sock")];
    let nginx = printed("nginx", &forwarded);
    assert!(nginx.contains("server unix:/run/perennial/http.sock max_fails=0;"), "{nginx}");
    assert!(nginx.contains("proxy_set_header Forwarded $perennial_forwarded;"), "{nginx}");
    assert!(printed("haproxy", &forwarded).contains("server node unix@/run/perennial/http.sock"));
    let caddy = printed("caddy", &[("PUBLIC_URL", "https://sign-in.example.org:8443")]);
    assert_eq!(caddy, "sign-in.example.org:8443 {\n\treverse_proxy 127.0.0.1:8080\n}\n");

    let folder = empty_folder();
    let nothing_set = Launch::in_folder(folder.path()).words("deploy nginx").finish();
    assert_eq!(nothing_set.code(), Some(0), "{nothing_set:?}");
    assert!(
        nothing_set.stderr.contains("PUBLIC_URL: set it") && nothing_set.stderr.contains("TRUSTED_PROXIES: set it")
    );
    let caddy =
        Launch::in_folder(folder.path()).words("deploy caddy").set("CLIENT_ADDRESS_HEADER", "forwarded").finish();
    assert_eq!(caddy.code(), Some(2), "{caddy:?}");
    let unknown = Launch::in_folder(folder.path()).words("deploy kubernetes").finish();
    assert_eq!(unknown.code(), Some(2), "{unknown:?}");
}

#[test]
fn an_image_starts_from_nothing_and_holds_no_secret() {
    let file = printed("docker", &[("SITE_NAME", "A \"$HOME\""), ("SMTP_URL", "smtp://ada:hunter2@localhost")]);
    for line in [
        "FROM scratch",
        "USER 65532:65532",
        "ENV BIND=0.0.0.0:8080",
        "ENV PUBLIC_URL=\"https://sign-in.example.org\"",
        "ENV SITE_NAME=\"A \\\"\\$HOME\\\"\"",
        "EXPOSE 8080",
        "ENTRYPOINT [\"/usr/bin/perennial\"]",
    ] {
        assert!(file.lines().any(|there| there == line), "{line}: {file}");
    }
    assert!(!file.contains("hunter2"), "{file}");
}

/// Returns the names of metrics in a text, without the endings of a histogram's.
fn metrics(text: &str) -> BTreeSet<&str> {
    let words = text.split(|c: char| !c.is_ascii_lowercase() && c != '_' && !c.is_ascii_digit());
    let named = words.filter(|word| word.starts_with("perennial_"));
    named.map(|name| ["_bucket", "_count", "_sum"].iter().fold(name, |name, end| name.trim_end_matches(end))).collect()
}

#[test]
fn boards_and_rules_ask_for_metrics_that_there_are() {
    let folder = empty_folder();
    let port = free_port();
    let server = Launch::in_folder(folder.path()).set("METRICS_BIND", &format!("127.0.0.1:{port}")).start();
    assert_eq!(Client::of(&server).get("/login").unwrap().status, 200);
    let there = Client::at(([127, 0, 0, 1], port).into()).get("/metrics").unwrap().body;
    let there = metrics(&there);
    let board: serde_json::Value = serde_json::from_str(&printed("grafana", &[])).unwrap();
    assert!(board["panels"].as_array().unwrap().len() > 8, "{board}");
    for printed in [board.to_string(), printed("alerts", &[])] {
        let asked = metrics(&printed);
        assert!(asked.len() > 6, "{asked:?}");
        let missing: Vec<_> = asked.difference(&there).collect();
        assert!(missing.is_empty(), "{missing:?} are not among {there:?}");
    }
}

#[test]
#[ignore = "needs promtool"]
fn prometheus_takes_the_rules() {
    let folder = empty_folder();
    std::fs::write(folder.path().join("rules.yml"), printed("alerts", &[])).unwrap();
    let said = checked("promtool", &["check", "rules", "rules.yml"], folder.path());
    assert!(said.contains("9 rules found"), "{said}");
}

#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_takes_both_units() {
    let folder = empty_folder();
    let units = printed("systemd", &[("SITE_NAME", "Ada's 100 % shop")]);
    let (service, socket) = units.split_once("# /etc/systemd/system/perennial.socket\n").unwrap();
    std::fs::write(folder.path().join("perennial.service"), service).unwrap();
    std::fs::write(folder.path().join("perennial.socket"), socket).unwrap();
    let said =
        checked("systemd-analyze", &["verify", "--man=no", "./perennial.socket", "./perennial.service"], folder.path());
    assert!(!said.contains("perennial."), "{said}");
}

#[test]
#[ignore = "needs nginx"]
fn nginx_takes_the_site() {
    for settings in [&[][..], &[("CLIENT_ADDRESS_HEADER", "forwarded"), ("BIND", "unix:/run/perennial.sock")]] {
        let folder = empty_folder();
        let file = nginx_file(folder.path(), &printed("nginx", settings));
        checked("nginx", &["-t", "-c", &file], folder.path());
    }
}

#[test]
#[ignore = "needs haproxy"]
fn haproxy_takes_the_configuration() {
    for settings in [&[][..], &[("CLIENT_ADDRESS_HEADER", "forwarded"), ("BIND", "unix:/run/perennial.sock")]] {
        let folder = empty_folder();
        let [_, _, both] = certificate(folder.path(), "localhost");
        let written = printed("haproxy", settings).replace("/etc/haproxy/sign-in.example.org.pem", &both);
        std::fs::write(folder.path().join("haproxy.cfg"), written).unwrap();
        let said = checked("haproxy", &["-c", "-f", "haproxy.cfg"], folder.path());
        assert!(!said.contains("ALERT"), "{said}");
    }
}

#[test]
#[ignore = "needs caddy"]
fn caddy_takes_the_site() {
    let folder = empty_folder();
    for settings in [&[][..], &[("BIND", "unix:/run/perennial.sock")]] {
        std::fs::write(folder.path().join("Caddyfile"), printed("caddy", settings)).unwrap();
        let said = checked("caddy", &["validate", "--adapter", "caddyfile", "--config", "Caddyfile"], folder.path());
        assert!(said.contains("Valid configuration") && !said.contains("not formatted"), "{said}");
    }
}
