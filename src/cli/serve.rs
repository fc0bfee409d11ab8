//! `perennial serve`.

use super::output::{Failure, say};
use crate::app::{Application, StopSignals, listen, system_clock};
use crate::config::{LogFormat, Registration, Settings};
use crate::domain::public_url::PublicUrl;
use crate::telemetry;

/// Serves until it is told to stop.
pub(super) fn run(settings: &Settings) -> Result<(), Failure> {
    match settings.log_format {
        LogFormat::Text => telemetry::start_text(),
        LogFormat::Json => telemetry::start_json(),
    }
    let listener = listen(settings)?;
    let public_url = match &settings.public_url {
        Some(url) => url.clone(),
        None => PublicUrl::localhost(listener.local_addr()?.port()),
    };
    let application = Application::build(settings, public_url.clone(), system_clock())?;
    actix_web::rt::System::new().block_on(async move {
        let stop = StopSignals::listen()?;
        let anybody = application.has_accounts().await?;
        announce(&banner(&public_url, anybody, settings.registration), settings.log_format)?;
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
fn banner(url: &PublicUrl, anybody: bool, registration: Registration) -> String {
    let next = match (anybody, registration) {
        (true, _) => format!("Sign in at {url}/login"),
        (false, Registration::Open) => format!("No account yet? Create the first account at {url}/register"),
        (false, Registration::Closed) => {
            "No account yet, and registration is closed: start once with REGISTRATION=open to create the first"
                .to_owned()
        }
    };
    format!("Perennial {} serves {url}\n{next}\nStop it with Ctrl-C", env!("CARGO_PKG_VERSION"))
}
