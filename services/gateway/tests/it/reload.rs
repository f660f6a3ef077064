//! Settings that are read again while requests pass.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use testkit::process::Started;

use crate::process::gateway;
use crate::upstream::{Auth, Upstream};
use crate::world::{SOON, client};

/// A gateway with a file of settings, and what stands behind it.
struct Reloaded {
    file: PathBuf,
    gateway: Started,
    first: Upstream,
    second: Upstream,
    _auth: Upstream,
}

impl Reloaded {
    async fn start(name: &str, poll_ms: &str) -> Self {
        let (auth, first, second) = (Auth::new().start(), Upstream::echo("first"), Upstream::echo("second"));
        let file = std::env::temp_dir().join(format!("gateway-{name}-{}.toml", std::process::id()));
        std::fs::write(&file, table(&["/login"], &first)).unwrap();
        let gateway = gateway()
            .set(&[
                ("HTTP__BIND", "127.0.0.1:0"),
                ("UPSTREAMS__AUTH", &auth.url()),
                ("UPSTREAMS__HEALTH", &first.url()),
                ("RELOAD__POLL_MS", poll_ms),
            ])
            .file(&file)
            .start()
            .await;
        Self { file, gateway, first, second, _auth: auth }
    }

    fn write(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
    }

    async fn status_of(&self, path: &str) -> u16 {
        client().get(self.gateway.url(path)).send().await.unwrap().status().as_u16()
    }

    async fn wait_for(&self, path: &str, status: u16) {
        testkit::wait_until("the other routes", SOON, || async {
            (self.status_of(path).await == status).then_some(())
        })
        .await;
    }

    async fn wait_for_refusals(&self, count: usize) {
        testkit::wait_until("a refusal in the log", SOON, || async {
            (self.gateway.log().matches("the last good state stays").count() >= count).then_some(())
        })
        .await;
    }
}

impl Drop for Reloaded {
    fn drop(&mut self) {
        std::fs::remove_file(&self.file).unwrap();
    }
}

fn table(prefixes: &[&str], web: &Upstream) -> String {
    let route = |prefix: &&str| {
        format!("[[routes]]\nprefix = \"{prefix}\"\nupstream = \"web\"\naccess = \"public\"\n")
    };
    let routes: String = prefixes.iter().map(route).collect();
    format!("[upstreams]\nweb = \"{}\"\n{routes}", web.url())
}

#[tokio::test]
async fn routes_are_taken_over_on_sighup_and_no_request_is_lost() {
    let world = Reloaded::start("sighup", "0").await;
    assert_eq!((world.status_of("/login").await, world.status_of("/new").await), (200, 404));
    let (is_over, sent) = (AtomicBool::new(false), AtomicUsize::new(0));
    let traffic = async {
        let client = client();
        while !is_over.load(Ordering::SeqCst) {
            assert_eq!(client.get(world.gateway.url("/login")).send().await.unwrap().status(), 200);
            sent.fetch_add(1, Ordering::SeqCst);
        }
    };
    let reloads = async {
        for _ in 0..3 {
            world.write(&table(&["/login", "/new"], &world.first));
            world.gateway.hang_up();
            world.wait_for("/new", 200).await;
            world.write(&table(&["/login"], &world.second));
            world.gateway.hang_up();
            world.wait_for("/new", 404).await;
        }
        is_over.store(true, Ordering::SeqCst);
    };
    tokio::join!(traffic, reloads);
    assert!(sent.load(Ordering::SeqCst) > 6);
    let answer = client().get(world.gateway.url("/login")).send().await.unwrap();
    assert!(answer.text().await.unwrap().contains("\"second\""), "the other address of the upstream");
}

#[tokio::test]
async fn a_file_that_changes_is_noticed() {
    let world = Reloaded::start("polled", "50").await;
    world.write(&table(&["/login", "/new"], &world.first));
    world.wait_for("/new", 200).await;
}

#[tokio::test]
async fn settings_that_are_wrong_or_need_a_restart_are_refused_and_the_last_good_ones_stay() {
    let world = Reloaded::start("wrong", "0").await;
    let good = table(&["/login"], &world.first);
    let wrong = [
        "[[routes]".to_owned(),
        good.replace("upstream = \"web\"", "upstream = \"nobody\""),
        good.replace("[upstreams]", "[unknown]\nkey = 1\n[upstreams]"),
        good.replace("access = \"public\"", "access = \"public\"\nclass = \"unheard-of\""),
    ];
    for (number, text) in wrong.iter().enumerate() {
        assert_ne!(*text, good);
        world.write(text);
        world.gateway.hang_up();
        world.wait_for_refusals(number + 1).await;
        assert_eq!(world.status_of("/login").await, 200, "{text}");
    }
    world.write(&table(&["/login", "/new"], &world.first));
    world.gateway.hang_up();
    world.wait_for("/new", 200).await;
}

#[tokio::test]
async fn a_section_that_needs_a_restart_is_named() {
    let world = Reloaded::start("restart", "0").await;
    world.write(&format!("[limits]\ntarget_bytes_max = 100\n{}", table(&["/login"], &world.first)));
    world.gateway.hang_up();
    testkit::wait_until("the warning", SOON, || async {
        let log = world.gateway.log();
        (log.contains("needs a restart") && log.contains("\"section\":\"limits\"")).then_some(())
    })
    .await;
    assert_eq!(world.status_of(&format!("/login?{}", "x".repeat(200))).await, 200);
}
