//! Certificates from authorities of their own, so that TLS is tested against the real thing.

use std::path::Path;

use anyhow::{Context, Result};
use local::account::Account;
use local::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The only name in the certificate of the test cluster.
const HOST: &str = "localhost";

/// A server's certificate with its key and the authority that signed it, all in PEM.
#[derive(Clone, Debug)]
pub struct Certificate {
    /// The authority.
    pub authority: String,
    /// The server's certificate.
    pub certificate: String,
    /// The server's key.
    pub key: String,
}

impl Certificate {
    /// Makes one for a host, from an authority that has signed nothing else.
    ///
    /// # Panics
    /// When the host is no name.
    pub fn for_host(host: &str) -> Self {
        issue(host).expect("a certificate")
    }
}

fn issue(host: &str) -> Result<Certificate> {
    let ca_key = KeyPair::generate().context("making the authority's key")?;
    let mut ca = CertificateParams::new(Vec::new()).context("describing the authority")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority = ca.self_signed(&ca_key).context("signing the authority")?.pem();
    let key = KeyPair::generate().context("making the server's key")?;
    let server = CertificateParams::new(vec![host.to_owned()]).context("describing the server")?;
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).context("signing the server")?.pem();
    Ok(Certificate { authority, certificate, key: key.serialize_pem() })
}

/// Gives a new cluster a certificate, and writes the authority to a file.
pub(crate) fn write(cluster: &Cluster, ca_file: &Path) -> Result<()> {
    let issued = issue(HOST)?;
    let account = Account::unprivileged("postgres")?;
    account.write_file(&cluster.data().join("server.crt"), &issued.certificate)?;
    account.write_file(&cluster.data().join("server.key"), &issued.key)?;
    std::fs::write(ca_file, issued.authority).context("writing the authority")
}
