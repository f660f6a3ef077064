//! What may pass, and how strictly it is looked at: the part of the gate that settings alone make.

use crate::inspection::Inspectors;
use crate::routes::Routes;
use crate::settings::Settings;

/// The routing table and the inspectors of its paths.
#[derive(Debug)]
pub(crate) struct Table {
    pub(crate) routes: Routes,
    pub(crate) inspectors: Inspectors,
}

impl Table {
    /// Opens the settings.
    pub(crate) fn new(settings: &Settings) -> Self {
        let routes = Routes::new(settings.routes.clone());
        Self { inspectors: Inspectors::new(&settings.inspection, &routes), routes }
    }
}
