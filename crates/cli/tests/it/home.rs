//! The folder of a running system, in every state a person may leave it in.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use crate::youtility;

static COUNTER: AtomicU32 = AtomicU32::new(0);

/// A folder that goes with its test.
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        let number = COUNTER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("youtility-cli-{}-{number}", std::process::id()));
        fs::create_dir(&path).unwrap();
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.0).unwrap();
    }
}

/// What `up` says when it refuses to start in a home.
async fn refusal(home: &Path, more: &[&str]) -> String {
    let arguments = [&["up", "--home", home.to_str().unwrap()], more].concat();
    youtility().run(&arguments).await.failed()
}

#[tokio::test]
async fn a_busy_port_is_named_with_what_to_do() {
    let folder = Folder::new();
    let busy = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = busy.local_addr().unwrap().port();
    let said = refusal(&folder.0, &["--port", &port.to_string()]).await;
    assert!(said.contains(&format!("port {port} for gateway is busy: end what listens there")), "{said}");
    assert!(!folder.0.join("cluster").exists(), "nothing is made before the port is settled");
}

#[tokio::test]
async fn a_home_that_is_a_file_is_refused() {
    let folder = Folder::new();
    let file = folder.0.join("home");
    fs::write(&file, "no folder").unwrap();
    let said = refusal(&file, &[]).await;
    assert!(said.contains(&format!("creating {}", file.display())), "{said}");
}

#[tokio::test]
async fn a_damaged_file_is_named_with_what_to_do() {
    for name in ["running.json", "secrets.json", "ports.json"] {
        let folder = Folder::new();
        let config = folder.0.join("config");
        fs::create_dir(&config).unwrap();
        fs::write(config.join(name), "{").unwrap();
        let said = refusal(&folder.0, &[]).await;
        assert!(said.contains(&format!("{name} is damaged; remove it and start again")), "{said}");
    }
}

#[tokio::test]
async fn where_nothing_runs_status_says_how_to_start() {
    let folder = Folder::new();
    let home = youtility().env([("YOUTILITY_HOME".to_owned(), folder.0.to_str().unwrap().to_owned())]);
    let said = home.run(&["status"]).await.succeeded();
    assert!(said.contains("nothing runs here; start it with `make up`"), "{said}");
    let said = home.run(&["logs", "web"]).await.failed();
    assert!(said.contains("web"), "{said}");
}
