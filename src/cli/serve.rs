//! `perennial serve`.

use super::output::{Failure, say};
use crate::app::{Application, StartError, StopSignals, bind, system_clock, tell_ready, transport};
use crate::config::{LogFormat, Registration, Settings, warnings};
use crate::domain::public_url::PublicUrl;
use crate::telemetry;

/// What is said where nobody can tell under which address people come.
const PUBLIC_URL_NEEDED: &str = "PUBLIC_URL: is required with a Unix socket: the origin under which people reach the site, \
                                 such as https://sign-in.example.org";

/// Serves until it is told to stop.
pub(super) fn run(settings: &Settings, warnings_of_files: &[String]) -> Result<(), Failure> {
    match settings.log_format {
        LogFormat::Text => telemetry::start_text(),
        LogFormat::Json => telemetry::start_json(),
    }
    for warning in warnings(Some(settings)).iter().chain(warnings_of_files) {
        tracing::warn!("{warning}");
    }
    let address = bind(settings)?;
    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        None => match address.port()? {
            Some(port) => PublicUrl::localhost(port),
            None => return Err(Failure::Usage(PUBLIC_URL_NEEDED.to_owned())),
        },
    };
    let transport = transport(settings, &public_url)?;
    let built = Application::build_with_transport(settings, public_url.clone(), system_clock(), transport);
    let application = built.map_err(|error| match error {
        // What is wrong is in what a setting names.
        StartError::MailTemplate(error) => Failure::Usage(error.to_string()),
        error => error.into(),
    })?;
    actix_web::rt::System::new().block_on(async move {
        let stop = StopSignals::listen()?;
        let first_account = application.first_account_url().await?;
        let listener = address.listen()?;
        tell_ready();
        announce(&banner(&public_url, first_account.as_deref(), settings.registration), settings.log_format)?;
        Ok(application.serve(listener, stop).await?)
    })
}

/// Prints the banner: for people, or each line as an object where a machine reads them.
fn announce(banner: &str, format: LogFormat) -> Result<(), Failure> {
    match format {
        LogFormat::Text => say(banner)?,
        LogFormat::Json => banner.lines().for_each(telemetry::print_json),
    }
    Ok(())
}

/// Says where to go, and what to do there first.
fn banner(url: &PublicUrl, first_account: Option<&str>, registration: Registration) -> String {
    let next = match (first_account, registration) {
        (None, _) => format!("Sign in at {url}/login"),
        (Some(link), Registration::Open) => format!("No account yet? Create the first account at {link}"),
        (Some(_), Registration::Closed) => {
            "No account yet, and registration is closed: start once with REGISTRATION=open to create the first"
                .to_owned()
        }
    };
    format!("Perennial {} serves {url}\n{next}\nStop it with Ctrl-C", env!("CARGO_PKG_VERSION"))
}
