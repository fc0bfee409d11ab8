//! The builder: what an application that embeds Perennial chooses, checked before anything is opened.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;

use actix_web::http::header::HeaderValue;

use super::events::{AccountEvent, EventCursor, boxed};
use super::parts::{KEY_FILE, StartError, system_clock, transport};
use super::{Application, Start};
use crate::config::{Arguments, SettingError};
use crate::domain::clock::Clock;
use crate::domain::public_url::PublicUrl;
use crate::jobs::{Call, HookError};
use crate::mail::Transport;
use crate::web::{Choices, FormPage, Frame, FramedPage, LocalPath};

/// Puts an [`Application`] together; [`Application::builder`] begins one.
///
/// Nothing is read, opened or refused before [`Builder::build`]: whatever is wrong is its error, which names the setting. No
/// environment variable is read unless [`Builder::environment`] says so, and what is set in code goes before it.
#[must_use]
pub struct Builder {
    arguments: Arguments,
    environment: Option<String>,
    key_file: PathBuf,
    mount: Option<String>,
    after_sign_in: Option<String>,
    logo: Option<String>,
    origins: Vec<String>,
    choices: Choices,
    transport: Option<Arc<dyn Transport>>,
    clock: Option<Arc<dyn Clock>>,
    hooks: Vec<(EventCursor, Box<dyn Call>)>,
}

impl Application {
    /// Begins to put one together, for an application around it: with settings in code or from the environment, and with
    /// what only an application chooses.
    pub fn builder() -> Builder {
        Builder {
            arguments: Arguments::default(),
            environment: None,
            key_file: PathBuf::from(KEY_FILE),
            mount: None,
            after_sign_in: None,
            logo: None,
            origins: Vec::new(),
            choices: Choices::default(),
            transport: None,
            clock: None,
            hooks: Vec::new(),
        }
    }
}

impl Builder {
    /// Sets settings, each as the text that its environment variable would hold: `|set| set.site_name = Some("Notes".into())`.
    pub fn settings(mut self, set: impl FnOnce(&mut Arguments)) -> Self {
        set(&mut self.arguments);
        self
    }

    /// Reads the settings that are not set in code from environment variables whose names begin with `prefix`, such as
    /// `PERENNIAL_`; it may be empty.
    pub fn environment(mut self, prefix: &str) -> Self {
        self.environment = Some(prefix.to_owned());
        self
    }

    /// Keeps the key in a file of this path, where it is neither set nor the database a server; `perennial.key` in the
    /// working directory unless this says otherwise. It is made where it is missing.
    pub fn key_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.key_file = path.into();
        self
    }

    /// Puts Perennial's pages below this path, `/auth` for instance, instead of at the root: `/auth/login`, `/auth/devices` and
    /// so on, in pages, redirects and mails alike. The cookies hold for the whole site all the same, and so does
    /// [`authenticate`](crate::authenticate), which belongs to the `App` itself.
    pub fn mount(mut self, path: &str) -> Self {
        self.mount = Some(path.to_owned());
        self
    }

    /// Leads whoever signs in to this path of the application, instead of to `/dashboard`, unless they were on their way to
    /// another page.
    pub fn after_sign_in(mut self, path: &str) -> Self {
        self.after_sign_in = Some(path.to_owned());
        self
    }

    /// Shows the image at this path of the application beside the name of the site, 32 pixels high.
    pub fn logo(mut self, path: &str) -> Self {
        self.logo = Some(path.to_owned());
        self
    }

    /// Puts what `frame` returns around each page of Perennial's. It takes the place of the header, and so needs a button of its
    /// own that signs out.
    pub fn frame(mut self, frame: impl Fn(&FramedPage<'_>) -> Frame + Send + Sync + 'static) -> Self {
        self.choices.frame = Some(Arc::new(frame));
        self
    }

    /// Makes the page at `/login` of the application's own, also where a sign-in was refused; it gets the form to show.
    pub fn sign_in_page(mut self, page: impl Fn(&FormPage<'_>) -> String + Send + Sync + 'static) -> Self {
        self.choices.pages.sign_in = Some(Arc::new(page));
        self
    }

    /// Makes the page at `/register` of the application's own.
    pub fn registration_page(mut self, page: impl Fn(&FormPage<'_>) -> String + Send + Sync + 'static) -> Self {
        self.choices.pages.registration = Some(Arc::new(page));
        self
    }

    /// Makes the page at `/password-reset`, where somebody asks for a link to set a new password, of the application's own.
    pub fn password_reset_page(mut self, page: impl Fn(&FormPage<'_>) -> String + Send + Sync + 'static) -> Self {
        self.choices.pages.password_reset = Some(Arc::new(page));
        self
    }

    /// Lets another origin, such as `https://forms.example.org`, send what changes something; without this only the public
    /// URL's own pages do. The token of a form is asked for all the same.
    ///
    /// It opens no page to scripts of that origin: that takes CORS, which is the application's to answer.
    pub fn allow_origin(mut self, origin: &str) -> Self {
        self.origins.push(origin.to_owned());
        self
    }

    /// Sends mail by a transport of the application's: by the interface of a provider, or into the
    /// [`Memory`](crate::Memory) of a test.
    pub fn transport(mut self, transport: impl Transport) -> Self {
        self.transport = Some(Arc::new(transport));
        self
    }

    /// Tells time by another clock than the machine's: in a test, by a [`ManualClock`](crate::ManualClock).
    pub fn clock(mut self, clock: Arc<dyn Clock>) -> Self {
        self.clock = Some(clock);
        self
    }

    /// Calls a hook for every event of accounts, as [`Application::on_event`] says; that one is for a hook which needs what
    /// is there only after this, such as [`Application::accounts`] or the application's own tables.
    pub fn on_event<F>(mut self, cursor: impl Into<EventCursor>, hook: F) -> Self
    where
        F: AsyncFn(AccountEvent) -> Result<(), HookError> + Send + 'static,
    {
        self.hooks.push((cursor.into(), boxed(hook)));
        self
    }

    /// Checks everything, opens the database, reads the keys and starts what runs beside the requests.
    ///
    /// It blocks for the moment that takes, and may be called before a runtime is started or in an async `main`. A database
    /// that does not answer is waited for up to eight seconds; migrations take as long as they need.
    ///
    /// # Errors
    /// The first setting that makes no sense, by its name; or why there is no database, no key or no way to send mail.
    pub fn build(self) -> Result<Application, StartError> {
        let Self {
            mut arguments,
            environment,
            key_file,
            mount,
            after_sign_in,
            logo,
            origins,
            mut choices,
            transport: own,
            clock,
            hooks,
        } = self;
        let prefix = environment.as_deref().unwrap_or_default();
        let named = |error: SettingError| StartError::Setting { prefix: prefix.to_owned(), error };
        if let Some(prefix) = &environment {
            arguments.fill_from_environment(prefix).map_err(named)?;
        }
        let settings = arguments.settings().map_err(named)?;
        choices.after_sign_in = local("Builder::after_sign_in", after_sign_in)?;
        choices.logo = local("Builder::logo", logo)?;
        choices.origins = origins.iter().map(|text| origin(text)).collect::<Result<_, _>>()?;
        let public_url = settings.public_url.clone();
        let public_url = public_url.unwrap_or_else(|| PublicUrl::localhost(settings.bind.port()));
        let public_url = public_url.mounted_at(mount_path(mount)?);
        let transport = match own {
            Some(transport) => transport,
            None => transport(&settings, &public_url)?,
        };
        let clock = clock.unwrap_or_else(system_clock);
        let application =
            Application::start(Start { settings: &settings, public_url, clock, transport, key_file, choices })?;
        application.log_first_account()?;
        for (cursor, hook) in hooks {
            application.start_hook(cursor, hook)?;
        }
        Ok(application)
    }
}

/// Says which call of the builder's makes no sense.
fn refused(name: &'static str, problem: String) -> StartError {
    StartError::Setting { prefix: String::new(), error: SettingError { name, problem } }
}

fn local(name: &'static str, text: Option<String>) -> Result<Option<LocalPath>, StartError> {
    let parsed = text.map(|text| LocalPath::parse(&text).ok_or(text)).transpose();
    parsed.map_err(|text| refused(name, format!("takes a path of this application, such as /notes, and not {text:?}")))
}

/// Reads where the pages are to be.
fn mount_path(text: Option<String>) -> Result<String, StartError> {
    let Some(text) = text else { return Ok(String::new()) };
    let is_name =
        |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
    match text.strip_prefix('/') {
        Some(names) if names.split('/').all(is_name) => Ok(text),
        _ => {
            let problem = format!(
                "takes a path of letters, digits, hyphens and underscores, such as /auth, without a slash at its end, and not \
                 {text:?}"
            );
            Err(refused("Builder::mount", problem))
        }
    }
}

/// Reads an origin as a browser writes it.
fn origin(text: &str) -> Result<HeaderValue, StartError> {
    let name = "Builder::allow_origin";
    let url: PublicUrl = text
        .parse()
        .map_err(|_| refused(name, format!("takes an origin, such as https://forms.example.org, and not {text:?}")))?;
    HeaderValue::from_str(url.as_str()).map_err(|error| refused(name, error.to_string()))
}

impl fmt::Debug for Builder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Builder")
    }
}
