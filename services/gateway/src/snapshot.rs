//! What requests read and a reload replaces as a whole: the table, and the upstreams it names.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use reqwest::Url;

use crate::request_rates::RequestRates;
use crate::settings::{AUTH, Settings};
use crate::table::Table;
use crate::upstreams::Upstream;

/// One state of the settings that may change while requests pass. A request keeps the one it began with.
#[derive(Debug)]
pub(crate) struct Snapshot {
    pub(crate) table: Table,
    upstreams: BTreeMap<String, Arc<Upstream>>,
}

impl Snapshot {
    /// Opens the settings.
    pub(crate) fn new(settings: &Settings) -> anyhow::Result<Self> {
        Self::with(settings, |_name, _urls| None)
    }

    /// Opens settings that were read again. An upstream whose addresses are the same goes on as it is, with what is known
    /// about them.
    ///
    /// # Errors
    /// When a part that cannot be replaced would have to be.
    pub(crate) fn renewed(&self, settings: &Settings, rates: &RequestRates) -> anyhow::Result<Self> {
        if self.kept(AUTH, settings.upstreams.get(AUTH).map_or(&[], |urls| urls.as_slice())).is_none() {
            bail!("upstreams.auth is another: that needs a restart");
        }
        let mut classes = settings.routes.iter().filter_map(|route| route.class.as_deref());
        if let Some(class) = classes.find(|class| rates.class(class).is_none()) {
            bail!("rates.classes.{class} is new: that needs a restart");
        }
        Self::with(settings, |name, urls| self.kept(name, urls))
    }

    /// The upstream with a name.
    pub(crate) fn upstream(&self, name: &str) -> Option<&Arc<Upstream>> {
        self.upstreams.get(name)
    }

    fn kept(&self, name: &str, urls: &[Url]) -> Option<Arc<Upstream>> {
        self.upstreams.get(name).filter(|upstream| upstream.is_at(urls)).cloned()
    }

    fn with(
        settings: &Settings,
        kept: impl Fn(&str, &[Url]) -> Option<Arc<Upstream>>,
    ) -> anyhow::Result<Self> {
        let limits = settings.upstream_limits();
        let upstreams = settings.upstreams.iter().map(|(name, urls)| {
            let urls = urls.as_slice();
            let upstream = match kept(name, urls) {
                Some(upstream) => upstream,
                None => Upstream::new(name, urls, limits)
                    .map(Arc::new)
                    .with_context(|| format!("reading the addresses of {name}"))?,
            };
            Ok((name.clone(), upstream))
        });
        Ok(Self { upstreams: upstreams.collect::<anyhow::Result<_>>()?, table: Table::new(settings) })
    }
}
