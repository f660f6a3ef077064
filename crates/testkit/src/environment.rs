//! Settings as environment variables.

/// What a process under test needs to run beside others: development, free ports, no pause before it stops.
pub fn process_env() -> Vec<(String, String)> {
    env_with(
        Vec::new(),
        &[
            ("PROCESS__ENVIRONMENT", "development"),
            ("PROCESS__DRAIN_DELAY_MS", "0"),
            ("PROCESS__ADMIN_BIND", "127.0.0.1:0"),
            ("HTTP__BIND", "127.0.0.1:0"),
        ],
    )
}

/// Adds or replaces settings, written `SECTION__KEY`.
pub fn env_with(mut env: Vec<(String, String)>, changes: &[(&str, &str)]) -> Vec<(String, String)> {
    for (key, value) in changes {
        let key = format!("YOUTILITY_{key}");
        env.retain(|(known, _)| *known != key);
        env.push((key, (*value).to_owned()));
    }
    env
}
