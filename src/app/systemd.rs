//! What systemd is told, where it wants to know (`sd_notify(3)`): whoever orders services after this one waits until it serves.

use sd_notify::NotifyState;

/// Says that pages are served from now on.
pub fn tell_ready() {
    tell(NotifyState::Ready);
}

/// Says that the process is about to end.
pub(super) fn tell_stopping() {
    tell(NotifyState::Stopping);
}

fn tell(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::warn!(%error, "systemd asked to be notified, and could not be");
    }
}
