//! The pages of an administrator.

use time::Duration;

use super::gallery::Gallery;
use crate::support::TestApp;
use crate::support::guesses::{fail, register};

pub(super) async fn visit(gallery: &mut Gallery) {
    let app = TestApp::start().await;
    let admin = app.signed_in().await;
    gallery.hang("admin-first", &admin.get("/admin").await, 200, "<h1>Administration");
    let grace = register(&app, "grace@example.org").await;
    fail(&app, "grace@example.org", 5).await;
    for (name, path, words) in [
        ("admin-user", "/admin/users/2", "grace@example.org"),
        ("admin-user-own", "/admin/users/1", "<h1>Ada Lovelace"),
        ("admin-deactivate", "/admin/users/2/deactivate", "<h1>"),
        ("admin-revoke", "/admin/users/2/revoke", "<h1>"),
        ("admin-users", "/admin/users", "grace@example.org"),
        ("admin-users-found", "/admin/users?search=ada", "ada@example.org"),
        ("admin-users-nobody", "/admin/users?search=%25", "<h1>Users"),
        ("admin-sessions", "/admin/sessions", "<h1>Sign-ins"),
        ("admin-events", "/admin/events", "<h1>Events"),
        ("admin-events-filtered", "/admin/events?type=account_locked&user=2&from=2020-01-01", "<h1>Events"),
        ("admin-nodes", "/admin/nodes", "<h1>Nodes"),
        ("admin-mails", "/admin/mails", "<h1>Mail that waits"),
        ("admin-invitations", "/admin/invitations", "<h1>Invite somebody"),
    ] {
        gallery.hang(name, &admin.get(path).await, 200, words);
    }
    let refused = admin.submit("/admin/users/1", "/admin/users/1/role", &[("role", "user")]).await;
    gallery.hang("admin-refused", &refused, 422, "There is a problem");
    admin.submit("/admin/users/2", "/admin/users/2/unlock", &[]).await;
    gallery.hang("admin-done", &admin.get("/admin/users/2").await, 200, "grace@example.org");
    gallery.hang("admin-not-found", &grace.get("/admin").await, 404, "<h1>");
    for _ in 0..3 {
        app.advance(Duration::days(1));
        assert!(admin.is_signed_in().await);
        app.count_days();
    }
    gallery.hang("admin", &admin.get("/admin").await, 200, "<h1>Administration");
}
