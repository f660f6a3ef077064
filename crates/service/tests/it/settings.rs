//! Settings: layers, types, secrets, and every mistake at once.

use std::io::Write as _;
use std::path::PathBuf;
use std::slice::from_ref;

use service::{Environment, Mistakes, load_settings};

use crate::bench::{ABOUT, INTERNAL_KEY, Keys, KitchenSettings, Table, env};

fn load(files: &[PathBuf], more: &[(&str, &str)]) -> Result<KitchenSettings, Mistakes> {
    load_settings(&ABOUT, files, env(&Keys::generate(), more))
}

fn keys(mistakes: &Mistakes) -> Vec<&str> {
    mistakes.iter().map(|mistake| mistake.key.as_str()).collect()
}

/// A file that is gone when the test ends.
struct Scratch(PathBuf);

impl Scratch {
    fn new(content: &str) -> Self {
        let path = std::env::temp_dir().join(format!("service-{}.toml", domain::SessionId::generate()));
        std::fs::File::create(&path).unwrap().write_all(content.as_bytes()).unwrap();
        Self(path)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).unwrap();
    }
}

#[test]
fn the_environment_wins_over_files_and_files_over_defaults() {
    let first = Scratch::new("[http]\nworkers = 3\nkeep_alive_ms = 1000\n");
    let second = Scratch::new("[http]\nworkers = 4\n");
    let files = [first.0.clone(), second.0.clone()];
    let settings = load(&files, &[]).unwrap();
    assert_eq!((settings.http.workers, settings.http.keep_alive_ms), (4, 1000));
    let settings = load(&files, &[("YOUTILITY_HTTP__WORKERS", "5")]).unwrap();
    assert_eq!(settings.http.workers, 5);
}

#[test]
fn lists_and_maps_come_from_files_and_from_the_environment() {
    let file = Scratch::new("[kitchen.prices]\ndal = 20\n[[kitchen.tables]]\nname = \"window\"\nseats = 4\n");
    let more = [("YOUTILITY_KITCHEN__COOKS", "asha, ravi"), ("YOUTILITY_KITCHEN__PRICES__RICE", "5")];
    let kitchen = load(from_ref(&file.0), &more).unwrap().kitchen;
    assert_eq!(kitchen.tables, [Table { name: "window".to_owned(), seats: 4 }]);
    assert_eq!(kitchen.cooks, ["asha", "ravi"]);
    let prices: Vec<_> = kitchen.prices.iter().map(|(dish, price)| (dish.as_str(), *price)).collect();
    assert_eq!(prices, [("dal", 20), ("rice", 5), ("tea", 10)]);
    let tables = [("YOUTILITY_KITCHEN__TABLES", "[{ name = \"door\", seats = 2 }]")];
    assert_eq!(load(&[], &tables).unwrap().kitchen.tables[0].name, "door");
}

#[test]
fn a_text_that_looks_like_a_number_stays_a_text() {
    let development =
        [("YOUTILITY_PROCESS__ENVIRONMENT", "development"), ("YOUTILITY_TRUST__INTERNAL_KEY", "0042")];
    assert_eq!(load(&[], &development).unwrap().trust.internal_key.expose(), "0042");
}

#[test]
fn all_mistakes_are_reported_at_once_by_key() {
    let file = Scratch::new(
        "[http]\nbidn = \"127.0.0.1:1\"\nkeep_alive_ms = \"long\"\n\
         [[kitchen.tables]]\nname = \"window\"\nseats = 4\nlegs = 3\n[oven]\nhot = true\n",
    );
    let missing = PathBuf::from("/nowhere/settings.toml");
    let more = [
        ("YOUTILITY_HTTP__WORKERS", "many"),
        ("YOUTILITY_HTTP__WORKER", "2"),
        ("YOUTILITY_PROCESS__TRACE_RATIO", "7"),
        ("YOUTILITY_TRUST__INTERNAL_KEY", "weak"),
    ];
    let mistakes = load(&[file.0.clone(), missing], &more).unwrap_err();
    let mut found = keys(&mistakes);
    found.sort_unstable();
    let expected = [
        "/nowhere/settings.toml",
        "http.bidn",
        "http.keep_alive_ms",
        "http.worker",
        "http.workers",
        "kitchen.tables[0].legs",
        "oven",
        "process.trace_ratio",
        "trust.internal_key",
    ];
    assert_eq!(found, expected, "{mistakes}");
}

#[test]
fn weak_secrets_are_refused_in_production_and_accepted_in_development() {
    let weak = ("YOUTILITY_TRUST__INTERNAL_KEY", "changeme");
    let mistakes = load(&[], &[weak]).unwrap_err();
    assert_eq!(keys(&mistakes), ["trust.internal_key"]);
    assert!(!mistakes.to_string().contains("changeme"));
    let settings = load(&[], &[weak, ("YOUTILITY_PROCESS__ENVIRONMENT", "development")]).unwrap();
    assert_eq!(settings.process.environment, Environment::Development);
}

#[test]
fn a_secret_may_stand_in_a_file() {
    let secret = Scratch::new(&format!("{INTERNAL_KEY}\n"));
    let pairs = [
        ("YOUTILITY_TRUST__INTERNAL_KEY_FILE".to_owned(), secret.0.display().to_string()),
        ("YOUTILITY_TRUST__IDENTITY_PUBLIC_KEY".to_owned(), Keys::generate().public_pem),
    ];
    let settings: KitchenSettings = load_settings(&ABOUT, &[], pairs).unwrap();
    assert_eq!(settings.trust.internal_key.expose(), INTERNAL_KEY);
    let file = Scratch::new("[trust]\nidentity_public_key_file = \"/nowhere/key.pem\"\n");
    assert!(load(from_ref(&file.0), &[]).is_ok(), "a key in the environment wins over a file's");
    let mistakes = load_settings::<KitchenSettings>(&ABOUT, from_ref(&file.0), []).unwrap_err();
    assert!(keys(&mistakes).contains(&"trust.identity_public_key_file"), "{mistakes}");
}

#[test]
fn printed_settings_hide_secrets_and_can_be_read_again() {
    let printed = toml::to_string_pretty(&load(&[], &[]).unwrap()).unwrap();
    assert!(!printed.contains(INTERNAL_KEY) && printed.contains("internal_key = \"***\""), "{printed}");
    printed.parse::<toml::Table>().unwrap();
}

#[test]
fn sections_of_other_processes_are_passed_over_in_a_shared_environment() {
    assert!(load(&[], &[("YOUTILITY_DATABASE__HOST", "db")]).is_ok());
    assert_eq!(keys(&load(&[], &[("YOUTILITY_DATABSE__HOST", "db")]).unwrap_err()), ["databse"]);
}
