use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;

use local::mail::{Answer, MailSink};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

const ANY_PORT: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 0);

/// A folder that goes with its test.
struct Folder(PathBuf);

impl Drop for Folder {
    fn drop(&mut self) {
        std::fs::remove_dir_all(&self.0).unwrap();
    }
}

fn folder(name: &str) -> Folder {
    Folder(std::env::temp_dir().join(format!("youtility-mail-{name}-{}", std::process::id())))
}

struct Client(BufReader<TcpStream>);

impl Client {
    async fn connect(sink: &MailSink) -> Self {
        let mut client = Self(BufReader::new(TcpStream::connect(sink.smtp).await.unwrap()));
        assert!(client.reply().await.starts_with("220 "));
        client
    }

    async fn reply(&mut self) -> String {
        let mut lines = String::new();
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).await.unwrap() > 0, "the server left after {lines}");
            lines.push_str(&line);
            if line.as_bytes()[3] == b' ' {
                return lines;
            }
        }
    }

    async fn say(&mut self, text: &str) -> String {
        self.0.write_all(format!("{text}\r\n").as_bytes()).await.unwrap();
        self.reply().await
    }
}

async fn get(sink: &MailSink, path: &str, host: &str) -> String {
    let mut stream = TcpStream::connect(sink.http).await.unwrap();
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    answer
}

#[tokio::test]
async fn a_mail_is_kept_and_shown() {
    let folder = folder("kept");
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let mut client = Client::connect(&sink).await;
    assert!(client.say("EHLO test").await.contains("8BITMIME"));
    assert!(client.say("DATA").await.starts_with("503"));
    assert!(client.say("MAIL FROM:<a@example.com> SIZE=99999999").await.starts_with("552"));
    assert!(client.say("MAIL FROM:<a@example.com> SIZE=100 BODY=8BITMIME").await.starts_with("250"));
    assert!(client.say("RCPT TO:<b@example.com>").await.starts_with("250"));
    assert!(client.say("RCPT TO:<c@example.com>").await.starts_with("250"));
    assert!(client.say("DATA").await.starts_with("354"));
    let kept = client.say("Subject: Tür <b>\r\nMessage-ID: <1@test>\r\n\r\n..dots\r\n..\r\nend\r\n.").await;
    assert!(kept.starts_with("250"), "{kept}");
    assert!(client.say("QUIT").await.starts_with("221"));

    let mails = sink.mails().await.unwrap();
    assert_eq!(mails.len(), 1);
    assert_eq!(mails[0].to, ["b@example.com", "c@example.com"]);
    assert_eq!(mails[0].text, ".dots\n.\nend\n");
    let json = get(&sink, "/mails.json", "127.0.0.1").await;
    assert!(json.contains("\"Message-ID\":\"<1@test>\""), "{json}");
    let page = get(&sink, "/mails/00000001.eml", "localhost").await;
    assert!(
        page.contains("Tür &lt;b&gt;") && page.contains("content-security-policy: default-src 'none'"),
        "{page}"
    );
    assert!(get(&sink, "/", "localhost").await.contains("/mails/00000001.eml"));
    assert!(get(&sink, "/mails/../Cargo.toml", "localhost").await.starts_with("HTTP/1.1 404"));
    assert!(get(&sink, "/mails.json", "evil.example").await.starts_with("HTTP/1.1 400"));
}

#[tokio::test]
async fn numbering_goes_on_after_a_restart() {
    let folder = folder("restart");
    for _ in 0..2 {
        let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
        let mut client = Client::connect(&sink).await;
        client.say("HELO test").await;
        client.say("MAIL FROM:<>").await;
        client.say("RCPT TO:<b@example.com>").await;
        client.say("DATA").await;
        assert!(client.say("\r\nhello\r\n.").await.starts_with("250"));
    }
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let files: Vec<String> = sink.mails().await.unwrap().into_iter().map(|mail| mail.file).collect();
    assert_eq!(files, ["00000001.eml", "00000002.eml"]);
}

#[tokio::test]
async fn recipients_can_be_put_off_or_refused() {
    let folder = folder("refused");
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let mut client = Client::connect(&sink).await;
    client.say("EHLO test").await;
    client.say("MAIL FROM:<a@example.com>").await;
    sink.answer(Answer::PutOff);
    assert!(client.say("RCPT TO:<b@example.com>").await.starts_with("451"));
    sink.answer(Answer::Refuse);
    assert!(client.say("RCPT TO:<b@example.com>").await.starts_with("550"));
    sink.answer(Answer::Accept);
    assert!(client.say("RCPT TO:<b@example.com>").await.starts_with("250"));
    assert!(client.say("RSET").await.starts_with("250"));
    assert!(client.say("DATA").await.starts_with("503"));
}

#[tokio::test]
async fn single_recipients_and_whole_mails_can_be_answered_as_told() {
    let folder = folder("told");
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let mut client = Client::connect(&sink).await;
    client.say("EHLO test").await;
    client.say("MAIL FROM:<a@example.com>").await;
    sink.answer(Answer::each([("b@example.com", "550 5.7.1 not you")]));
    assert_eq!(client.say("RCPT TO:<b@example.com>").await, "550 5.7.1 not you\r\n");
    assert!(client.say("RCPT TO:<c@example.com>").await.starts_with("250"));
    sink.answer(Answer::AfterMessage("554 5.7.1 spam".to_owned()));
    client.say("DATA").await;
    assert_eq!(client.say("\r\nhello\r\n.").await, "554 5.7.1 spam\r\n");
    assert_eq!(sink.mails().await.unwrap(), []);
}

#[tokio::test]
async fn a_mail_may_be_kept_without_a_word() {
    let folder = folder("silence");
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let mut client = Client::connect(&sink).await;
    client.say("EHLO test").await;
    client.say("MAIL FROM:<a@example.com>").await;
    client.say("RCPT TO:<b@example.com>").await;
    client.say("DATA").await;
    sink.answer(Answer::Silence);
    client.0.write_all(b"\r\nhello\r\n.\r\n").await.unwrap();
    while sink.mails().await.unwrap().is_empty() {
        tokio::task::yield_now().await;
    }
    sink.answer(Answer::Accept);
    let mut rest = String::new();
    assert_eq!(client.0.read_to_string(&mut rest).await.unwrap(), 0, "{rest}");
}

#[tokio::test]
async fn an_endless_line_ends_the_conversation() {
    let folder = folder("endless");
    let sink = MailSink::start(&folder.0, ANY_PORT, ANY_PORT).await.unwrap();
    let mut client = Client::connect(&sink).await;
    let answer = client.say(&"x".repeat(5000)).await;
    assert!(answer.starts_with("500"), "{answer}");
}
