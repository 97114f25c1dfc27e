//! Messages between the stage and the nodes, over standard input and output.
//!
//! A real server does not need them: it gets its joins from sockets, and sends its diffs to
//! them. Each message is one line. Control characters separate the fields of a report, and
//! no field has them.

use std::collections::BTreeSet;
use std::fmt;
use std::net::SocketAddr;

const FIELD: char = '\u{1f}';
const ROW: char = '\u{1e}';

/// Stage to node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// The address of a peer: at the start, and again after it has restarted.
    Peer {
        peer: String,
        address: SocketAddr,
    },
    Join {
        topic: String,
        user: String,
        status: String,
    },
    Leave {
        topic: String,
        user: String,
    },
    Status {
        topic: String,
        user: String,
        status: String,
    },
    /// The node does not send to the peer, and does not hear it, until `Heal`.
    Cut {
        peer: String,
    },
    Heal {
        peer: String,
    },
}

impl Command {
    /// The command of a line. `None` if it is not a command.
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let mut words = line.split_whitespace();
        let verb = words.next()?;
        let first = words.next()?.to_owned();
        let second = words.next().map(str::to_owned);
        let status = words.collect::<Vec<_>>().join(" ");
        Some(match (verb, first, second, status.is_empty()) {
            ("join", topic, Some(user), none) => Self::Join {
                topic,
                user,
                status: if none { "online".to_owned() } else { status },
            },
            ("status", topic, Some(user), false) => Self::Status {
                topic,
                user,
                status,
            },
            ("leave", topic, Some(user), true) => Self::Leave { topic, user },
            ("peer", peer, Some(address), true) => Self::Peer {
                peer,
                address: address.parse().ok()?,
            },
            ("cut", peer, None, _) => Self::Cut { peer },
            ("heal", peer, None, _) => Self::Heal { peer },
            _ => return None,
        })
    }
}

impl fmt::Display for Command {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer { peer, address } => write!(f, "peer {peer} {address}"),
            Self::Join {
                topic,
                user,
                status,
            } => write!(f, "join {topic} {user} {status}"),
            Self::Leave { topic, user } => write!(f, "leave {topic} {user}"),
            Self::Status {
                topic,
                user,
                status,
            } => write!(f, "status {topic} {user} {status}"),
            Self::Cut { peer } => write!(f, "cut {peer}"),
            Self::Heal { peer } => write!(f, "heal {peer}"),
        }
    }
}

/// A visible entry.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Row {
    pub(crate) topic: String,
    pub(crate) user: String,
    pub(crate) status: String,
    /// The base name of the node that holds it.
    pub(crate) home: String,
}

impl Row {
    fn to_fields(&self) -> String {
        let fields = [&self.topic, &self.user, &self.status, &self.home];
        let separator = FIELD.to_string();
        fields.map(|field| clean(field)).join(&separator)
    }

    fn from_fields(text: &str) -> Option<Self> {
        let mut fields = text.split(FIELD).map(str::to_owned);
        Some(Self {
            topic: fields.next()?,
            user: fields.next()?,
            status: fields.next()?,
            home: fields.next()?,
        })
    }
}

/// Everything that a node sees, with the digest of what it holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct View {
    pub(crate) rows: BTreeSet<Row>,
    /// As JSON: equal digests are equal texts.
    pub(crate) digest: String,
}

/// Node to stage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Report {
    Listening(SocketAddr),
    Joined(Row),
    Left(Row),
    /// Something that a log would hold.
    Note(String),
    View(View),
}

impl Report {
    pub(crate) fn parse(line: &str) -> Option<Self> {
        let (kind, rest) = line.split_once(' ')?;
        Some(match kind {
            "listening" => Self::Listening(rest.parse().ok()?),
            "+" => Self::Joined(Row::from_fields(rest)?),
            "-" => Self::Left(Row::from_fields(rest)?),
            "note" => Self::Note(rest.to_owned()),
            "view" => {
                let mut parts = rest.split(ROW);
                let digest = parts.next()?.to_owned();
                let rows = parts.map(Row::from_fields).collect::<Option<_>>()?;
                Self::View(View { rows, digest })
            }
            _ => return None,
        })
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Listening(address) => write!(f, "listening {address}"),
            Self::Joined(row) => write!(f, "+ {}", row.to_fields()),
            Self::Left(row) => write!(f, "- {}", row.to_fields()),
            Self::Note(text) => write!(f, "note {}", clean(text)),
            Self::View(view) => {
                write!(f, "view {}", clean(&view.digest))?;
                let mut rows = view.rows.iter();
                rows.try_for_each(|row| write!(f, "{ROW}{}", row.to_fields()))
            }
        }
    }
}

/// A field must not have the characters that separate fields.
fn clean(text: &str) -> String {
    text.replace(char::is_control, " ")
}
