//! The command line itself.

use crate::youtility;

#[tokio::test]
async fn help_lists_every_command() {
    let help = youtility().run(&["--help"]).await.succeeded();
    for command in ["up", "down", "status", "logs", "migrate", "tasks", "demo", "device"] {
        let line = help.lines().find(|line| line.split_whitespace().next() == Some(command));
        assert!(line.is_some_and(|line| line.split_whitespace().count() > 1), "{command} in {help}");
    }
}

#[tokio::test]
async fn version_says_which_build_this_is() {
    let version = youtility().run(&["--version"]).await.succeeded();
    assert_eq!(version.trim(), concat!("youtility ", env!("CARGO_PKG_VERSION")));
}

#[tokio::test]
async fn a_command_that_does_not_exist_is_refused_with_the_way_to_help() {
    let refused = youtility().run(&["upp"]).await;
    assert_eq!(refused.code, Some(2));
    assert!(refused.said.contains("'upp'") && refused.said.contains("--help"), "{}", refused.said);
}
