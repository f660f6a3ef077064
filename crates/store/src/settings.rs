//! The `[database]` section of every process that reaches PostgreSQL.

use std::time::Duration;

use domain::Secret;
use serde::{Deserialize, Serialize};
use tokio_postgres::Config;
use tokio_postgres::config::{SslMode, TargetSessionAttrs};

/// Silence on a connection before the kernel asks whether the other side lives.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(10);
/// Time between two such questions.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);
/// Questions without an answer before the connection is given up.
const KEEPALIVE_RETRIES: u32 = 3;
/// How often a running statement looks whether its caller is still there, so that nobody keeps locks for the departed.
const CLIENT_CHECK_INTERVAL_MS: u64 = 500;
/// How long sent bytes may stay unacknowledged.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(15);

/// How much the connection trusts the network, in libpq's words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum TlsMode {
    /// Never encrypted.
    Disable,
    /// Encrypted when the server offers it, whoever the server is.
    Prefer,
    /// Always encrypted, and the server proves its name: the same as [`TlsMode::VerifyFull`].
    Require,
    /// Always encrypted, and the certificate comes from a trusted authority; its name is not compared.
    VerifyCa,
    /// Always encrypted, and the certificate is trusted and carries the host's name. For production.
    VerifyFull,
}

impl TlsMode {
    fn ssl_mode(self) -> SslMode {
        match self {
            Self::Disable => SslMode::Disable,
            Self::Prefer => SslMode::Prefer,
            Self::Require | Self::VerifyCa | Self::VerifyFull => SslMode::Require,
        }
    }
}

/// Where the database is, who asks, and how long anything may take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DatabaseSettings {
    /// Host, or several separated by commas; the one that accepts writes is used.
    pub host: String,
    /// Port of every host.
    pub port: u16,
    /// Name of the database.
    pub name: String,
    /// Role to connect as.
    pub user: String,
    /// Password of the role.
    pub password: Secret,
    /// How much the connection trusts the network.
    pub tls: TlsMode,
    /// PEM file of trusted authorities; empty means the operating system's.
    pub ca_file: String,
    /// Connections of this process at most.
    pub pool_size: usize,
    /// How long a caller waits for a free connection.
    pub wait_timeout_ms: u64,
    /// How long connecting to one host may take.
    pub connect_timeout_ms: u64,
    /// How long one statement may run; for migrations, how long to wait for another process that migrates.
    pub statement_timeout_ms: u64,
    /// How long one statement may wait for a lock.
    pub lock_timeout_ms: u64,
    /// How long a transaction may sit without a statement.
    pub idle_in_transaction_timeout_ms: u64,
    /// Age at which a connection is replaced; each lives up to a fifth shorter, so that they do not go together.
    pub lifetime_ms: u64,
    /// How often a transaction that lost a race is tried, the first time included.
    pub transaction_attempts_max: u32,
    /// How long a statement may take before the log is told; 0 tells it nothing.
    pub slow_statement_ms: u64,
}

/// The limits that `default.toml` documents, for a database on this machine; role and password are missing.
impl Default for DatabaseSettings {
    fn default() -> Self {
        Self {
            host: "127.0.0.1".to_owned(),
            port: 5432,
            name: "youtility".to_owned(),
            user: String::new(),
            password: Secret::default(),
            tls: TlsMode::VerifyFull,
            ca_file: String::new(),
            pool_size: 8,
            wait_timeout_ms: 2_000,
            connect_timeout_ms: 3_000,
            statement_timeout_ms: 10_000,
            lock_timeout_ms: 3_000,
            idle_in_transaction_timeout_ms: 15_000,
            lifetime_ms: 1_800_000,
            transaction_attempts_max: 10,
            slow_statement_ms: 200,
        }
    }
}

impl DatabaseSettings {
    /// Reports every value that cannot work, as key within the section and what to do.
    pub fn check(&self, mut report: impl FnMut(&'static str, &'static str)) {
        let texts = [("host", &self.host), ("name", &self.name), ("user", &self.user)];
        for (key, text) in texts {
            if text.trim().is_empty() {
                report(key, "must not be empty");
            }
        }
        let limits = [
            ("wait_timeout_ms", self.wait_timeout_ms),
            ("connect_timeout_ms", self.connect_timeout_ms),
            ("statement_timeout_ms", self.statement_timeout_ms),
            ("lock_timeout_ms", self.lock_timeout_ms),
            ("idle_in_transaction_timeout_ms", self.idle_in_transaction_timeout_ms),
            ("lifetime_ms", self.lifetime_ms),
            ("transaction_attempts_max", u64::from(self.transaction_attempts_max)),
        ];
        for (key, limit) in limits {
            if limit == 0 {
                report(key, "use at least 1; nothing waits for ever");
            }
        }
        if self.pool_size == 0 {
            report("pool_size", "use at least 1");
        }
    }

    pub(crate) fn wait_timeout(&self) -> Duration {
        Duration::from_millis(self.wait_timeout_ms)
    }

    /// The limit on connecting to all hosts, one after the other, with sign-in.
    pub(crate) fn create_timeout(&self) -> Duration {
        let hosts = u64::try_from(self.hosts().count()).unwrap_or(1);
        Duration::from_millis(self.connect_timeout_ms.saturating_mul(hosts.saturating_add(1)))
    }

    /// How long to wait for the answer to a statement: its own limit, and as long as connecting may take for the way.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms.saturating_add(self.connect_timeout_ms))
    }

    /// How long a statement may take before the log is told, if it is told at all.
    pub(crate) fn slow_statement(&self) -> Option<Duration> {
        (self.slow_statement_ms > 0).then(|| Duration::from_millis(self.slow_statement_ms))
    }

    pub(crate) fn migration_wait(&self) -> Duration {
        Duration::from_millis(self.statement_timeout_ms)
    }

    pub(crate) fn lifetime(&self) -> Duration {
        Duration::from_millis(self.lifetime_ms)
    }

    fn hosts(&self) -> impl Iterator<Item = &str> {
        self.host.split(',').map(str::trim).filter(|host| !host.is_empty())
    }

    /// The driver's configuration of a connection that serves requests.
    pub(crate) fn connection(&self, application_name: &str) -> Config {
        let mut config = self.bare_connection(application_name);
        config.options(format!(
            "-c statement_timeout={} -c lock_timeout={} -c idle_in_transaction_session_timeout={} \
             -c client_connection_check_interval={}",
            self.statement_timeout_ms,
            self.lock_timeout_ms,
            self.idle_in_transaction_timeout_ms,
            CLIENT_CHECK_INTERVAL_MS
        ));
        config
    }

    /// The driver's configuration without a limit on statements: migrations take as long as they take.
    pub(crate) fn bare_connection(&self, application_name: &str) -> Config {
        let mut config = Config::new();
        for host in self.hosts() {
            config.host(host);
        }
        config
            .port(self.port)
            .dbname(&self.name)
            .user(&self.user)
            .password(self.password.expose())
            .application_name(application_name)
            .options(format!("-c lock_timeout={}", self.lock_timeout_ms))
            .ssl_mode(self.tls.ssl_mode())
            .target_session_attrs(TargetSessionAttrs::ReadWrite)
            .connect_timeout(Duration::from_millis(self.connect_timeout_ms))
            .keepalives(true)
            .keepalives_idle(KEEPALIVE_IDLE)
            .keepalives_interval(KEEPALIVE_INTERVAL)
            .keepalives_retries(KEEPALIVE_RETRIES)
            .tcp_user_timeout(UNACKNOWLEDGED_MAX);
        config
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_impossible_value_is_reported_at_once() {
        let settings = DatabaseSettings { pool_size: 0, lock_timeout_ms: 0, ..DatabaseSettings::default() };
        let mut keys = Vec::new();
        settings.check(|key, _| keys.push(key));
        assert_eq!(keys, ["user", "lock_timeout_ms", "pool_size"]);
    }

    #[test]
    fn every_host_of_a_list_is_tried() {
        let settings = DatabaseSettings { host: "db-1, db-2,db-3".to_owned(), ..DatabaseSettings::default() };
        assert_eq!(settings.connection("test").get_hosts().len(), 3);
        assert_eq!(settings.create_timeout(), Duration::from_secs(12));
    }

    #[test]
    fn libpq_names_are_understood() {
        let mode: TlsMode = serde_json::from_str("\"verify-full\"").unwrap();
        assert_eq!(mode, TlsMode::VerifyFull);
        assert!(serde_json::from_str::<TlsMode>("\"allow\"").is_err());
    }
}
