//! A whole process: its command line, its log, its traces, its end.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, ExitStatus, Output, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use service::HttpClientSettings;

/// `examples/smallest.rs`, built beside the tests.
fn command(env: &[(&str, &str)]) -> Command {
    example("smallest", env)
}

fn example(name: &str, env: &[(&str, &str)]) -> Command {
    let folder = std::env::current_exe().unwrap().ancestors().nth(2).map(PathBuf::from).unwrap();
    let mut command = Command::new(folder.join("examples").join(name));
    command.env_clear().envs(env.iter().copied());
    command
}

fn output(arguments: &[&str], env: &[(&str, &str)]) -> (Output, String) {
    let output = command(env).args(arguments).output().unwrap();
    let text = String::from_utf8(if output.status.success() {
        output.stdout.clone()
    } else {
        output.stderr.clone()
    });
    (output, text.unwrap())
}

/// A process that serves, and the lines it logs.
struct Served {
    child: Child,
    log: BufReader<ChildStdout>,
    started: Value,
}

impl Served {
    fn start(env: &[(&str, &str)]) -> Self {
        let env: Vec<_> = env.iter().chain(&[("YOUTILITY_PROCESS__DRAIN_DELAY_MS", "0")]).copied().collect();
        let mut child = command(&env).arg("serve").stdout(Stdio::piped()).spawn().unwrap();
        let log = BufReader::new(child.stdout.take().unwrap());
        let mut served = Self { child, log, started: Value::Null };
        served.started = served.line("started");
        served
    }

    /// An address on one of its listeners, `address` or `admin`.
    fn url(&self, listener: &str, path: &str) -> String {
        format!("http://{}{path}", self.started[listener].as_str().unwrap())
    }

    /// The next line with a message.
    fn line(&mut self, message: &str) -> Value {
        self.log
            .by_ref()
            .lines()
            .map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap())
            .find(|line| line["message"] == message)
            .expect("the line is logged before the process ends")
    }

    /// Sends SIGTERM and waits; gives how it ended.
    fn terminate(&mut self) -> ExitStatus {
        let pid = Pid::from_raw(i32::try_from(self.child.id()).unwrap()).unwrap();
        kill_process(pid, Signal::TERM).unwrap();
        self.child.wait().unwrap()
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        if self.child.try_wait().unwrap().is_none() {
            self.child.kill().unwrap();
            self.child.wait().unwrap();
        }
    }
}

fn client() -> reqwest::Client {
    let settings = HttpClientSettings { connect_timeout_ms: 1000, timeout_ms: 5000, idle_connections_max: 0 };
    service::http_client(&settings).unwrap()
}

#[test]
fn a_process_that_gives_up_drains_and_fails() {
    let env = [("YOUTILITY_PROCESS__DRAIN_DELAY_MS", "0"), ("YOUTILITY_PROCESS__ADMIN_BIND", "127.0.0.1:0")];
    let output = example("giving_up", &env).output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    let log = String::from_utf8(output.stdout).unwrap();
    assert!(log.contains("draining") && log.contains("the process gave up its work"), "{log}");
}

#[test]
fn config_print_shows_the_effective_settings() {
    let (output, text) = output(&["config", "print"], &[("YOUTILITY_HTTP__WORKERS", "3")]);
    assert_eq!(output.status.code(), Some(0));
    let printed: toml::Table = text.parse().unwrap();
    assert_eq!(printed["http"]["workers"].as_integer(), Some(3));
}

#[test]
fn config_check_names_every_mistake_and_fails() {
    let env = [("YOUTILITY_HTTP__WORKERS", "none"), ("YOUTILITY_PROCESS__LOG_FORMAT", "xml")];
    let (output, text) = output(&["config", "check"], &env);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("http.workers: ") && text.contains("process.log_format: "), "{text}");
    let (output, _) = self::output(&["config", "check"], &[]);
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn a_wrong_setting_keeps_the_process_from_starting() {
    let (output, text) = output(&[], &[("YOUTILITY_HTTP__BIDN", "127.0.0.1:1")]);
    assert_eq!(output.status.code(), Some(1));
    assert!(text.contains("http.bidn: unknown field"), "{text}");
}

#[tokio::test]
async fn a_process_serves_logs_one_line_per_request_and_ends_with_zero() {
    let mut served = Served::start(&[]);
    let id = "01890a5d-ac96-774b-bcce-b302099a8057";
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    let request = client().get(served.url("address", "/greetings/asha"));
    let request = request.header(api::headers::CORRELATION_ID, id).header("traceparent", trace);
    assert_eq!(request.send().await.unwrap().text().await.unwrap(), "Good morning, asha.\n");
    let line = served.line("request");
    assert_eq!(
        (&line["level"], &line["target"], &line["http.status"]),
        (&"INFO".into(), &"request".into(), &200.into())
    );
    let span = &line["span"];
    assert_eq!((&span["correlation_id"], &span["http.route"]), (&id.into(), &"/greetings/{name}".into()));
    assert_eq!(span["trace_id"], "0af7651916cd43dd8448eb211c80319c");
    assert!(!line.to_string().contains("asha"));
    assert_eq!(served.terminate().code(), Some(0));
}

#[tokio::test]
async fn the_log_filter_changes_while_the_process_runs() {
    let mut served = Served::start(&[]);
    let change = client().put(served.url("admin", "/log")).body("warn");
    assert_eq!(change.send().await.unwrap().status(), 204);
    client().get(served.url("address", "/greetings/asha")).send().await.unwrap();
    assert_eq!(served.terminate().code(), Some(0));
    let rest: Vec<_> = served.log.by_ref().lines().map(Result::unwrap).collect();
    assert!(!rest.iter().any(|line| line.contains("\"request\"")), "{rest:?}");
}

#[tokio::test]
async fn a_trace_is_continued_and_sent_before_the_end() {
    let collector = TcpListener::bind("127.0.0.1:0").unwrap();
    let endpoint = format!("http://{}", collector.local_addr().unwrap());
    let env =
        [("YOUTILITY_PROCESS__OTLP_ENDPOINT", endpoint.as_str()), ("YOUTILITY_PROCESS__TRACE_RATIO", "0")];
    let mut served = Served::start(&env);
    let request = client().get(served.url("address", "/greetings/asha"));
    let trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
    request.header("traceparent", trace).send().await.unwrap();
    let collecting = std::thread::spawn(move || collect(&collector));
    assert_eq!(served.terminate().code(), Some(0));
    let (head, body) = collecting.join().unwrap();
    assert!(head.starts_with("POST /v1/traces "), "{head}");
    let trace_id =
        [0x0a, 0xf7, 0x65, 0x19, 0x16, 0xcd, 0x43, 0xdd, 0x84, 0x48, 0xeb, 0x21, 0x1c, 0x80, 0x31, 0x9c];
    assert!(body.windows(16).any(|window| window == trace_id));
    assert!(String::from_utf8_lossy(&body).contains("GET /greetings/{name}"));
}

/// Takes one export and answers it.
fn collect(collector: &TcpListener) -> (String, Vec<u8>) {
    let (mut connection, _) = collector.accept().unwrap();
    connection.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let mut reader = BufReader::new(connection.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        reader.read_line(&mut head).unwrap();
    }
    let headers: BTreeMap<String, &str> = head
        .lines()
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_lowercase(), value))
        .collect();
    let mut body = vec![0; headers["content-length"].parse().unwrap()];
    reader.read_exact(&mut body).unwrap();
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").unwrap();
    (head, body)
}
