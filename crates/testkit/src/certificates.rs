//! Certificates of the test cluster, so that TLS is tested against the real thing.

use std::path::Path;

use anyhow::{Context, Result};
use local::account::Account;
use local::postgres::Cluster;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};

/// The only name in the server's certificate.
const HOST: &str = "localhost";

/// Gives a new cluster a certificate from an authority of its own, and writes the authority to a file.
pub(crate) fn write(cluster: &Cluster, ca_file: &Path) -> Result<()> {
    let ca_key = KeyPair::generate().context("making the authority's key")?;
    let mut ca = CertificateParams::new(Vec::new()).context("describing the authority")?;
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca_certificate = ca.self_signed(&ca_key).context("signing the authority")?;
    let key = KeyPair::generate().context("making the server's key")?;
    let server = CertificateParams::new(vec![HOST.to_owned()]).context("describing the server")?;
    let certificate = server.signed_by(&key, &Issuer::new(ca, ca_key)).context("signing the server")?;
    let account = Account::unprivileged("postgres")?;
    account.write_file(&cluster.data().join("server.crt"), &certificate.pem())?;
    account.write_file(&cluster.data().join("server.key"), &key.serialize_pem())?;
    std::fs::write(ca_file, ca_certificate.pem()).context("writing the authority")
}
