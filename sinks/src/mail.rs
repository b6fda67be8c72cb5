//! Mail: a transaction for each recipient, so that one who is refused costs the others nothing.
//!
//! 1. TLS is required, unless the server is this machine. Nothing is sent in the clear because a server
//!    happens not to offer it.
//! 2. 4xx: that recipient later. 5xx: that recipient never; where all are refused, the message is. A login
//!    that is refused, TLS that fails or is not offered: the sink is.
//! 3. Who has it already does not get it again with a later attempt.
//! 4. All mails of an incident have one subject, and refer to one id that was never sent.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, UNIX_EPOCH};

use heartline_config::{MailTarget, MailTls};
use heartline_vocabulary::NoticeKind;
use lettre::message::header::{ContentType, HeaderName, HeaderValue};
use lettre::message::{Mailbox, Message as Mail};
use lettre::transport::smtp::Error as SmtpError;
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport as _};

use crate::http::TrustedRoots;
use crate::sink::begin_request;
use crate::text::{Message, TextFormat, clean_to, cut, verbatim};
use crate::{Arrival, CollectorLabel, Outcome, Permanence, WorkerPulse};

/// Most bytes of a text.
const TEXT_MAX: usize = 20_000;

/// Most characters of a subject.
const SUBJECT_MAX: usize = 150;

/// Characters of an error that are repeated.
const DETAIL_MAX: usize = 200;

/// Most attempts that were given up and still hang, each with its thread.
const HANGING_MAX: usize = 4;

/// Most incidents whose subjects are remembered.
const SUBJECTS_MAX: usize = 10_000;

/// The codes of a refused login.
const LOGIN_REFUSED: std::ops::RangeInclusive<u16> = 534..=538;

/// A mail server, and whom it delivers to.
pub(crate) struct MailSink {
    transport: SmtpTransport,
    from: Mailbox,
    to: Vec<Address>,
    /// For ids and lists.
    host: String,
    timeout: Duration,
    hanging: Arc<AtomicUsize>,
    subjects: BTreeMap<String, String>,
    /// Who is settled for a message: has it, or is refused.
    settled: (String, BTreeSet<Address>, Vec<String>),
}

/// A mail sink that can't be made.
#[derive(Debug, thiserror::Error)]
pub enum MailError {
    #[error("{setting}: expected a mail address such as ops@example.org, found {found:?}")]
    Address { setting: &'static str, found: String },
    #[error("can't prepare TLS for {host}: {source}")]
    Tls { host: String, source: SmtpError },
}

/// What became of the mail to one recipient.
enum Transaction {
    Delivered,
    Later(Arrival, String),
    RecipientRefused(String),
    ServerRefused(String),
}

impl MailSink {
    /// Prepares the connection; nothing is sent.
    ///
    /// # Errors
    /// [`MailError`].
    pub(crate) fn new(
        target: &MailTarget,
        roots: &TrustedRoots,
        timeout: Duration,
        label: &CollectorLabel,
    ) -> Result<Self, MailError> {
        let tls_error = |source| MailError::Tls { host: target.host.clone(), source };
        let parameters = || {
            let mut builder = TlsParameters::builder(target.host.clone());
            for certificate in roots.certificates() {
                // What the system has and is no certificate is passed over, as in HTTP.
                if let Ok(certificate) = Certificate::from_der(certificate.der().to_vec()) {
                    builder = builder.add_root_certificate(certificate);
                }
            }
            builder.build_rustls().map_err(tls_error)
        };
        let tls = match target.tls {
            MailTls::StartTls => Tls::Required(parameters()?),
            MailTls::Implicit => Tls::Wrapper(parameters()?),
            MailTls::None => Tls::None,
        };
        let mut builder = SmtpTransport::builder_dangerous(&target.host)
            .port(target.port)
            .tls(tls)
            .timeout(Some(timeout));
        if let Some((user, password)) = &target.login {
            let credentials = Credentials::new(user.clone(), password.expose().to_owned());
            builder = builder.credentials(credentials);
        }
        let address =
            |setting| move |found: &String| MailError::Address { setting, found: found.clone() };
        let from = target.from.parse().map_err(|_| address("from")(&target.from))?;
        let to = target.to.iter().map(|it| it.parse().map_err(|_| address("to")(it)));
        let is_host = |c: &char| c.is_ascii_alphanumeric() || ".-".contains(*c);
        let host: String = label.host.chars().filter(is_host).take(100).collect();
        Ok(Self {
            transport: builder.build(),
            from,
            to: to.collect::<Result<_, _>>()?,
            host: if host.is_empty() { "heartline".to_owned() } else { host },
            timeout,
            hanging: Arc::default(),
            subjects: BTreeMap::new(),
            settled: Default::default(),
        })
    }

    /// Sends a message to each recipient that does not have it yet.
    pub(crate) fn send(&mut self, message: &Message, now_ms: i64, pulse: &WorkerPulse) -> Outcome {
        if self.settled.0 != message.id {
            self.settled = (message.id.clone(), BTreeSet::new(), Vec::new());
        }
        let mut later = None;
        for to in self.to.clone() {
            if self.settled.1.contains(&to) {
                continue;
            }
            if let Some(stopped) = begin_request(pulse) {
                return stopped;
            }
            let mail = match self.mail(message, &to, now_ms) {
                Ok(mail) => mail,
                Err(why) => return Outcome::MessageRefused { why },
            };
            match self.transact(mail) {
                Transaction::Delivered => {
                    self.settled.1.insert(to);
                }
                Transaction::RecipientRefused(why) => {
                    self.settled.1.insert(to.clone());
                    self.settled.2.push(format!("{to}: {why}"));
                }
                Transaction::Later(arrival, why) => later = Some((arrival, format!("{to}: {why}"))),
                Transaction::ServerRefused(why) => {
                    let permanence = Permanence::UntilRepaired;
                    return Outcome::SinkRefused { why, permanence };
                }
            }
        }
        if let Some((arrival, why)) = later {
            return Outcome::Retry { after: None, arrival, why };
        }
        let (_, settled, refused) = std::mem::take(&mut self.settled);
        let taken = settled.len() - refused.len();
        let answer = match refused.is_empty() {
            true => format!("{taken} recipients"),
            false => {
                format!("{taken} recipients; refused: {}", cut(&refused.join("; "), DETAIL_MAX))
            }
        };
        match taken {
            0 => Outcome::MessageRefused { why: answer },
            _ => Outcome::Delivered { answer, pause: None },
        }
    }

    fn mail(&mut self, message: &Message, to: &Address, now_ms: i64) -> Result<Mail, String> {
        let now = UNIX_EPOCH + Duration::from_millis(u64::try_from(now_ms).unwrap_or(0));
        let root = format!("<{}@{}>", message.incident_key, self.host);
        let list = format!("Heartline alerts <heartline.{}>", self.host);
        let header = |name, value: &str| {
            HeaderValue::new(HeaderName::new_from_ascii_str(name), value.to_owned())
        };
        let builder = Mail::builder()
            .from(self.from.clone())
            .to(Mailbox::new(None, to.clone()))
            .date(now)
            .subject(self.subject(message))
            .message_id(Some(format!("<{}@{}>", message.id, self.host)))
            .references(root.clone())
            .in_reply_to(root)
            .header(ContentType::TEXT_PLAIN)
            .raw_header(header("List-Id", &list))
            .raw_header(header("Auto-Submitted", "auto-generated"))
            .raw_header(header("X-Heartline-Incident", &message.incident_key));
        builder.body(text(message)).map_err(|error| format!("can't write the mail: {error}"))
    }

    /// Returns the subject of the incident's first mail, with `Re:` for all others.
    fn subject(&mut self, message: &Message) -> String {
        let subject = self.subjects.get(&message.incident_key);
        let subject = subject.unwrap_or(&message.subject).clone();
        match message.kind {
            NoticeKind::Opened if self.subjects.len() < SUBJECTS_MAX => {
                self.subjects.insert(message.incident_key.clone(), subject.clone());
            }
            NoticeKind::Resolved | NoticeKind::Merged => {
                self.subjects.remove(&message.incident_key);
            }
            _ => {}
        }
        let is_first =
            matches!(message.kind, NoticeKind::Opened | NoticeKind::Digest | NoticeKind::Test);
        cut(&if is_first { subject } else { format!("Re: {subject}") }, SUBJECT_MAX)
    }

    /// Sends one mail. The time limit of the client is for each read, so the whole of it runs on a thread
    /// that is given up at the deadline; there are few of those.
    fn transact(&self, mail: Mail) -> Transaction {
        if self.hanging.load(Ordering::Relaxed) >= HANGING_MAX {
            let why = format!("{HANGING_MAX} attempts that were given up still hang");
            return Transaction::Later(Arrival::No, why);
        }
        let (transport, hanging) = (self.transport.clone(), Arc::clone(&self.hanging));
        let (sender, result) = mpsc::channel();
        hanging.fetch_add(1, Ordering::Relaxed);
        thread::spawn(move || {
            let sent = transport.send(&mail);
            hanging.fetch_sub(1, Ordering::Relaxed);
            // Nobody waits any more where the time was up.
            let _late = sender.send(sent);
        });
        match result.recv_timeout(self.timeout) {
            Ok(Ok(_)) => Transaction::Delivered,
            Ok(Err(error)) => classify(&error),
            Err(_) => {
                let timeout_s = self.timeout.as_secs_f64();
                Transaction::Later(Arrival::Unknown, format!("no answer within {timeout_s} s"))
            }
        }
    }
}

/// Returns the text: the sink's own, or what holds now in the first words, as a preview shows them.
fn text(message: &Message) -> String {
    let text = TextFormat { limit: TEXT_MAX, measure: str::len, escape: verbatim };
    let body = text.body(message);
    if message.own_body.is_some() {
        return format!("{body}\n");
    }
    let what = text.line(&message.what);
    if what == message.title {
        format!("{what}\n\n{body}\n")
    } else {
        format!("{what}\n\n{}\n{body}\n", message.title)
    }
}

fn classify(error: &SmtpError) -> Transaction {
    let code = error.status().map(u16::from);
    let detail =
        std::error::Error::source(error).map_or_else(|| error.to_string(), ToString::to_string);
    let detail = clean_to(&detail, DETAIL_MAX);
    let why = code.map_or(detail.clone(), |code| format!("{code} {detail}"));
    match code {
        Some(code) if LOGIN_REFUSED.contains(&code) => {
            Transaction::ServerRefused(format!("the server refuses the login: {why}"))
        }
        _ if error.is_permanent() => Transaction::RecipientRefused(why),
        _ if error.is_transient() => Transaction::Later(Arrival::No, why),
        _ if error.is_tls() => Transaction::ServerRefused(format!("TLS: {detail}")),
        // It offers no STARTTLS, or no way to log in that is known here.
        _ if error.is_client() => Transaction::ServerRefused(detail),
        _ if detail.contains("certificate") => Transaction::ServerRefused(format!("TLS: {detail}")),
        _ => Transaction::Later(Arrival::Unknown, detail),
    }
}
