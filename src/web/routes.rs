//! The whole URL table in one place.

use actix_files::Files;
use actix_web::http::Method;
use actix_web::http::header::LOCATION;
use actix_web::web::{self, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse, Resource, guard};

use super::admin::handlers as admin;
use super::api::handlers as api;
use super::api::path::is_api;
use super::device_session;
use super::error::WebError;
use super::extract::AdminUser;
use super::health;
use super::pages::handlers;
use super::site::Site;
use super::static_files;

/// Who may use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody.
    Public,
    /// Somebody who is signed in.
    SignedIn,
    /// Somebody who is signed in, and has entered the password within the last 10 minutes.
    RecentPassword,
    /// An administrator; to everybody else, nothing is there.
    Admin,
    /// An administrator who has entered the password within the last 10 minutes; to everybody else, nothing is there.
    RecentAdmin,
    /// A client of the API that brings a token.
    Bearer,
}

/// One row of the table.
pub struct Route {
    /// The path, in Actix's notation.
    pub path: &'static str,
    /// The methods it answers, as an `Allow` header says them.
    pub methods: &'static str,
    /// Who may use it.
    pub access: Access,
    build: fn(Resource) -> Resource,
}

impl std::fmt::Debug for Route {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} ({:?})", self.methods, self.path, self.access)
    }
}

/// Answers `GET` and `HEAD`; the server leaves the body of the latter out.
fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

const fn route(path: &'static str, methods: &'static str, access: Access, build: fn(Resource) -> Resource) -> Route {
    Route { path, methods, access, build }
}

/// Every route of Perennial; they are tried in this order, so what is asked for most comes first.
pub static ROUTES: &[Route] = &[
    route("/dashboard", "GET, HEAD", Access::SignedIn, |r| r.route(read().to(handlers::dashboard))),
    route("/", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::home))),
    route("/login", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::login)).route(web::post().to(handlers::sign_in))
    }),
    route("/register", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::registration)).route(web::post().to(handlers::register))
    }),
    route("/register/check-mail", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::check_mail)).route(web::post().to(handlers::send_link_again))
    }),
    route("/verify-email", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::verify_email)).route(web::post().to(handlers::confirm_email))
    }),
    route("/verify-email/{token}", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::open_confirmation))),
    route("/password-reset", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::password_reset)).route(web::post().to(handlers::request_password_reset))
    }),
    route("/password-reset/check-mail", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::reset_sent))),
    route("/password-reset/new", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::new_password)).route(web::post().to(handlers::set_new_password))
    }),
    route("/password-reset/{token}", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::open_reset_link))),
    route(device_session::RENEW, "POST", Access::Public, |r| r.route(web::post().to(device_session::renew))),
    route(device_session::BIND, "POST", Access::Public, |r| r.route(web::post().to(device_session::bind))),
    route("/session/confirm", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::confirm))),
    route("/token-details", "GET, HEAD", Access::SignedIn, |r| r.route(read().to(handlers::token_details))),
    route("/logout", "POST", Access::SignedIn, |r| r.route(web::post().to(handlers::sign_out))),
    route("/logout/everywhere", "POST", Access::SignedIn, |r| r.route(web::post().to(handlers::sign_out_everywhere))),
    route("/devices", "GET, HEAD", Access::SignedIn, |r| r.route(read().to(handlers::devices))),
    route("/devices/end", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::end_device)).route(web::post().to(handlers::end_device_by_link))
    }),
    route("/devices/end/{token}", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::open_end_link))),
    route("/email-undo", "GET, HEAD, POST", Access::Public, |r| {
        r.route(read().to(handlers::email_undo)).route(web::post().to(handlers::undo_email_change))
    }),
    route("/email-undo/{token}", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::open_undo_link))),
    route("/devices/others/revoke", "POST", Access::SignedIn, |r| r.route(web::post().to(handlers::revoke_others))),
    route("/devices/{id}/revoke", "GET, HEAD, POST", Access::SignedIn, |r| {
        r.route(read().to(handlers::ask_to_revoke)).route(web::post().to(handlers::revoke))
    }),
    route("/theft/acknowledge", "POST", Access::SignedIn, |r| r.route(web::post().to(handlers::acknowledge_theft))),
    route("/account", "GET, HEAD", Access::RecentPassword, |r| r.route(read().to(handlers::account))),
    route("/account/name", "POST", Access::RecentPassword, |r| r.route(web::post().to(handlers::change_name))),
    route("/account/password", "POST", Access::RecentPassword, |r| r.route(web::post().to(handlers::change_password))),
    route("/account/data", "GET, HEAD", Access::RecentPassword, |r| r.route(read().to(handlers::my_data))),
    route("/account/delete", "GET, HEAD, POST", Access::RecentPassword, |r| {
        r.route(read().to(handlers::deletion)).route(web::post().to(handlers::delete_account))
    }),
    route("/account/email", "POST", Access::RecentPassword, |r| r.route(web::post().to(handlers::change_email))),
    route("/account/email/cancel", "POST", Access::RecentPassword, |r| {
        r.route(web::post().to(handlers::cancel_email_change))
    }),
    route("/account/time-zone", "POST", Access::RecentPassword, |r| {
        r.route(web::post().to(handlers::change_time_zone))
    }),
    route("/reauthenticate", "GET, HEAD, POST", Access::SignedIn, |r| {
        r.route(read().to(handlers::password_again)).route(web::post().to(handlers::reauthenticate))
    }),
    route("/switch-account", "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::switch_account))),
    route("/rescue/again", "POST", Access::Public, |r| r.route(web::post().to(handlers::send_form_again))),
    route("/rescue/{id}", "GET, HEAD", Access::SignedIn, |r| r.route(read().to(handlers::kept_form))),
    route("/activity", "GET, HEAD", Access::SignedIn, |r| r.route(read().to(handlers::activity))),
    route(CHANGE_PASSWORD, "GET, HEAD", Access::Public, |r| r.route(read().to(handlers::where_to_change_password))),
    route("/admin", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::overview))),
    route("/admin/users", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::users))),
    route("/admin/users/{id}", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::user))),
    route("/admin/users/{id}/deactivate", "GET, HEAD, POST", Access::RecentAdmin, |r| {
        r.route(read().to(admin::ask_to_deactivate)).route(web::post().to(admin::deactivate))
    }),
    route("/admin/users/{id}/activate", "POST", Access::RecentAdmin, |r| r.route(web::post().to(admin::activate))),
    route("/admin/users/{id}/unlock", "POST", Access::RecentAdmin, |r| r.route(web::post().to(admin::unlock))),
    route("/admin/users/{id}/revoke", "GET, HEAD, POST", Access::RecentAdmin, |r| {
        r.route(read().to(admin::ask_to_revoke)).route(web::post().to(admin::revoke))
    }),
    route("/admin/users/{id}/reset-link", "POST", Access::RecentAdmin, |r| r.route(web::post().to(admin::reset_link))),
    route("/admin/users/{id}/role", "POST", Access::RecentAdmin, |r| r.route(web::post().to(admin::role))),
    route("/admin/sessions", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::sessions))),
    route("/admin/events", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::events))),
    route("/admin/events.csv", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::events_csv))),
    route("/admin/events.jsonl", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::events_json_lines))),
    route("/admin/nodes", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::nodes))),
    route("/admin/mails", "GET, HEAD", Access::Admin, |r| r.route(read().to(admin::mails))),
    route("/admin/invitations", "GET, HEAD, POST", Access::RecentAdmin, |r| {
        r.route(read().to(admin::invitations)).route(web::post().to(admin::invite))
    }),
    route("/healthz", "GET, HEAD", Access::Public, |r| r.route(read().to(health::alive))),
    route("/readyz", "GET, HEAD", Access::Public, |r| r.route(read().to(health::ready))),
    route(r"/static/{name:(?:style|icon)\.[\w-]{12}\.(?:css|svg)}", "GET, HEAD", Access::Public, |r| {
        r.route(read().to(static_files::get))
    }),
    route("/favicon.ico", "GET, HEAD", Access::Public, |r| r.route(read().to(static_files::get_fixed))),
    route("/apple-touch-icon.png", "GET, HEAD", Access::Public, |r| r.route(read().to(static_files::get_fixed))),
    route("/robots.txt", "GET, HEAD", Access::Public, |r| r.route(read().to(static_files::get_fixed))),
    route("/api/protected", "GET, HEAD", Access::Bearer, |r| r.route(read().to(api::protected))),
    route("/api/refresh", "POST", Access::Bearer, |r| r.route(web::post().to(api::refresh))),
    route("/api/login", "POST", Access::Public, |r| r.route(web::post().to(api::log_in))),
    route("/api/logout", "POST", Access::Bearer, |r| r.route(web::post().to(api::log_out))),
    route("/api/session", "GET, HEAD", Access::Bearer, |r| r.route(read().to(api::session))),
    route("/api/sessions", "GET, HEAD", Access::Bearer, |r| r.route(read().to(api::sessions))),
    route("/api/sessions/{id}", "DELETE", Access::Bearer, |r| r.route(web::delete().to(api::revoke))),
    route("/api/openapi.json", "GET, HEAD", Access::Public, |r| r.route(read().to(api::openapi))),
];

/// Where password managers look for the page that changes a password.
const CHANGE_PASSWORD: &str = "/.well-known/change-password";

/// What the name of a resource begins with, before the number of its row in [`ROUTES`].
const NAME: &str = "perennial-";

/// Returns the number of the row in [`ROUTES`] that a request fits; nothing where none does.
pub(crate) fn number_of_route(request: &HttpRequest) -> Option<usize> {
    request.match_name()?.strip_prefix(NAME)?.parse().ok()
}

/// Adds every route to an application. What is not there is the application's to say; where it says nothing, the middleware
/// makes a page of it.
pub fn configure(config: &mut ServiceConfig, site: web::Data<Site>) {
    // This runs once for each worker, and gives it a copy.
    config.app_data(web::Data::new(Site::clone(&site)));
    let mount = site.public_url.mount();
    if mount.is_empty() {
        return configure_pages(config, &site);
    }
    let without_slash = web::resource("").route(read().to(handlers::home));
    config.service(web::scope(mount).service(without_slash).configure(|config| configure_pages(config, &site)));
    // Password managers ask for it at the root alone.
    config.service(web::resource(CHANGE_PASSWORD).route(read().to(handlers::where_to_change_password)));
}

/// Adds every route, below where this is called.
fn configure_pages(config: &mut ServiceConfig, site: &web::Data<Site>) {
    let folder = site.static_dir.clone();
    // Actix asks one after the other, and a path with a part that varies costs a regular expression.
    let (varying, fixed): (Vec<_>, Vec<_>) = ROUTES.iter().enumerate().partition(|(_, route)| route.path.contains('{'));
    for (number, route) in fixed.into_iter().chain(varying) {
        let methods = route.methods;
        let resource = (route.build)(web::resource(route.path).name(&format!("{NAME}{number}")));
        let unknown_method = match route.access {
            Access::Admin | Access::RecentAdmin => web::to(move |_: AdminUser| method_not_allowed(methods)),
            _ => web::to(move || method_not_allowed(methods)),
        };
        config.service(resource.default_service(unknown_method));
    }
    if let Some(folder) = folder {
        // Whatever else lies in the folder, for a stylesheet that replaces ours and wants its own images.
        config.service(
            Files::new("/static", folder.path())
                .path_filter(move |name, _| folder.holds(name))
                .method_guard(guard::fn_guard(|context| matches!(context.head().method, Method::GET | Method::HEAD))),
        );
    }
    // Nothing but a slash at the end is too much.
    let of_guard = site.clone();
    let leads_to_page = move |context: &guard::GuardContext<'_>| {
        let head = context.head();
        page_without_slash(&of_guard, &head.method, head.uri.path()).is_some()
    };
    config.service(web::resource("/{page:.+}/").guard(guard::fn_guard(leads_to_page)).to(without_slash));
}

async fn method_not_allowed(methods: &'static str) -> Result<&'static str, WebError> {
    Err(WebError::MethodNotAllowed(methods))
}

/// Returns the page that a path with a slash too many is meant for: a row of the table, and so never another site's, whatever
/// was asked for.
fn page_without_slash(site: &Site, method: &Method, path: &str) -> Option<&'static Route> {
    let path = site.within(path);
    let wanted = path.trim_end_matches('/');
    // A program that is led elsewhere may leave its token behind.
    let reads = matches!(*method, Method::GET | Method::HEAD) && !is_api(wanted);
    ROUTES.iter().find(|route| reads && path != wanted && route.path == wanted && route.methods.starts_with("GET"))
}

/// Leads on to the page that was meant.
async fn without_slash(request: HttpRequest, site: web::Data<Site>) -> Result<HttpResponse, WebError> {
    let page = page_without_slash(&site, request.method(), request.path()).ok_or(WebError::NotFound)?;
    let query = request.query_string();
    let page = site.at(page.path);
    let location = if query.is_empty() { page } else { format!("{page}?{query}") };
    Ok(HttpResponse::PermanentRedirect().insert_header((LOCATION, location)).finish())
}
