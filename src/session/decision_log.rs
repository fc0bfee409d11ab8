//! Why a request was or was not signed in, for `DEBUG_AUTH`.

/// Collects the steps of one decision; it costs nothing unless somebody wants to read it.
#[derive(Debug, Default)]
pub struct DecisionLog(Option<Vec<String>>);

impl DecisionLog {
    /// Starts a log, which stays empty unless `wanted`.
    pub fn new(wanted: bool) -> Self {
        Self(wanted.then(Vec::new))
    }

    /// Adds a step; no secret may go into it.
    pub fn note(&mut self, step: impl FnOnce() -> String) {
        if let Some(steps) = &mut self.0 {
            steps.push(step());
        }
    }

    /// Returns the steps in one line, if they were wanted.
    pub fn line(&self) -> Option<String> {
        self.0.as_ref().map(|steps| steps.join("; "))
    }
}
