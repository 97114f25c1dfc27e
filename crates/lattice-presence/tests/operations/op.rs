//! The operations, and how they are drawn.

/// Where choices come from: a generator or the fuzzer's bytes.
pub trait Choices {
    /// A number below `bound`, which is at most 256.
    fn below(&mut self, bound: usize) -> usize;
}

/// Choices read off a slice; zero once it is spent.
pub struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    pub fn new(data: &'a [u8]) -> Self {
        Self(data)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Choices for Bytes<'_> {
    fn below(&mut self, bound: usize) -> usize {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        usize::from(*first) % bound
    }
}

/// How a node is named; nodes with one `base` are incarnations of one another.
#[derive(Clone, Copy, Debug)]
pub enum Identity {
    Plain { base: usize },
    Ordered { base: usize },
    Unordered { base: usize },
}

impl Identity {
    fn draw(choices: &mut impl Choices) -> Self {
        let base = choices.below(4);
        match choices.below(4) {
            0 => Self::Plain { base },
            1 => Self::Unordered { base },
            _ => Self::Ordered { base },
        }
    }
}

/// Two to five of them.
pub fn draw_identities(choices: &mut impl Choices) -> Vec<Identity> {
    let nodes = 2 + choices.below(4);
    (0..nodes).map(|_| Identity::draw(choices)).collect()
}

/// A session: indexes of its pid, topic and key.
#[derive(Clone, Copy, Debug)]
pub struct Slot {
    pub pid: usize,
    pub topic: usize,
    pub key: usize,
}

pub const PIDS: usize = 3;
pub const TOPICS: usize = 3;
pub const KEYS: usize = 2;

impl Slot {
    fn draw(choices: &mut impl Choices) -> Self {
        Self {
            pid: choices.below(PIDS),
            topic: choices.below(TOPICS),
            key: choices.below(KEYS),
        }
    }
}

/// A dot that a forged packet speaks of.
#[derive(Clone, Copy, Debug)]
pub struct Claim {
    pub replica: usize,
    pub clock: u64,
    pub entry: Option<Slot>,
}

impl Claim {
    fn draw(choices: &mut impl Choices) -> Self {
        Self {
            replica: choices.below(16),
            clock: 1 + choices.below(5) as u64,
            entry: (choices.below(2) == 0).then(|| Slot::draw(choices)),
        }
    }
}

/// One step. Nodes, replicas and packets are indexes, taken modulo what exists.
#[derive(Clone, Debug)]
pub enum Op {
    Join {
        node: usize,
        slot: Slot,
    },
    Update {
        node: usize,
        slot: Slot,
    },
    Leave {
        node: usize,
        slot: Slot,
    },
    LeaveByPid {
        node: usize,
        pid: usize,
    },
    Merge {
        to: usize,
        from: usize,
    },
    MergeQuietly {
        to: usize,
        from: usize,
    },
    Sync {
        to: usize,
        from: usize,
    },
    SendDelta {
        node: usize,
    },
    SendSnapshot {
        node: usize,
    },
    SendOwned {
        node: usize,
    },
    SendSince {
        node: usize,
        peer: usize,
    },
    SendForged {
        replica: usize,
        claims: Vec<Claim>,
    },
    SendPruned {
        node: usize,
        nth: usize,
    },
    Deliver {
        to: usize,
        packet: usize,
    },
    DeliverQuietly {
        to: usize,
        packet: usize,
    },
    DeliverOwned {
        to: usize,
        packet: usize,
        peer: usize,
    },
    Down {
        node: usize,
        replica: usize,
    },
    Up {
        node: usize,
        replica: usize,
    },
    Prune {
        node: usize,
        replica: usize,
    },
    /// Down and pruned at once.
    Expel {
        node: usize,
        replica: usize,
    },
    Forget {
        node: usize,
        replica: usize,
    },
    Supersede {
        node: usize,
        replica: usize,
    },
    Restart {
        node: usize,
        identity: Identity,
    },
    Restore {
        node: usize,
        from: usize,
    },
    Reincarnate {
        node: usize,
        identity: Identity,
    },
}

impl Op {
    /// Weighted: mutations and exchanges are most of a sequence.
    pub fn draw(choices: &mut impl Choices) -> Self {
        let kind = choices.below(64);
        let node = choices.below(5);
        match kind {
            0..30 => Self::draw_everyday(kind, node, choices),
            30..46 => Self::draw_packet(kind, node, choices),
            _ => Self::draw_lifecycle(kind, node, choices),
        }
    }

    fn draw_everyday(kind: usize, node: usize, choices: &mut impl Choices) -> Self {
        let mut other = || choices.below(5);
        match kind {
            0..9 => Self::Join {
                node,
                slot: Slot::draw(choices),
            },
            9..11 => Self::Update {
                node,
                slot: Slot::draw(choices),
            },
            11..15 => Self::Leave {
                node,
                slot: Slot::draw(choices),
            },
            15..17 => Self::LeaveByPid {
                node,
                pid: choices.below(PIDS),
            },
            17..23 => Self::Merge {
                to: node,
                from: other(),
            },
            23..25 => Self::MergeQuietly {
                to: node,
                from: other(),
            },
            _ => Self::Sync {
                to: node,
                from: other(),
            },
        }
    }

    fn draw_packet(kind: usize, node: usize, choices: &mut impl Choices) -> Self {
        let mut other = || choices.below(16);
        match kind {
            30..32 => Self::SendDelta { node },
            32 => Self::SendSnapshot { node },
            33 => Self::SendOwned { node },
            34..36 => Self::SendSince {
                node,
                peer: other(),
            },
            36 => {
                let count = 1 + choices.below(4);
                let claims = (0..count).map(|_| Claim::draw(choices)).collect();
                Self::SendForged {
                    replica: node,
                    claims,
                }
            }
            37..39 => Self::SendPruned { node, nth: other() },
            39..44 => Self::Deliver {
                to: node,
                packet: other(),
            },
            44 => Self::DeliverQuietly {
                to: node,
                packet: other(),
            },
            _ => Self::DeliverOwned {
                to: node,
                packet: other(),
                peer: other(),
            },
        }
    }

    fn draw_lifecycle(kind: usize, node: usize, choices: &mut impl Choices) -> Self {
        let mut replica = || choices.below(16);
        match kind {
            46..49 => Self::Down {
                node,
                replica: replica(),
            },
            49..52 => Self::Up {
                node,
                replica: replica(),
            },
            52..54 => Self::Prune {
                node,
                replica: replica(),
            },
            54..58 => Self::Expel {
                node,
                replica: replica(),
            },
            58 => Self::Forget {
                node,
                replica: replica(),
            },
            59 => Self::Supersede {
                node,
                replica: replica(),
            },
            60..62 => Self::Restart {
                node,
                identity: Identity::draw(choices),
            },
            62 => Self::Restore {
                node,
                from: replica(),
            },
            _ => Self::Reincarnate {
                node,
                identity: Identity::draw(choices),
            },
        }
    }
}

/// Who takes part and what happens.
#[derive(Clone, Debug)]
pub struct Case {
    pub identities: Vec<Identity>,
    pub ops: Vec<Op>,
}
