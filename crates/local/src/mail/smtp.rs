//! The server's side of an SMTP conversation (RFC 5321), with TLS (RFC 3207) when told so, without sign-in.

use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_rustls::TlsAcceptor;

use super::folder::Folder;
use super::{Answer, Security};

const LINE_BYTES_MAX: u64 = 4096;
const MAIL_BYTES_MAX: usize = 10 * 1024 * 1024;
const RECIPIENTS_MAX: usize = 100;
const LINE_LIMIT: Duration = Duration::from_mins(5);

/// Who sends to whom, as said before the mail itself.
#[derive(Default)]
struct Envelope {
    from: Option<String>,
    to: Vec<String>,
}

enum Next {
    Reply(String),
    ReadMail,
    Upgrade(TlsAcceptor),
    Quit,
}

/// What bytes come over, protected or not.
trait Stream: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Stream for S {}

struct Conversation {
    stream: BufReader<Box<dyn Stream>>,
    /// The upgrade that is offered, and that mail waits for.
    upgrade: Option<TlsAcceptor>,
    folder: Folder,
    answers: watch::Receiver<Answer>,
    envelope: Envelope,
}

/// Talks with one client until it quits.
pub(super) async fn converse(
    stream: TcpStream,
    security: Security,
    folder: Folder,
    answers: watch::Receiver<Answer>,
) -> Result<()> {
    let (stream, upgrade): (Box<dyn Stream>, _) = match security {
        Security::None => (Box::new(stream), None),
        Security::Starttls(acceptor) => (Box::new(stream), Some(acceptor)),
        Security::Tls(acceptor) => (Box::new(acceptor.accept(stream).await.context("shaking hands")?), None),
    };
    let stream = BufReader::new(stream);
    let mut conversation = Conversation { stream, upgrade, folder, answers, envelope: Envelope::default() };
    conversation.say("220 mail sink ready").await?;
    while let Some(line) = conversation.read_line().await? {
        let line = String::from_utf8_lossy(&line).trim_end().to_owned();
        match conversation.obey(&line) {
            Next::Reply(reply) => conversation.say(&reply).await?,
            Next::ReadMail => conversation.receive_mail().await?,
            Next::Upgrade(acceptor) => conversation = conversation.upgraded(acceptor).await?,
            Next::Quit => return conversation.say("221 2.0.0 goodbye").await,
        }
    }
    Ok(())
}

impl Conversation {
    fn obey(&mut self, line: &str) -> Next {
        let (verb, rest) = line.split_once(' ').unwrap_or((line, ""));
        let reply = match verb.to_ascii_uppercase().as_str() {
            "EHLO" => {
                self.envelope = Envelope::default();
                let starttls = if self.upgrade.is_some() { "250-STARTTLS\r\n" } else { "" };
                format!(
                    "250-mail sink\r\n250-8BITMIME\r\n250-PIPELINING\r\n{starttls}250 SIZE {MAIL_BYTES_MAX}"
                )
            }
            "HELO" => {
                self.envelope = Envelope::default();
                "250 mail sink".to_owned()
            }
            "STARTTLS" => match self.upgrade.take() {
                Some(acceptor) => return Next::Upgrade(acceptor),
                None => "502 5.5.1 command not known".to_owned(),
            },
            "MAIL" if self.upgrade.is_some() => "530 5.7.0 say STARTTLS first".to_owned(),
            "MAIL" => self.begin_mail(rest),
            "RCPT" => self.add_recipient(rest),
            "DATA" if self.envelope.to.is_empty() => "503 5.5.1 name a recipient first".to_owned(),
            "DATA" => return Next::ReadMail,
            "RSET" => {
                self.envelope = Envelope::default();
                "250 2.0.0 forgotten".to_owned()
            }
            "NOOP" => "250 2.0.0 ok".to_owned(),
            "VRFY" => "252 2.5.0 send and see".to_owned(),
            "QUIT" => return Next::Quit,
            _ => "502 5.5.1 command not known".to_owned(),
        };
        Next::Reply(reply)
    }

    fn begin_mail(&mut self, rest: &str) -> String {
        if self.envelope.from.is_some() {
            return "503 5.5.1 one mail at a time".to_owned();
        }
        let Some((address, parameters)) = parse_path(rest, "FROM:") else {
            return "501 5.5.4 say MAIL FROM:<address>".to_owned();
        };
        let size = parameters.split_whitespace().find_map(|word| word.strip_prefix("SIZE="));
        if size.and_then(|size| size.parse::<usize>().ok()).is_some_and(|size| size > MAIL_BYTES_MAX) {
            return format!("552 5.3.4 a mail may have {MAIL_BYTES_MAX} bytes");
        }
        self.envelope.from = Some(address);
        "250 2.1.0 ok".to_owned()
    }

    fn add_recipient(&mut self, rest: &str) -> String {
        if self.envelope.from.is_none() {
            return "503 5.5.1 say MAIL FROM first".to_owned();
        }
        let Some((address, _)) = parse_path(rest, "TO:") else {
            return "501 5.5.4 say RCPT TO:<address>".to_owned();
        };
        if self.envelope.to.len() == RECIPIENTS_MAX {
            return "452 4.5.3 too many recipients".to_owned();
        }
        let refusal = match &*self.answers.borrow() {
            Answer::PutOff => Some("451 4.3.0 try again later".to_owned()),
            Answer::Refuse => Some("550 5.1.1 there is no such mailbox".to_owned()),
            Answer::Each(replies) => replies.get(&address).cloned(),
            Answer::Accept | Answer::AfterMessage(_) | Answer::Silence => None,
        };
        if let Some(refusal) = refusal {
            return refusal;
        }
        self.envelope.to.push(address);
        "250 2.1.5 ok".to_owned()
    }

    async fn receive_mail(&mut self) -> Result<()> {
        self.say("354 end with a dot on a line of its own").await?;
        let envelope = std::mem::take(&mut self.envelope);
        let sender = envelope.from.as_deref().unwrap_or("");
        let mut raw = format!("X-Envelope-From: {sender}\r\nX-Envelope-To: {}\r\n", envelope.to.join(", "))
            .into_bytes();
        let mut too_large = false;
        loop {
            let Some(line) = self.read_line().await? else {
                bail!("the client left in the middle of a mail")
            };
            if line.trim_ascii_end() == b"." {
                break;
            }
            too_large = too_large || raw.len() + line.len() > MAIL_BYTES_MAX;
            if !too_large {
                raw.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
            }
        }
        if too_large {
            return self.say(&format!("552 5.3.4 a mail may have {MAIL_BYTES_MAX} bytes")).await;
        }
        let answer = self.answers.borrow_and_update().clone();
        if let Answer::AfterMessage(reply) = answer {
            return self.say(&reply).await;
        }
        let name = self.folder.keep(&raw).await?;
        if answer == Answer::Silence {
            self.answers.changed().await.context("waiting for another answer")?;
            bail!("the sender is not told that a mail was kept");
        }
        self.say(&format!("250 2.0.0 kept as {name}")).await
    }

    /// The same under TLS, as if nothing had been said before.
    async fn upgraded(mut self, acceptor: TlsAcceptor) -> Result<Self> {
        self.say("220 2.0.0 go ahead").await?;
        let stream = acceptor.accept(self.stream.into_inner()).await.context("shaking hands")?;
        Ok(Self { stream: BufReader::new(Box::new(stream)), envelope: Envelope::default(), ..self })
    }

    /// The next line with its end; `None` when the client has left.
    async fn read_line(&mut self) -> Result<Option<Vec<u8>>> {
        let mut line = Vec::new();
        let mut bounded = (&mut self.stream).take(LINE_BYTES_MAX);
        let read =
            timeout(LINE_LIMIT, bounded.read_until(b'\n', &mut line)).await.context("waiting for a line")?;
        if read.context("reading a line")? == 0 {
            return Ok(None);
        }
        if !line.ends_with(b"\n") {
            self.say("500 5.5.2 line too long").await?;
            bail!("a line was longer than {LINE_BYTES_MAX} bytes");
        }
        Ok(Some(line))
    }

    async fn say(&mut self, reply: &str) -> Result<()> {
        self.stream.write_all(format!("{reply}\r\n").as_bytes()).await.context("answering")?;
        self.stream.flush().await.context("answering")
    }
}

/// The address in `FROM:<address> PARAMETERS`, and the parameters. Header-breaking bytes cannot occur in a line.
fn parse_path(text: &str, keyword: &str) -> Option<(String, String)> {
    let (word, rest) = text.split_at_checked(keyword.len())?;
    if !word.eq_ignore_ascii_case(keyword) {
        return None;
    }
    let (address, parameters) = rest.trim_start().strip_prefix('<')?.split_once('>')?;
    Some((address.to_owned(), parameters.to_owned()))
}
