//! The checks, one function each.

use alloc::format;
use alloc::vec;

use bytes::Bytes;
use tokio::time::timeout;

use super::party::{PATIENCE, Party, SILENCE, pass};
use super::{Harness, NAMES, Report, Violation};
use crate::engine::{Engine, Event, Link, SendError, To};

type LinkOf<H> = <<H as Harness>::Engine as Engine>::Link;

/// How many payloads are sent to a node that does not read.
const FLOOD: usize = 20_000;

pub(super) struct Suite<'a, H: Harness> {
    harness: &'a mut H,
    a: Party<LinkOf<H>>,
    b: Party<LinkOf<H>>,
    c: Party<LinkOf<H>>,
    /// In another cluster.
    stranger: Party<LinkOf<H>>,
    report: Report,
    tag: u64,
}

impl<'a, H: Harness> Suite<'a, H> {
    pub(super) async fn start(harness: &'a mut H) -> Result<Self, Violation> {
        let cluster = "conformance suite/1";
        let a = Party::start(harness.engine(), cluster, NAMES[0]).await?;
        let b = Party::start(harness.engine(), cluster, NAMES[1]).await?;
        let c = Party::start(harness.engine(), cluster, NAMES[2]).await?;
        // This name starts with the other one.
        let other = "conformance suite/1/2";
        let stranger = Party::start(harness.engine(), other, NAMES[3]).await?;
        Ok(Self {
            harness,
            a,
            b,
            c,
            stranger,
            report: Report::default(),
            tag: 0,
        })
    }

    pub(super) async fn run(mut self) -> Result<Report, Violation> {
        self.all_hear().await?;
        self.one_hears().await?;
        self.limits().await?;
        self.nobody().await?;
        self.words().await?;
        self.flood().await?;
        self.cut().await?;
        self.close().await
    }

    /// A payload that was never sent before. So a late or doubled one does no harm.
    fn payload(&mut self) -> Bytes {
        self.tag += 1;
        format!("payload {}", self.tag).into()
    }

    fn passed(&mut self, check: &'static str) {
        self.report.passed.push(check);
    }

    async fn all_hear(&mut self) -> Result<(), Violation> {
        let check = "to all, with the sender's name";
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.b, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.c, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.b, true, &mut self.a, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.c, true, &mut self.b, &payload).await?;
        self.passed(check);

        let check = "nothing comes back to its sender";
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.b, &payload).await?;
        if self.a.sender_of(&payload, SILENCE).await.is_some() {
            let what = format!("`{}` got its own payload to all", self.a.name);
            return Err(Violation { check, what });
        }
        self.passed(check);

        let check = "other clusters are not heard";
        if self.stranger.sender_of(&payload, SILENCE).await.is_some() {
            let what = "a payload to all reached another cluster".into();
            return Err(Violation { check, what });
        }
        self.passed(check);
        Ok(())
    }

    async fn one_hears(&mut self) -> Result<(), Violation> {
        let check = "to one, and to no other";
        let payload = self.payload();
        pass(check, &mut self.a, false, &mut self.b, &payload).await?;
        if self.c.sender_of(&payload, SILENCE).await.is_some() {
            let what = format!("what was for `{}` reached `{}`", self.b.name, self.c.name);
            return Err(Violation { check, what });
        }
        let payload = self.payload();
        pass(check, &mut self.b, false, &mut self.c, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.c, false, &mut self.a, &payload).await?;
        self.passed(check);
        Ok(())
    }

    async fn limits(&mut self) -> Result<(), Violation> {
        let check = "payloads at and over the limit";
        let limit = self.a.link.max_payload();
        if limit < 1024 {
            let what = format!("a limit of {limit} bytes: no message of a node fits");
            return Err(Violation { check, what });
        }
        // It is neither text nor zeros. So errors in escaping or compressing are found.
        let bytes = |length: usize| -> Bytes {
            let mix = |at: usize| (at.wrapping_mul(2_654_435_761) >> 7).to_le_bytes()[0];
            (0..length).map(mix).collect::<Vec<u8>>().into()
        };
        for length in [0, 1, limit - 1, limit] {
            pass(check, &mut self.a, true, &mut self.b, &bytes(length)).await?;
            pass(check, &mut self.a, false, &mut self.c, &bytes(length)).await?;
        }
        let over = bytes(limit + 1);
        for to in [To::All, To::One(NAMES[1])] {
            let sent = self.a.send(to, &over).await?;
            if !matches!(sent, Err(SendError::TooLong { .. })) {
                let what = format!("{} bytes to {to}: {sent:?}", limit + 1);
                return Err(Violation { check, what });
            }
        }
        if self.b.sender_of(&over, SILENCE).await.is_some() {
            let what = "a payload that was refused arrived".into();
            return Err(Violation { check, what });
        }
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.b, &payload).await?;
        self.passed(check);
        Ok(())
    }

    async fn nobody(&mut self) -> Result<(), Violation> {
        let check = "a payload to nobody does no harm";
        let payload = self.payload();
        let _ = self
            .a
            .send(To::One("nobody of that name"), &payload)
            .await?;
        let payload = self.payload();
        pass(check, &mut self.a, false, &mut self.b, &payload).await?;
        self.passed(check);
        Ok(())
    }

    async fn words(&mut self) -> Result<(), Violation> {
        let check = "a connection is reported";
        for party in [&mut self.a, &mut self.b, &mut self.c] {
            if !party.has_said(|event| *event == Event::Connected).await {
                let what = format!("`{}` hears others, and never said Connected", party.name);
                return Err(Violation { check, what });
            }
        }
        self.passed(check);
        Ok(())
    }

    async fn flood(&mut self) -> Result<(), Violation> {
        let check = "a flood, to a node that does not read";
        let length = 1024.min(self.a.link.max_payload());
        let payload = Bytes::from(vec![b'f'; length]);
        for sent in 0..FLOOD {
            // Losses are allowed.
            let _ = self.a.send(To::All, &payload).await?;
            if sent % 64 == 0 {
                tokio::task::yield_now().await;
            }
        }
        // The queue holds 8,192 messages. An engine that offers more must report it.
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.b, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.c, false, &mut self.b, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.b, true, &mut self.a, &payload).await?;
        self.passed(check);
        Ok(())
    }

    async fn cut(&mut self) -> Result<(), Violation> {
        let check = "a cut, and a mend";
        for party in [&mut self.a, &mut self.b, &mut self.c] {
            party.words.clear();
        }
        if !self.harness.cut().await {
            self.report.skipped.push(check);
            return Ok(());
        }
        // A send in this time may return an error or not, but nothing hangs.
        let payload = self.payload();
        let _ = self.a.send(To::All, &payload).await?;
        if !self.b.has_said(is_disconnected).await {
            let what = format!("`{}` was cut off, and never said Disconnected", self.b.name);
            return Err(Violation { check, what });
        }
        self.harness.mend().await;
        if !self.b.has_said(|event| *event == Event::Connected).await {
            let what = format!(
                "`{}` did not connect again within {PATIENCE:?}",
                self.b.name
            );
            return Err(Violation { check, what });
        }
        let payload = self.payload();
        pass(check, &mut self.a, true, &mut self.b, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.b, false, &mut self.c, &payload).await?;
        let payload = self.payload();
        pass(check, &mut self.c, true, &mut self.a, &payload).await?;
        self.passed(check);
        Ok(())
    }

    async fn close(self) -> Result<Report, Violation> {
        let check = "a close ends everything";
        let Self {
            a,
            mut b,
            mut c,
            stranger,
            mut report,
            ..
        } = self;
        let Party {
            name,
            link,
            mut received,
            ..
        } = a;
        let violation = |what| Violation { check, what };
        let closed = timeout(PATIENCE, link.close()).await;
        closed.map_err(|_| violation(format!("`{name}` did not close within {PATIENCE:?}")))?;
        let ended = timeout(PATIENCE, async { while received.next().await.is_some() {} }).await;
        ended.map_err(|_| violation(format!("`{name}` is closed, and holds its Events")))?;
        // The others continue to work.
        pass(check, &mut b, true, &mut c, &"after the close".into()).await?;
        for party in [b, c, stranger] {
            let closed = timeout(PATIENCE, party.link.close()).await;
            closed.map_err(|_| violation(format!("`{}` did not close", party.name)))?;
        }
        report.passed.push(check);
        Ok(report)
    }
}

fn is_disconnected(event: &Event) -> bool {
    matches!(event, Event::Disconnected { .. })
}
